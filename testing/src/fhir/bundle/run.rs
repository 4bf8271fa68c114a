//! [`run`]: sends the entries of a bundle to the service.

use std::{
    pin::pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::Router;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::{
    super::{
        call::Call,
        outcome::{self, Outcome, UnknownRoute},
        service::FhirService,
    },
    entry::{Entry, ORDER, Reply},
};
use crate::{
    context::{Caller, RequestId},
    fault::{Fault, RequestLine},
    service::FakeService,
    token::role,
};

/// Creates the router of a service.
pub(crate) type Route = fn(Arc<FhirService>) -> Router;

/// Sends the entries to the service and returns the replies in the order of the entries.
///
/// `check` sees each reply and can end the processing. After a 429, the remaining entries are not processed and get the
/// same reply. The real server retries the throttled request once before that.
pub(super) fn run(
    service: &Arc<FhirService>,
    route: Route,
    call: &Call,
    entries: &[Entry],
    check: impl Fn(&Entry, &Reply) -> Result<(), Outcome>,
) -> Result<Vec<Reply>, Outcome> {
    let empty = Outcome::framework(StatusCode::BAD_REQUEST, "invalid", "The entry has no valid request.");
    let mut replies = vec![Reply::of_outcome(&empty); entries.len()];
    let target = Target { service, call, router: route(service.clone()) };
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
