//! Searches studies, series and instances: QIDO-RS (`dicom-server QueryController.cs`).

mod attributes;
mod filter;
mod query;

use std::collections::{BTreeSet, HashMap};

use axum::response::{IntoResponse, Response};
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use http::StatusCode;
use serde_json::{Value, json};

use self::{
    attributes::Level,
    query::{Include, Query},
};
use super::{
    accept,
    call::Call,
    json::{self, DataSet},
    reply,
    store::Stored,
};

/// Returns `true` if searches at any level can use an attribute.
pub(super) fn is_searchable(tag: Tag) -> bool {
    attributes::level_of(tag).is_some()
}

pub(super) async fn studies(call: Call) -> Response {
    search(&call, Level::Study)
}

pub(super) async fn series(call: Call) -> Response {
    search(&call, Level::Series)
}

pub(super) async fn instances(call: Call) -> Response {
    search(&call, Level::Instance)
}

fn search(call: &Call, level: Level) -> Response {
    if !accept::accepts_json(&call.headers) {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let first = Level::below(call.uids.len());
    let query = match Query::parse(&call.query, first, level) {
        Ok(query) => query,
        Err(reason) => return reply::text(StatusCode::BAD_REQUEST, reason),
    };
    let returned = returned_attributes(&query, call, first, level);
    let store = call.service.store();
    let instances: Vec<_> = store.find(&call.partition, &call.uids).collect();
    let index = Index::new(&instances);
    let results: Vec<_> = index
        .newest_first(&instances, level)
        .filter(|stored| {
            query.filters.iter().all(|(tag, filter)| {
                index.values(stored, level, *tag).iter().any(|value| filter.matches(value))
            })
        })
        .skip(query.offset)
        .take(query.limit)
        .map(|stored| index.result(stored, level, &returned))
        .collect();
    if results.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    reply::dicom_json(StatusCode::OK, &results)
}

/// Returns the default attributes, those that the query includes or searches, and the UIDs in the path.
fn returned_attributes(query: &Query, call: &Call, first: Level, last: Level) -> BTreeSet<Tag> {
    let mut returned = BTreeSet::new();
    for level in first.to(last) {
        match &query.include {
            Include::All => returned.extend(level.all_attributes()),
            Include::Attributes(_) => returned.extend(level.default_attributes(call.version)),
        }
    }
    if let Include::Attributes(tags) = &query.include {
        returned.extend(tags);
    }
    returned.extend(query.filters.iter().map(|(tag, _)| *tag));
    returned.extend([tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID].iter().take(call.uids.len()));
    returned
}

/// The instances of each study and series.
struct Index<'a>(HashMap<&'a [String], Vec<&'a Stored>>);

impl<'a> Index<'a> {
    fn new(instances: &[&'a Stored]) -> Self {
        let mut groups: HashMap<_, Vec<_>> = HashMap::new();
        for stored in instances {
            for level in Level::Study.to(Level::Instance) {
                groups.entry(key(stored, level)).or_default().push(*stored);
            }
        }
        Self(groups)
    }

    /// Returns the newest instance of each study, series or instance, of which the one created last is the first.
    fn newest_first<'b>(
        &'b self,
        instances: &'b [&'a Stored],
        level: Level,
    ) -> impl Iterator<Item = &'a Stored> {
        let is_first = move |stored: &&&'a Stored| {
            let group = self.group(stored, level);
            group.first().is_some_and(|first| first.instance.uids == stored.instance.uids)
        };
        instances.iter().rev().filter(is_first).map(move |stored| self.newest(stored, level))
    }

    fn group(&self, stored: &'a Stored, level: Level) -> &[&'a Stored] {
        self.0.get(key(stored, level)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the instance with the latest values of a study or a series.
    fn newest(&self, stored: &'a Stored, level: Level) -> &'a Stored {
        self.group(stored, level).iter().max_by_key(|stored| stored.version).copied().unwrap_or(stored)
    }

    /// Returns the values of an attribute as text.
    fn values(&self, stored: &'a Stored, level: Level, tag: Tag) -> Vec<String> {
        if tag == tags::MODALITIES_IN_STUDY {
            return self.modalities(stored).into_iter().collect();
        }
        let source = self.newest(stored, level.source_of(tag));
        json::text(&source.instance.metadata, tag).into_iter().collect()
    }

    fn modalities(&self, stored: &'a Stored) -> BTreeSet<String> {
        let study = self.group(stored, Level::Study).iter();
        study.filter_map(|stored| json::text(&stored.instance.metadata, tags::MODALITY)).collect()
    }

    fn result(&self, stored: &'a Stored, level: Level, returned: &BTreeSet<Tag>) -> DataSet {
        let count = |level| json!({"vr": "IS", "Value": [self.group(stored, level).len()]});
        let attribute = |tag: Tag| -> Option<Value> {
            match tag {
                tags::MODALITIES_IN_STUDY => Some(json!({"vr": "CS", "Value": self.modalities(stored)})),
                tags::NUMBER_OF_STUDY_RELATED_INSTANCES => Some(count(Level::Study)),
                tags::NUMBER_OF_SERIES_RELATED_INSTANCES => Some(count(Level::Series)),
                _ => {
                    let source = self.newest(stored, level.source_of(tag));
                    source.instance.metadata.get(&json::key(tag)).cloned()
                }
            }
        };
        returned.iter().filter_map(|tag| Some((json::key(*tag), attribute(*tag)?))).collect()
    }
}

/// Returns the UIDs that identify the study, the series or the instance.
fn key(stored: &Stored, level: Level) -> &[String] {
    stored.instance.uids.get(..level.uid_count()).unwrap_or_default()
}
