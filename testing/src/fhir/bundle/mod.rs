//! `batch` and `transaction`.

mod entry;
mod transaction;

use std::{
    pin::pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::{Router, response::Response};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use self::entry::{Entry, Reply};
use super::{
    FhirService,
    call::Call,
    json::{Fields, Json},
    outcome::{self, Issue, Outcome, UnknownRoute},
    reply, router, write,
};
use crate::{
    context::{Caller, RequestId},
    fault::{Fault, RequestLine},
    service::FakeService,
    token::role,
};

/// The highest number of entries (`fhir-server BundleConfiguration.cs`).
const MAX_ENTRIES: usize = 500;

/// The order in which entries are processed (`fhir-server BundleHandler.cs`, R4).
const ORDER: [Method; 6] =
    [Method::DELETE, Method::POST, Method::PUT, Method::PATCH, Method::GET, Method::HEAD];

/// `POST /` (`fhir-server BundleHandler.cs`).
pub(super) fn bundle(call: &Call) -> Result<Response, Outcome> {
    let bundle = write::resource(call)?;
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
            ("batch-response", process(&call.service, call, &entries, |_, _| Ok(()))?)
        }
        Some("transaction") => {
            check_count()?;
            ("transaction-response", transaction::process(call, entries)?)
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

/// Sends the entries to the service and returns the replies in the order of the entries.
///
/// `check` sees each reply and can end the processing. After a 429, the remaining entries are not processed and get the
/// same reply. The real server retries the throttled request once before that.
fn process(
    service: &Arc<FhirService>,
    call: &Call,
    entries: &[Entry],
    check: impl Fn(&Entry, &Reply) -> Result<(), Outcome>,
) -> Result<Vec<Reply>, Outcome> {
    let empty = Outcome::framework(StatusCode::BAD_REQUEST, "invalid", "The entry has no valid request.");
    let mut replies = vec![Reply::of_outcome(&empty); entries.len()];
    let target = Target { service, call, router: router(service.clone()) };
    let mut throttled = None;
    for method in ORDER {
        let with_method = |(entry, _): &(&Entry, &mut Reply)| entry.method.as_ref() == Some(&method);
        for (entry, reply) in entries.iter().zip(&mut replies).filter(with_method) {
            *reply = match &throttled {
                Some(throttled) => Reply::clone(throttled),
                None => target.send(entry, &method),
            };
            check(entry, reply)?;
            if throttled.is_none() && reply.status == StatusCode::TOO_MANY_REQUESTS {
                throttled = Some(reply.clone());
            }
        }
    }
    Ok(replies)
}

/// The service that receives the requests of entries.
struct Target<'a> {
    service: &'a FhirService,
    /// The request that contains the bundle.
    call: &'a Call,
    router: Router,
}

impl Target<'_> {
    fn send(&self, entry: &Entry, method: &Method) -> Reply {
        let Some(mut request) = entry.request(method, &self.service.origin, &self.call.headers) else {
            return unknown_path(&entry.url);
        };
        let (path, target) = (request.uri().path().to_owned(), request.uri().to_string());
        let line = RequestLine { service: FakeService::Fhir, method, path: &path, in_bundle: true };
        let fault = self.service.faults.lock().unwrap_or_else(PoisonError::into_inner).take(&line);
        let error = fault.and_then(|fault| error_status(&fault)).or_else(|| {
            let is_allowed = role::allows(&self.call.roles, FakeService::Fhir, method, &target);
            (!is_allowed).then_some(StatusCode::FORBIDDEN)
        });
        request.extensions_mut().insert(RequestId(self.call.id.clone()));
        request.extensions_mut().insert(Caller { roles: self.call.roles.clone() });
        let exchange = async {
            let response = match error {
                Some(status) => outcome::error_response(status, &self.call.id),
                None => match self.router.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                },
            };
            let (head, body) = response.into_parts();
            (head, body.collect().await.map(|body| body.to_bytes()).unwrap_or_default())
        };
        match complete(exchange) {
            // As in the real server, a path that exists for other methods only is unknown here.
            Some((head, _)) if head.extensions.get::<UnknownRoute>().is_some() => unknown_path(&entry.url),
            Some((head, body)) => Reply::of(&head, &body),
            None => Reply::of_outcome(&Outcome::framework(
                StatusCode::INTERNAL_SERVER_ERROR,
                "exception",
                "The fake FHIR service did not complete this entry.",
            )),
        }
    }
}

/// Returns the result of a future that does not wait.
fn complete<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Returns the status that a fault causes, or `None` if it does not change the reply to an entry.
fn error_status(fault: &Fault) -> Option<StatusCode> {
    match fault {
        Fault::Throttled(_) => Some(StatusCode::TOO_MANY_REQUESTS),
        Fault::MissingRole => Some(StatusCode::FORBIDDEN),
        Fault::Status(status) => Some(*status),
        Fault::Delay(_) | Fault::TruncatedBody => None,
        _ => Some(StatusCode::UNAUTHORIZED),
    }
}

fn unknown_path(url: &str) -> Reply {
    let diagnostics = format!("The service has no path and method for the entry `{url}`.");
    Reply::of_outcome(&Outcome::framework(StatusCode::NOT_FOUND, "not-found", diagnostics))
}

/// The issues in the body of an error.
fn issues(reply: &Reply) -> Vec<Issue> {
    let outcome = reply.outcome.as_ref().map(Json::to_value).unwrap_or_default();
    let issues = outcome.get("issue").and_then(serde_json::Value::as_array);
    issues.into_iter().flatten().map(Issue::read).collect()
}
