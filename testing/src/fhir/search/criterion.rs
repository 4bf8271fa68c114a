//! [`Criterion`]: one parameter of a search, which a resource matches or not.

use azure_core::time::OffsetDateTime;
use http::StatusCode;
use serde_json::Value;

use super::{
    parameter::{Kind, Parameter},
    period::{Comparator, Period, moment},
    reference::Reference,
    text::{split, unescape},
};
use crate::{
    fhir::{outcome::Outcome, resource::Resource, types::is_resource_type},
    fold::fold,
};

/// A search parameter with a value. A resource matches if it matches one of the values between commas.
#[derive(Debug)]
pub(super) struct Criterion {
    parameter: Parameter,
    test: Test,
    origin: String,
}

#[derive(Debug, PartialEq)]
enum Test {
    /// `:missing`.
    Missing(bool),
    OneOf(Vec<Searched>),
    /// `:not`.
    NoneOf(Vec<Searched>),
}

/// A searched value.
#[derive(Debug, PartialEq)]
enum Searched {
    Token {
        system: System,
        /// `None` matches every code.
        code: Option<String>,
    },
    /// Folded.
    StartsWith(String),
    /// Folded.
    Contains(String),
    Equals(String),
    Date {
        comparator: Comparator,
        period: Period,
        now: i128,
    },
    Reference(Reference),
}

#[derive(Debug, PartialEq)]
enum System {
    Any,
    None,
    Is(String),
}

/// What follows the name of a parameter and a colon.
#[derive(Clone, Copy, PartialEq)]
enum Modifier<'a> {
    None,
    Missing,
    Not,
    Exact,
    Contains,
    Type(&'a str),
}

/// The context of a search.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) resource_type: &'a str,
    pub(super) origin: &'a str,
    /// The time from which `ap` calculates, or `None` if it is not supported.
    pub(super) now: Option<OffsetDateTime>,
}

impl Criterion {
    /// Parses a parameter (`fhir-server ExpressionParser.cs`, `SearchParameterExpressionParser.cs`).
    pub(super) fn parse(context: Context<'_>, name: &str, value: &str) -> Result<Self, Outcome> {
        if name.starts_with("_has:") || name.contains('.') {
            return Err(Outcome::unsupported("chained searches"));
        }
        let (base, modifier) = name.split_once(':').map_or((name, None), |(name, rest)| (name, Some(rest)));
        // The real service ignores an unknown parameter and returns what the search should exclude, unless the
        // request has `Prefer: handling=strict` (`fhir-server SearchOptionsFactory.cs`).
        let parameter = Parameter::find(context.resource_type, base).ok_or_else(|| {
            Outcome::unsupported(&format!("the search parameter `{base}` of {}", context.resource_type))
        })?;
        let modifier = Modifier::parse(&parameter, modifier)?;
        let test = Test::parse(context, &parameter, modifier, value)?;
        Ok(Self { parameter, test, origin: context.origin.to_owned() })
    }

    pub(super) fn matches(&self, resource: &Resource) -> bool {
        let values = self.parameter.values(resource.value());
        let one_of = |searched: &[Searched]| {
            searched.iter().any(|searched| match searched {
                // The text of the time has less precision than the time.
                Searched::Date { comparator, period, now } if self.parameter.name == "_lastUpdated" => {
                    comparator.matches(Period::at(resource.last_updated()), *period, *now)
                }
                searched => {
                    values.iter().any(|(value, target)| searched.matches(value, *target, &self.origin))
                }
            })
        };
        match &self.test {
            Test::Missing(missing) => values.is_empty() == *missing,
            Test::OneOf(searched) => one_of(searched),
            Test::NoneOf(searched) => !one_of(searched),
        }
    }
}

impl<'a> Modifier<'a> {
    fn parse(parameter: &Parameter, text: Option<&'a str>) -> Result<Self, Outcome> {
        let Some(text) = text else { return Ok(Self::None) };
        Ok(match (text, parameter.kind) {
            ("missing", _) => Self::Missing,
            ("not", Kind::Token | Kind::Code) => Self::Not,
            ("exact", Kind::Text) => Self::Exact,
            ("contains", Kind::Text) => Self::Contains,
            (name, Kind::Reference) if is_resource_type(name) => Self::Type(name),
            // Those that the real service supports.
            ("text" | "of-type", Kind::Token | Kind::Code) | ("above" | "below", Kind::Uri) => {
                let feature = format!("the modifier `:{text}` of the search parameter `{}`", parameter.name);
                return Err(Outcome::unsupported(&feature));
            }
            _ => return Err(invalid_modifier(parameter)),
        })
    }
}

fn invalid_modifier(parameter: &Parameter) -> Outcome {
    invalid_operation(format!("The search parameter `{}` does not support this modifier.", parameter.name))
}

/// 403, which is not about permissions (`fhir-server InvalidSearchOperationException.cs`,
/// `OperationOutcomeExceptionFilterAttribute.cs`).
pub(super) fn invalid_operation(diagnostics: impl Into<String>) -> Outcome {
    Outcome::new(StatusCode::FORBIDDEN, "invalid", diagnostics)
}

impl Test {
    fn parse(
        context: Context<'_>,
        parameter: &Parameter,
        modifier: Modifier<'_>,
        value: &str,
    ) -> Result<Self, Outcome> {
        if modifier == Modifier::Missing {
            return match value.to_ascii_lowercase().as_str() {
                "true" => Ok(Self::Missing(true)),
                "false" => Ok(Self::Missing(false)),
                _ => Err(invalid_operation("The value of `:missing` must be `true` or `false`.")),
            };
        }
        let parts = split(value, ',');
        let mut comparator = Comparator::Eq;
        let searched = if parameter.kind == Kind::Date {
            let (found, rest) = Comparator::split(value);
            comparator = found;
            match parts.as_slice() {
                [_] => vec![rest],
                _ if comparator != Comparator::Eq => {
                    return Err(invalid_operation("A list of dates must not have prefixes."));
                }
                // The real service reads the first date with its prefix, which is then an error.
                _ => parts,
            }
        } else {
            parts
        };
        let searched = searched
            .into_iter()
            .map(|part| Searched::parse(context, parameter, modifier, comparator, part))
            .collect::<Result<_, _>>()?;
        Ok(if modifier == Modifier::Not { Self::NoneOf(searched) } else { Self::OneOf(searched) })
    }
}

impl Searched {
    fn parse(
        context: Context<'_>,
        parameter: &Parameter,
        modifier: Modifier<'_>,
        comparator: Comparator,
        text: &str,
    ) -> Result<Self, Outcome> {
        let invalid = || Outcome::invalid(format!("The value of `{}` is invalid.", parameter.name));
        if text.trim().is_empty() {
            return Err(invalid());
        }
        Ok(match parameter.kind {
            Kind::Token | Kind::Code => {
                let parts = split(text, '|');
                if parameter.kind == Kind::Code && parts.len() > 1 {
                    let feature = format!("a system in the search parameter `{}`", parameter.name);
                    return Err(Outcome::unsupported(&feature));
                }
                let code = |code: &str| Some(unescape(code)).filter(|code| !code.trim().is_empty());
                // `fhir-server TokenSearchValue.cs`, `SearchValueExpressionBuilderHelper.cs`.
                match parts.as_slice() {
                    [only] => Self::Token { system: System::Any, code: code(only) },
                    ["", rest] => {
                        Self::Token { system: System::None, code: Some(code(rest).ok_or_else(invalid)?) }
                    }
                    [system, rest] => Self::Token { system: System::Is(unescape(system)), code: code(rest) },
                    _ => return Err(invalid()),
                }
            }
            Kind::Text => match modifier {
                Modifier::Exact => Self::Equals(unescape(text)),
                Modifier::Contains => Self::Contains(fold(&unescape(text))),
                _ => Self::StartsWith(fold(&unescape(text))),
            },
            Kind::Date => {
                let now = match (context.now, comparator) {
                    (Some(now), _) => moment(now),
                    (None, Comparator::Ap) => {
                        return Err(Outcome::unsupported("the prefix `ap` in this request"));
                    }
                    (None, _) => 0,
                };
                Self::Date { comparator, period: Period::parse(text).ok_or_else(invalid)?, now }
            }
            Kind::Reference => {
                let mut reference = Reference::parse(text, context.origin);
                match modifier {
                    Modifier::Type(name) if !reference.set_type(name) => {
                        return Err(invalid_modifier(parameter));
                    }
                    _ => Self::Reference(reference),
                }
            }
            Kind::Uri if text.contains('|') => {
                return Err(Outcome::unsupported(&format!(
                    "a version in the search parameter `{}`",
                    parameter.name
                )));
            }
            Kind::Uri => Self::Equals(text.to_owned()),
        })
    }

    /// Returns `true` if a value of a resource matches.
    fn matches(&self, value: &Value, target: Option<&str>, origin: &str) -> bool {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        match self {
            Self::Token { system, code } => tokens(value).iter().any(|(found_system, found_code)| {
                let system_matches = match system {
                    System::Any => true,
                    System::None => found_system.is_none(),
                    System::Is(system) => *found_system == Some(system.as_str()),
                };
                system_matches && code.as_ref().is_none_or(|code| found_code == code)
            }),
            Self::StartsWith(start) => texts(value).iter().any(|text| fold(text).starts_with(start.as_str())),
            Self::Contains(part) => texts(value).iter().any(|text| fold(text).contains(part.as_str())),
            Self::Equals(all) => texts(value).contains(&all.as_str()),
            Self::Date { comparator, period, now } => {
                let found = match value {
                    Value::String(text) => Period::parse(text),
                    Value::Object(_) => Period::between(text("start"), text("end")),
                    _ => None,
                };
                found.is_some_and(|found| comparator.matches(found, *period, *now))
            }
            Self::Reference(searched) => {
                let found = text("reference").and_then(|text| Reference::of_resource(text, origin));
                found.is_some_and(|found| {
                    let target_matches = target.is_none_or(|target| found.resource_type() == Some(target));
                    target_matches && searched.matches(&found)
                })
            }
        }
    }
}

/// Returns the systems and codes of a value: of the codings of a `CodeableConcept`, of a `Coding` or an `Identifier`, or
/// of a primitive value (`fhir-server Features/Search/Converters`).
fn tokens(value: &Value) -> Vec<(Option<&str>, &str)> {
    match value {
        Value::String(code) => vec![(None, code)],
        Value::Bool(value) => vec![(None, if *value { "true" } else { "false" })],
        Value::Object(fields) => match fields.get("coding") {
            Some(Value::Array(codings)) => codings.iter().flat_map(tokens).collect(),
            _ => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                let code = text("value").or_else(|| text("code")).unwrap_or_default();
                let system = text("system").filter(|system| !system.is_empty());
                if code.is_empty() && system.is_none() { Vec::new() } else { vec![(system, code)] }
            }
        },
        _ => Vec::new(),
    }
}

/// Returns the texts of a value: a string or the parts of a `HumanName` (`fhir-server
/// HumanNameToStringSearchValueConverter.cs`).
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Object(name) => {
            let parts =
                ["given", "family", "prefix", "suffix", "text"].into_iter().filter_map(|part| name.get(part));
            parts.flat_map(texts).collect()
        }
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
