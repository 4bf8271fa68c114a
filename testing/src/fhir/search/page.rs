//! [`Page`]: a page of search results, and the continuation token that leads to the next one.

use std::str;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::query::Query;
use crate::fhir::{call::Call, instant::instant, resource::Resource};

/// The highest number of resources in a page (`fhir-server CoreFeatureConfiguration.cs`).
pub(super) const MAX_COUNT: usize = 1_000;

/// A page of search results.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub(super) resources: Vec<&'a Resource>,
    pub(super) total: Option<usize>,
    /// The position of the last resource, if there are more.
    pub(super) next: Option<Position>,
    /// The `_count` of the request if it exceeds the limit.
    pub(super) excessive_count: Option<i64>,
}

/// The position of the last change of a resource among all changes.
///
/// The next page starts after the last resource of this page, so that changes between two requests skip no resource
/// and repeat only those that changed (`fhir-server ContinuationToken.cs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(u64);

impl Position {
    /// The start of each token. The tokens of the real service are compressed, so that their Base64 usually contains `+`,
    /// `/` and `=` (`fhir-server ContinuationTokenEncoder.cs`). Those of the fake always do.
    const START: [u8; 3] = [0xfb, 0xef, 0xff];

    pub(super) fn of(resource: &Resource) -> Self {
        Self(resource.sequence())
    }

    /// Reads a continuation token in standard Base64.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let bytes = STANDARD.decode(token).ok()?;
        let digits = str::from_utf8(bytes.strip_prefix(&Self::START)?).ok()?;
        digits.strip_prefix("v2|")?.parse().ok().map(Self)
    }

    pub(super) fn token(self) -> String {
        let mut bytes = Self::START.to_vec();
        // With this number of digits, the Base64 has padding.
        bytes.extend(format!("v2|{:020}", self.0).into_bytes());
        STANDARD.encode(bytes)
    }
}

impl Page<'_> {
    /// Returns the bundle with the fields in the order of the real service (`fhir-server BundleFactory.cs`,
    /// `BundleSerializer.cs`).
    pub(super) fn bundle(&self, call: &Call, query: &Query) -> String {
        let origin = &call.service.origin;
        // The links of a posted search are those of a search with a query.
        let path = format!("{origin}/{}", call.resource_type());
        let next = self.next.map(|next| ("next", query.next(next.token()).url(&path)));
        let links: Vec<_> = next
            .into_iter()
            .chain([("self", query.url(&path))])
            .map(|(relation, url)| format!(r#"{{"relation":"{relation}","url":{}}}"#, Value::from(url)))
            .collect();
        let total = self.total.map(|total| format!(r#","total":{total}"#)).unwrap_or_default();
        let matches = self.resources.iter().map(|resource| {
            let url = format!("{origin}/{}/{}", resource.resource_type(), resource.id());
            let resource = resource.text();
            format!(r#"{{"fullUrl":"{url}","resource":{resource},"search":{{"mode":"match"}}}}"#)
        });
        let entries: Vec<_> = self.outcome(&call.id).into_iter().chain(matches).collect();
        // FHIR does not allow empty arrays.
        let entries =
            if entries.is_empty() { String::new() } else { format!(r#","entry":[{}]"#, entries.join(",")) };
        format!(
            r#"{{"resourceType":"Bundle","id":"{}","meta":{{"lastUpdated":"{}"}},"type":"searchset","link":[{}]{total}{entries}}}"#,
            call.id,
            instant(call.now()),
            links.join(","),
        )
    }

    /// Returns the entry that reports the limit of `_count` (`fhir-server SearchOptionsFactory.cs`).
    fn outcome(&self, id: &str) -> Option<String> {
        let count = self.excessive_count?;
        let diagnostics =
            format!("The service returns at most {MAX_COUNT} resources in a page, not {count}.");
        let issue = json!({"severity": "information", "code": "informational", "diagnostics": diagnostics});
        let outcome = json!({"resourceType": "OperationOutcome", "id": id, "issue": [issue]});
        Some(json!({"resource": outcome, "search": {"mode": "outcome"}}).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_token_is_standard_base64_with_all_special_characters() {
        for position in [0, 7, u64::MAX].map(Position) {
            let token = position.token();
            assert!(['+', '/', '='].iter().all(|&c| token.contains(c)), "{token}");
            assert_eq!(Position::parse(&token), Some(position));
        }
    }

    #[test]
    fn invalid_continuation_tokens_are_rejected() {
        let token = Position(7).token();
        for invalid in [
            "",
            "!",
            "AAAA",
            // A plus sign that was not percent-encoded is a space.
            &token.replace('+', " "),
            &token.replace('+', "-").replace('/', "_"),
            token.trim_end_matches('='),
            &STANDARD.encode("v2|7"),
        ] {
            assert_eq!(Position::parse(invalid), None, "{invalid}");
        }
    }
}
