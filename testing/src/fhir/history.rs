//! The history of a resource, of a type and of the whole service.

use axum::response::Response;
use azure_core::time::OffsetDateTime;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, StatusCode};
use url::form_urlencoded::Serializer;

use super::{
    call::Call,
    instant::{instant, partial_instant},
    json::{Fields, Json},
    outcome::Outcome,
    reply,
    resource::Resource,
};

/// The number of entries on a page, and the highest that a request can ask for (`fhir-server
/// CoreFeatureConfiguration.cs`).
const DEFAULT_COUNT: usize = 10;
const MAX_COUNT: usize = 1_000;

/// `GET /{type}/{id}/_history`, `GET /{type}/_history` and `GET /_history` (`fhir-server SearchService.cs`).
pub(super) fn history(call: &Call) -> Result<Response, Outcome> {
    let parameters = Parameters::of(call)?;
    let store = call.service.store();
    let (resource_type, id) = (call.resource_type(), call.resource_id());
    let mut versions: Vec<_> = if id.is_empty() {
        store.history(Some(resource_type).filter(|name| !name.is_empty())).collect()
    } else {
        store.versions(resource_type, id).iter().collect()
    };
    if versions.is_empty() && !id.is_empty() {
        return Err(Outcome::not_found("There is no resource with this id."));
    }
    versions.retain(|resource| parameters.include(resource));
    versions.sort_by_key(|resource| resource.sequence());
    if !parameters.ascending {
        versions.reverse();
    }
    let total = versions.len();
    let start = parameters.after.map_or(0, |after| {
        let is_after = |resource: &&Resource| match parameters.ascending {
            true => resource.sequence() > after,
            false => resource.sequence() < after,
        };
        versions.iter().position(is_after).unwrap_or(total)
    });
    let rest = versions.get(start..).unwrap_or_default();
    let page = rest.get(..parameters.count).unwrap_or(rest);
    let next = page.last().filter(|_| page.len() < rest.len() && !parameters.only_total);
    let bundle = Bundle {
        call,
        entries: if parameters.only_total { &[] } else { page },
        total: parameters.only_total.then_some(total),
        next: next.map(|last| STANDARD.encode(format!("{{\"sequence\":{}}}", last.sequence()))),
    };
    Ok(reply::json(StatusCode::OK, bundle.json().to_string()))
}

/// The parameters of a history.
#[derive(Default)]
struct Parameters {
    count: usize,
    only_total: bool,
    ascending: bool,
    since: Option<OffsetDateTime>,
    before: Option<OffsetDateTime>,
    /// The sequence of the last entry on the page before.
    after: Option<u64>,
}

impl Parameters {
    fn of(call: &Call) -> Result<Self, Outcome> {
        let mut parameters = Self { count: DEFAULT_COUNT, ..Self::default() };
        for (name, value) in call.parameters() {
            let invalid = || Outcome::invalid(format!("The value of `{name}` is invalid."));
            // The real server reports these with 403 (`fhir-server InvalidSearchOperationException.cs`).
            let forbidden = |diagnostics: &str| Outcome::new(StatusCode::FORBIDDEN, "invalid", diagnostics);
            let time = || partial_instant(&value).ok_or_else(invalid);
            match name.as_str() {
                "_count" => {
                    let count: i32 = value.parse().map_err(|_| invalid())?;
                    match usize::try_from(count) {
                        Ok(0) => parameters.only_total = true,
                        Ok(count) => parameters.count = count.min(MAX_COUNT),
                        Err(_) => {}
                    }
                }
                "_summary" if value.eq_ignore_ascii_case("count") => parameters.only_total = true,
                "_summary" if value.eq_ignore_ascii_case("false") => {}
                "_since" => parameters.since = Some(time()?),
                "_before" => {
                    let before = time()?;
                    if before > call.now() {
                        return Err(forbidden("The time in `_before` is in the future."));
                    }
                    parameters.before = Some(before);
                }
                "_sort" => match value.as_str() {
                    "_lastUpdated" => parameters.ascending = true,
                    "-_lastUpdated" => parameters.ascending = false,
                    _ => return Err(forbidden("A history can be sorted by `_lastUpdated` only.")),
                },
                "ct" => {
                    let token = STANDARD
                        .decode(value.as_bytes())
                        .ok()
                        .and_then(|token| String::from_utf8(token).ok());
                    let sequence = token.as_deref().and_then(|token| {
                        token.strip_prefix("{\"sequence\":")?.strip_suffix('}')?.parse().ok()
                    });
                    parameters.after =
                        Some(sequence.ok_or_else(|| Outcome::invalid("The page link is invalid."))?);
                }
                "_format" | "_pretty" => {}
                _ => return Err(Outcome::unsupported(&format!("the parameter `{name}` of a history"))),
            }
        }
        Ok(parameters)
    }

    fn include(&self, resource: &Resource) -> bool {
        self.since.is_none_or(|since| resource.last_updated() >= since)
            && self.before.is_none_or(|before| resource.last_updated() < before)
    }
}

/// A page of a history (`fhir-server BundleFactory.cs`, `BundleSerializer.cs`).
struct Bundle<'a> {
    call: &'a Call,
    entries: &'a [&'a Resource],
    total: Option<usize>,
    /// The continuation token of the next page.
    next: Option<String>,
}

impl Bundle<'_> {
    fn json(&self) -> Json {
        let link = |relation: &str, url: &str| {
            object([("relation", Json::string(relation)), ("url", Json::string(url))])
        };
        let mut links = vec![link("self", &self.url(None))];
        if self.next.is_some() {
            links.insert(0, link("next", &self.url(self.next.as_deref())));
        }
        let mut fields = vec![
            ("resourceType", Json::string("Bundle")),
            ("id", Json::string(&self.call.id)),
            ("meta", object([("lastUpdated", Json::string(&instant(self.call.now())))])),
            ("type", Json::string("history")),
            ("link", Json::Array(links)),
        ];
        if let Some(total) = self.total {
            fields.push(("total", Json::Scalar(total.to_string().into())));
        }
        if !self.entries.is_empty() {
            fields.push(("entry", Json::Array(self.entries.iter().map(|entry| self.entry(entry)).collect())));
        }
        object(fields)
    }

    /// Returns the URL of this page, or of the one with a continuation token.
    fn url(&self, token: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.call.parameters().iter().filter(|(name, _)| token.is_none() || name != "ct"));
        query.extend_pairs(token.map(|token| ("ct", token)));
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{}{separator}{query}", self.call.service.origin, self.call.path)
    }

    fn entry(&self, resource: &Resource) -> Json {
        let (resource_type, id) = (resource.resource_type(), resource.id());
        let (url, status) = match *resource.method() {
            Method::POST => (format!("{resource_type}/"), "201 Created"),
            Method::PUT if resource.version() == 1 => (format!("{resource_type}/{id}"), "201 Created"),
            Method::DELETE => (format!("{resource_type}/{id}"), "204 NoContent"),
            _ => (format!("{resource_type}/{id}"), "200 OK"),
        };
        let full_url = format!("{}/{resource_type}/{id}", self.call.service.origin);
        object([
            ("fullUrl", Json::string(&full_url)),
            ("resource", Json::parse(resource.text()).unwrap_or_else(|_| Json::Object(Fields::default()))),
            (
                "request",
                object([("method", Json::string(resource.method().as_str())), ("url", Json::string(&url))]),
            ),
            (
                "response",
                object([
                    ("status", Json::string(status)),
                    ("etag", Json::string(&resource.etag())),
                    ("lastModified", Json::string(&instant(resource.last_updated()))),
                ]),
            ),
        ])
    }
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
