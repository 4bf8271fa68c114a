//! [`search`]: a search for Patients or Observations, one page at a time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::{self, Serializer};

use super::{
    ErrorResponse, FHIR_JSON, bad_request,
    store::{CHANGED, Collection},
};
use crate::{response::FakeResponse, seed::is_id};

const DEFAULT_COUNT: usize = 10;
const MAX_COUNT: usize = 1_000;

/// The parameters of a search, from both the query and the form.
#[derive(Default)]
struct Search {
    count: Option<usize>,
    from: usize,
    total: bool,
    /// The required subjects of an Observation: parameter name, parameter value, and the reference `Patient/{id}`.
    subjects: Vec<(String, String, String)>,
}

impl Search {
    fn parse(resource_type: &str, url: &Url, form: &[u8]) -> Result<Self, ErrorResponse> {
        let mut search = Self::default();
        for (name, value) in url.query_pairs().chain(form_urlencoded::parse(form)) {
            match &*name {
                "_count" => {
                    let count = value.parse().ok().filter(|count| *count > 0);
                    let count: usize =
                        count.ok_or(bad_request("invalid", "`_count` must be a number of at least 1."))?;
                    search.count = Some(count.min(MAX_COUNT));
                }
                "ct" => {
                    search.from = position(&value)
                        .ok_or(bad_request("invalid", "The continuation token is invalid."))?
                }
                "_total" => search.total = total(&value)?,
                "patient" | "subject" if resource_type == "Observation" => {
                    search.subjects.push((name.to_string(), value.to_string(), reference(&name, &value)?));
                }
                _ => {
                    return Err(bad_request(
                        "not-supported",
                        "The fake server supports `_count` and `_total`, and for Observations also `patient` and \
                         `subject`.",
                    ));
                }
            }
        }
        Ok(search)
    }

    /// Returns the URL of the page that starts at `from`.
    fn link(&self, base: &str, from: usize) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.subjects.iter().map(|(name, value, _)| (name, value)));
        if let Some(count) = self.count {
            query.append_pair("_count", &count.to_string());
        }
        if self.total {
            query.append_pair("_total", "accurate");
        }
        if from > 0 {
            query.append_pair("ct", &URL_SAFE_NO_PAD.encode(format!("from:{from}")));
        }
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{base}{separator}{query}")
    }
}

/// Returns the reference that a parameter selects.
///
/// `patient` may omit the resource type, `subject` may not (FHIR R4, search, reference parameters).
fn reference(name: &str, value: &str) -> Result<String, ErrorResponse> {
    let id = value.strip_prefix("Patient/").or((name == "patient").then_some(value));
    match id.filter(|id| is_id(id)) {
        Some(id) => Ok(format!("Patient/{id}")),
        None => Err(bad_request(
            "not-supported",
            "The fake server supports one Patient, written as `Patient/{id}`.",
        )),
    }
}

/// Decodes a continuation token.
fn position(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("from:")?.parse().ok()
}

/// Returns `true` if the total is requested.
fn total(value: &str) -> Result<bool, ErrorResponse> {
    match value {
        "accurate" => Ok(true),
        "none" => Ok(false),
        // The service returns 403 here, which has nothing to do with roles. Clients have to read the issue code.
        "estimate" => {
            Err((StatusCode::FORBIDDEN, "not-supported", "An estimated `_total` is not supported."))
        }
        _ => Err(bad_request("invalid", "`_total` must be `accurate` or `none`.")),
    }
}

/// Returns the page of results that the query of `url` and the form select.
pub(crate) fn search(
    collection: &Collection,
    origin: &str,
    url: &Url,
    form: &[u8],
) -> Result<FakeResponse, ErrorResponse> {
    let search = Search::parse(collection.resource_type, url, form)?;
    let count = search.count.unwrap_or(DEFAULT_COUNT);
    let end = search.from.saturating_add(count);
    let base = format!("{origin}/{}", collection.resource_type);
    let entry = |resource: &Value| {
        let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
        json!({"fullUrl": format!("{base}/{id}"), "resource": resource, "search": {"mode": "match"}})
    };
    let matches = |resource: &&Value| {
        let subject = resource.pointer("/subject/reference").and_then(Value::as_str).unwrap_or_default();
        let subject = subject.strip_prefix(origin).map_or(subject, |path| path.trim_start_matches('/'));
        search.subjects.iter().all(|(_, _, reference)| reference == subject)
    };
    let found: Vec<_> = collection.resources.iter().filter(matches).collect();
    let page: Vec<_> = found.iter().skip(search.from).take(count).map(|resource| entry(resource)).collect();
    let mut links = vec![json!({"relation": "self", "url": search.link(&base, search.from)})];
    if end < found.len() {
        links.insert(0, json!({"relation": "next", "url": search.link(&base, end)}));
    }
    let mut bundle = json!({
        "resourceType": "Bundle",
        "meta": {"lastUpdated": CHANGED},
        "type": "searchset",
        "link": links,
    });
    if let Some(bundle) = bundle.as_object_mut() {
        if search.total {
            bundle.insert("total".to_owned(), json!(found.len()));
        }
        // FHIR does not allow empty arrays, so a page without a match has no `entry`.
        if !page.is_empty() {
            bundle.insert("entry".to_owned(), json!(page));
        }
    }
    Ok(FakeResponse::json(StatusCode::OK, FHIR_JSON, &bundle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fhir::store::patient, response::request};

    fn find(count: usize, line: &str, body: &str) -> Result<Value, (u16, &'static str)> {
        find_in(
            &Collection { resource_type: "Patient", resources: (0..count).map(patient).collect() },
            line,
            body,
        )
    }

    fn find_in(collection: &Collection, line: &str, body: &str) -> Result<Value, (u16, &'static str)> {
        let request = request(line, body);
        match search(collection, "http://here", &request.url, &request.body) {
            Ok(response) => Ok(response.value()),
            Err((status, code, _)) => Err((status.as_u16(), code)),
        }
    }

    fn link<'a>(bundle: &'a Value, relation: &str) -> Option<&'a str> {
        let links = bundle["link"].as_array().unwrap();
        links.iter().find(|link| link["relation"] == relation)?["url"].as_str()
    }

    fn ids(bundle: &Value) -> Vec<String> {
        let entries = bundle.get("entry").and_then(Value::as_array).cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Follows all `next` links and returns the size of each page and the ids on them.
    fn all_pages(count: usize, query: &str) -> (Vec<usize>, Vec<String>) {
        let (mut line, mut sizes, mut all) = (format!("GET /Patient{query}"), Vec::new(), Vec::new());
        loop {
            let bundle = find(count, &line, "").unwrap();
            let page = ids(&bundle);
            sizes.push(page.len());
            all.extend(page);
            match link(&bundle, "next") {
                Some(next) => line = format!("GET {}", next.strip_prefix("http://here").unwrap()),
                None => return (sizes, all),
            }
        }
    }

    #[test]
    fn pages_contain_every_patient_once() {
        for (count, query, pages) in [
            (25, "", &[10, 10, 5][..]),
            (20, "", &[10, 10]),
            (3, "?_count=3", &[3]),
            (3, "?_count=2", &[2, 1]),
            (0, "", &[0]),
            (1_001, "?_count=5000", &[1_000, 1]),
        ] {
            let (sizes, mut found) = all_pages(count, query);
            assert_eq!(sizes, pages, "{count} {query}");
            found.sort();
            found.dedup();
            assert_eq!(found.len(), count);
        }
    }

    #[test]
    fn form_and_query_parameters_are_equivalent() {
        let by_query = find(9, "GET /Patient?_count=4&_total=accurate", "");
        let by_form = find(9, "POST /Patient/_search", "_count=4&_total=accurate");
        assert_eq!(find(9, "GET /Patient?_count=4&_total=none", "").unwrap().get("total"), None);
        let by_both = find(9, "POST /Patient/_search?_count=4", "_total=accurate");
        assert!(by_query == by_form && by_query == by_both);
        let bundle = by_query.unwrap();
        assert_eq!((bundle["total"].as_u64(), ids(&bundle).len()), (Some(9), 4));
        assert_eq!(link(&bundle, "self"), Some("http://here/Patient?_count=4&_total=accurate"));
        assert_eq!(link(&bundle, "next"), Some("http://here/Patient?_count=4&_total=accurate&ct=ZnJvbTo0"));
    }

    #[test]
    fn entries_have_a_full_url_and_empty_pages_have_no_entry() {
        let bundle = find(1, "GET /Patient", "").unwrap();
        assert_eq!(bundle["entry"][0]["fullUrl"], "http://here/Patient/example-0001");
        assert_eq!(bundle["entry"][0]["search"]["mode"], "match");
        assert_eq!((bundle["type"].as_str(), bundle.get("total")), (Some("searchset"), None));
        assert_eq!(find(0, "GET /Patient", "").unwrap().get("entry"), None);
    }

    #[test]
    fn invalid_and_unsupported_parameters_are_errors() {
        for (query, expected) in [
            ("_count=0", (400, "invalid")),
            ("_count=-1", (400, "invalid")),
            ("_count=ten", (400, "invalid")),
            ("ct=x", (400, "invalid")),
            ("ct=", (400, "invalid")),
            ("_total=all", (400, "invalid")),
            ("_total=estimate", (403, "not-supported")),
            ("name=Example", (400, "not-supported")),
            ("patient=example-0001", (400, "not-supported")),
        ] {
            assert_eq!(find(1, &format!("GET /Patient?{query}"), ""), Err(expected), "{query}");
            assert_eq!(find(1, "POST /Patient/_search", query), Err(expected), "{query}");
        }
    }

    #[test]
    fn observations_are_found_by_subject() {
        let observation = |id: usize, reference: &str| json!({"id": format!("o-{id}"), "subject": {"reference": reference}});
        let mut resources: Vec<_> = (1..=3).map(|id| observation(id, "Patient/a")).collect();
        resources.extend([
            observation(4, "http://here/Patient/b"),
            observation(5, "Group/a"),
            json!({"id": "o-6"}),
        ]);
        let collection = Collection { resource_type: "Observation", resources };
        for (query, expected) in [
            ("", &["o-1", "o-2", "o-3", "o-4", "o-5", "o-6"][..]),
            ("patient=a", &["o-1", "o-2", "o-3"]),
            ("patient=Patient/a&_count=2", &["o-1", "o-2"]),
            ("subject=Patient/b", &["o-4"]),
            ("patient=a&subject=Patient/b", &[]),
            ("patient=c", &[]),
        ] {
            let by_query = find_in(&collection, &format!("GET /Observation?{query}"), "").unwrap();
            assert_eq!(ids(&by_query), expected, "{query}");
            assert_eq!(find_in(&collection, "POST /Observation/_search", query), Ok(by_query));
        }
        let first = find_in(&collection, "GET /Observation?patient=a&_count=2", "").unwrap();
        let next = link(&first, "next").unwrap().strip_prefix("http://here").unwrap();
        assert_eq!(ids(&find_in(&collection, &format!("GET {next}"), "").unwrap()), ["o-3"]);
        for query in ["subject=a", "patient=a,b", "patient=", "subject=Group/a", "patient:exact=a", "code=1"]
        {
            let result = find_in(&collection, &format!("GET /Observation?{query}"), "");
            assert_eq!(result, Err((400, "not-supported")), "{query}");
        }
    }
}
