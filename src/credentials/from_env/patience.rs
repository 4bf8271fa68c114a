//! How long Entra is waited for, and what is said where it gave no token.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, ClientOptions, Context, ExponentialRetryOptions, Request, RetryOptions, StatusCode,
        Transport,
        headers::{CONTENT_TYPE, Headers},
        policies::{Policy, PolicyResult},
    },
    time::Duration as CoreDuration,
};

use crate::error::{chain::error_chain as causes, transient::is_transient_status as is_busy};

/// For one token, with all that is tried again: well below the time that a request waits for a credential.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The options of a credential that asks by HTTP. It tries 5 times within some 6 s, but at 169.254.169.254 as often as
/// `azure_identity` thinks best, for more than a minute: that only [`PATIENCE`] ends.
pub(super) fn options(transport: Option<Transport>) -> ClientOptions {
    ClientOptions {
        per_call_policies: vec![Arc::new(EachCall)],
        per_try_policies: vec![Arc::new(EachTry)],
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            initial_delay: CoreDuration::milliseconds(200),
            max_retries: 4,
            max_total_elapsed: CoreDuration::seconds(10),
            max_delay: CoreDuration::seconds(4),
        }),
        transport,
        ..ClientOptions::default()
    }
}

/// How the last try of a call ended: what is told of it, and the status of one that is there and busy. The policies share
/// it by the call's context.
struct LastTry(Mutex<(String, Option<StatusCode>)>);

impl LastTry {
    fn note(ctx: &Context<'_>, outcome: String, busy: Option<StatusCode>) {
        if let Some(last) = ctx.value::<Self>() {
            *last.0.lock().unwrap_or_else(PoisonError::into_inner) = (outcome, busy);
        }
    }

    fn of(ctx: &Context<'_>) -> (String, Option<StatusCode>) {
        let last =
            ctx.value::<Self>().map(|last| last.0.lock().unwrap_or_else(PoisonError::into_inner).clone());
        last.unwrap_or_default()
    }
}

/// Ends a call in time, and says in one sentence why it failed: `azure_core` tells that it gave up, and
/// `azure_identity` that what came is no JSON.
#[derive(Debug)]
struct EachCall;

// As the trait is written.
#[allow(elided_lifetimes_in_paths)]
#[async_trait]
impl Policy for EachCall {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let ctx = ctx.clone().with_value(LastTry(Mutex::new(("no answer".to_owned(), None))));
        match tokio::time::timeout(PATIENCE, pass_on(&ctx, request, next)).await {
            Ok(Ok(response)) => judged(response, &host),
            Ok(Err(error)) => Err(named(error, &host)),
            Err(_) => {
                let (last, busy) = LastTry::of(&ctx);
                let message = format!("{host} gave no token within {} s: {last}", PATIENCE.as_secs());
                Err(match busy {
                    // A chain does not go on from what is there.
                    Some(status) => http(status, message),
                    None => Error::with_message(ErrorKind::Io, message),
                })
            }
        }
    }
}

/// Sees each answer, and sends nothing again that would fail in the same way.
#[derive(Debug)]
struct EachTry;

// As the trait is written.
#[allow(elided_lifetimes_in_paths)]
#[async_trait]
impl Policy for EachTry {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let outcome = pass_on(ctx, request, next).await;
        match &outcome {
            Ok(response) => {
                let status = response.status();
                let outcome = format!("it answered {}", u16::from(status));
                LastTry::note(ctx, outcome, is_busy(u16::from(status)).then_some(status));
            }
            Err(error) => {
                let cause = innermost(error);
                if cause.contains("certificate") {
                    // An error of another kind than a connection's is not tried again.
                    return Err(Error::with_message(ErrorKind::Other, cause));
                }
                LastTry::note(ctx, cause, None);
            }
        }
        outcome
    }
}

async fn pass_on(ctx: &Context<'_>, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
    match next.split_first() {
        Some((first, rest)) => first.send(ctx, request, rest).await,
        None => Err(Error::with_message(ErrorKind::Other, "there is nothing to send by")),
    }
}

/// The answer, unless no token can be in it and no word of Entra.
fn judged(response: AsyncRawResponse, host: &str) -> PolicyResult {
    let status = response.status();
    let code = u16::from(status);
    let message = if is_busy(code) {
        format!("{host} answered {code}")
    } else if is_page(response.headers()) {
        format!("{host} answered {code} with a page for people: is there a proxy in between?")
    } else {
        return Ok(response);
    };
    Err(http(status, message))
}

/// Whether an answer is for people. Neither Entra nor a machine gives such a one.
pub(super) fn is_page(headers: &Headers) -> bool {
    headers.get_optional_str(&CONTENT_TYPE).is_some_and(|kind| kind.contains("html"))
}

fn http(status: StatusCode, message: String) -> Error {
    // The answer itself is not kept: nobody could tell what is in it.
    let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
    Error::with_message(kind, message)
}

fn innermost(error: &Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error of the last try, with its cause in words.
fn named(error: Error, host: &str) -> Error {
    // `azure_core` has put one of its own around it.
    let error = error.into_downcast::<Error>().unwrap_or_else(|error| error);
    let (kind, cause) = (error.kind().clone(), innermost(&error));
    Error::with_error(kind, error, format!("{host} cannot be asked: {cause}"))
}
