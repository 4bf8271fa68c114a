//! [`Query`]: the parameters of a search (`dicom-server QueryParser.cs`).

use dicom_core::{DataDictionary, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use url::form_urlencoded;

use super::{
    attributes::{Level, level_of},
    filter::Filter,
};
use crate::dicom::{json, value::is_date};

/// The parameters of a search.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) filters: Vec<(Tag, Filter)>,
    pub(super) include: Include,
    pub(super) limit: usize,
    pub(super) offset: usize,
}

/// The attributes in a result in addition to the default ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Include {
    All,
    Attributes(Vec<Tag>),
}

/// Why a query is not valid.
type InvalidQuery = &'static str;

impl Query {
    /// Reads a query string for results from one level to another.
    pub(super) fn parse(query: &str, first: Level, last: Level) -> Result<Self, InvalidQuery> {
        let (mut limit, mut offset, mut is_fuzzy) = (100, 0, false);
        let (mut fields, mut conditions) = (Vec::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (name, value) = (name.trim(), value.trim());
            match name.to_ascii_lowercase().as_str() {
                "limit" => limit = number(value, 1, 200).ok_or("`limit` must be a number from 1 to 200.")?,
                "offset" => offset = number(value, 0, usize::MAX).ok_or("`offset` must be a number.")?,
                "fuzzymatching" => {
                    let value = value.to_ascii_lowercase();
                    is_fuzzy = value.parse().map_err(|_| "`fuzzymatching` must be `true` or `false`.")?;
                }
                "includefield" => fields.extend(value.split(',').map(|field| field.trim().to_owned())),
                _ => conditions.push((name.to_owned(), value.to_owned())),
            }
        }
        let mut filters: Vec<(Tag, Filter)> = Vec::new();
        for (name, value) in conditions {
            let tag = tag(&name).ok_or("The query has an unknown parameter.")?;
            if !level_of(tag).is_some_and(|level| first.to(last).any(|other| other == level)) {
                return Err("The query has an attribute that cannot be searched here.");
            }
            if filters.iter().any(|(other, _)| *other == tag) {
                return Err("The query has an attribute more than once.");
            }
            filters.push((tag, filter(tag, &value, is_fuzzy)?));
        }
        Ok(Self { filters, include: include(&fields)?, limit, offset })
    }
}

fn include(fields: &[String]) -> Result<Include, InvalidQuery> {
    if fields.iter().any(|field| field.eq_ignore_ascii_case("all")) {
        // The documentation allows other fields beside `all`. The source of the real server does not.
        return if fields.len() == 1 {
            Ok(Include::All)
        } else {
            Err("`all` must be the only field to include.")
        };
    }
    let tags = fields.iter().map(|field| tag(field)).collect::<Option<_>>();
    tags.map(Include::Attributes).ok_or("`includefield` has an unknown attribute.")
}

fn filter(tag: Tag, value: &str, is_fuzzy: bool) -> Result<Filter, InvalidQuery> {
    if value.is_empty() {
        return Err("The query has an attribute without a value.");
    }
    match vr(tag) {
        VR::DA => date_filter(value).ok_or("A date or a range of dates is not valid."),
        VR::PN if is_fuzzy => Ok(Filter::words(value)),
        VR::PN => Ok(Filter::name(value)),
        _ => Ok(Filter::text(value)),
    }
}

/// Reads a date, or a range of dates of which one can be missing.
fn date_filter(value: &str) -> Option<Filter> {
    let date = |text: &str| is_date(text).then(|| text.to_owned());
    let parts: Vec<_> = value.split('-').map(str::trim).collect();
    match parts[..] {
        [only] => date(only).map(|date| Filter::Dates { first: date.clone(), last: date }),
        [first, ""] => Some(Filter::Dates { first: date(first)?, last: "99991231".to_owned() }),
        ["", last] => Some(Filter::Dates { first: String::new(), last: date(last)? }),
        [first, last] if first <= last => Some(Filter::Dates { first: date(first)?, last: date(last)? }),
        _ => None,
    }
}

/// Returns the tag with a keyword, whose case matters, or with eight hexadecimal digits.
fn tag(name: &str) -> Option<Tag> {
    json::tag(name).or_else(|| StandardDataDictionary.by_name(name).map(|entry| entry.tag.inner()))
}

/// Returns the value representation of an attribute that searches can use.
fn vr(tag: Tag) -> VR {
    match tag {
        tags::STUDY_DATE | tags::PATIENT_BIRTH_DATE | tags::PERFORMED_PROCEDURE_STEP_START_DATE => VR::DA,
        tags::PATIENT_NAME | tags::REFERRING_PHYSICIAN_NAME => VR::PN,
        _ => VR::LO,
    }
}

fn number(text: &str, min: usize, max: usize) -> Option<usize> {
    text.parse().ok().filter(|number| (min..=max).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, InvalidQuery> {
        Query::parse(query, Level::Study, Level::Instance)
    }

    #[test]
    fn parameters_are_read_by_name_and_attributes_by_keyword_or_tag() {
        let query =
            parse("LIMIT=5&offset=7&IncludeField=00280010,Columns&includefield=Rows&00100020=a").unwrap();
        assert_eq!((query.limit, query.offset), (5, 7));
        assert_eq!(query.include, Include::Attributes(vec![tags::ROWS, tags::COLUMNS, tags::ROWS]));
        assert_eq!(query.filters[0].0, tags::PATIENT_ID);
        let query = parse("includefield=ALL").unwrap();
        assert_eq!(
            (query.limit, query.offset, query.include, query.filters.len()),
            (100, 0, Include::All, 0)
        );
    }

    #[test]
    fn invalid_queries_are_errors() {
        for query in [
            "limit=0",
            "limit=201",
            "limit=x",
            "offset=-1",
            "fuzzymatching=1",
            "includefield=all,Rows",
            "includefield=Unknown",
            "Unknown=1",
            "patientid=1",
            "Rows=1",
            "PatientID=",
            "PatientID=1&PatientID=2",
            "PatientID=1&00100020=1",
            "StudyDate=2024-01-31",
            "StudyDate=20240132",
            "StudyDate=-",
            "StudyDate=20240102-20240101",
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
    }

    #[test]
    fn level_decides_which_attributes_can_be_searched() {
        let is_valid = |query, first, last| Query::parse(query, first, last).is_ok();
        for (query, level) in [
            ("PatientID=1", Level::Study),
            ("Modality=CT", Level::Series),
            ("SOPInstanceUID=1", Level::Instance),
        ] {
            for only in [Level::Study, Level::Series, Level::Instance] {
                assert_eq!(is_valid(query, only, only), only == level, "{query}");
            }
            assert!(is_valid(query, Level::Study, Level::Instance));
        }
    }
}
