//! `batch` and `transaction`.

mod entry;
mod run;
mod transaction;

use axum::response::Response;
use http::StatusCode;

use self::{
    entry::{Entry, Reply},
    run::{Route, run},
};
use super::{
    call::Call,
    input,
    json::{Fields, Json},
    outcome::Outcome,
    reply,
};

/// The highest number of entries (`fhir-server BundleConfiguration.cs`).
const MAX_ENTRIES: usize = 500;

/// `POST /` (`fhir-server BundleHandler.cs`).
///
/// `route` creates the router that handles the entries.
pub(super) fn bundle(call: &Call, route: Route) -> Result<Response, Outcome> {
    let bundle = input::resource(call)?;
    if bundle.resource_type() != "Bundle" {
        return Err(Outcome::invalid("The body must be a Bundle."));
    }
    let entries = bundle.field("entry").and_then(Json::as_array).unwrap_or_default();
    let entries: Vec<_> = entries.iter().map(Entry::read).collect();
    let check_count = || match entries.len() {
        0..=MAX_ENTRIES => Ok(()),
        _ => Err(Outcome::invalid(format!("A bundle has at most {MAX_ENTRIES} entries."))),
    };
    let (kind, replies) = match bundle.field("type").and_then(Json::as_str).as_deref() {
        Some("batch") => {
            check_count()?;
            ("batch-response", run(&call.service, route, call, &entries, |_, _| Ok(()))?)
        }
        Some("transaction") => {
            check_count()?;
            ("transaction-response", transaction::process(call, route, entries)?)
        }
        // `fhir-server MethodNotAllowedException.cs`
        _ => {
            let diagnostics = "The type of the bundle must be `batch` or `transaction`.";
            return Err(Outcome::new(StatusCode::METHOD_NOT_ALLOWED, "forbidden", diagnostics));
        }
    };
    let mut response = Fields::default();
    response.set("resourceType", Json::string("Bundle"));
    response.set("type", Json::string(kind));
    if !replies.is_empty() {
        response.set("entry", Json::Array(replies.iter().map(Reply::json).collect()));
    }
    Ok(reply::json(StatusCode::OK, Json::Object(response).to_string()))
}
