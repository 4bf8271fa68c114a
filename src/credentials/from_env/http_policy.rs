//! HTTP pipeline policies for credentials that request tokens over HTTP: a time limit and clear errors.

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

use crate::error::{chain::root_cause, transient::is_transient_status};

/// The time limit for one token, retries included. Well below the default token timeout of 60 s.
pub(super) const TOKEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Returns the options for a credential that requests tokens over HTTP.
///
/// The credential makes up to 5 attempts, with about 6 s of delays in total unless the response has `Retry-After`. For
/// 169.254.169.254, `azure_identity` overrides this and retries for more than a minute, which only [`TOKEN_TIMEOUT`]
/// limits.
pub(super) fn client_options(transport: Option<Transport>) -> ClientOptions {
    ClientOptions {
        per_call_policies: vec![Arc::new(TimeoutPolicy)],
        per_try_policies: vec![Arc::new(AttemptPolicy)],
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

/// The result of the last attempt of a call. The two policies share it through the call's context.
struct LastAttempt(Mutex<AttemptResult>);

#[derive(Clone, Default)]
struct AttemptResult {
    description: String,
    /// The status, if the server is reachable but busy.
    busy_status: Option<StatusCode>,
}

impl LastAttempt {
    fn record(ctx: &Context<'_>, description: String, busy_status: Option<StatusCode>) {
        if let Some(last) = ctx.value::<Self>() {
            let result = AttemptResult { description, busy_status };
            *last.0.lock().unwrap_or_else(PoisonError::into_inner) = result;
        }
    }

    fn get(ctx: &Context<'_>) -> AttemptResult {
        let last = ctx.value::<Self>();
        last.map(|last| last.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }
}

/// Limits the time of a call and replaces its error with one that names the host and the cause.
///
/// Without it, `azure_core` reports only that it stopped retrying, and `azure_identity` that the response is not JSON.
#[derive(Debug)]
struct TimeoutPolicy;

// The trait's signature elides this lifetime.
#[allow(elided_lifetimes_in_paths)]
#[async_trait]
impl Policy for TimeoutPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let initial = AttemptResult { description: "no response".to_owned(), busy_status: None };
        let ctx = ctx.clone().with_value(LastAttempt(Mutex::new(initial)));
        match tokio::time::timeout(TOKEN_TIMEOUT, send_next(&ctx, request, next)).await {
            Ok(Ok(response)) => check_response(response, &host),
            Ok(Err(error)) => Err(with_host_and_cause(error, &host)),
            Err(_) => {
                let AttemptResult { description, busy_status } = LastAttempt::get(&ctx);
                let message = format!(
                    "{host} returned no token within {} s (last attempt: {description})",
                    TOKEN_TIMEOUT.as_secs()
                );
                Err(match busy_status {
                    // A chain stops at a server that is reachable but busy.
                    Some(status) => http_error(status, message),
                    None => Error::with_message(ErrorKind::Io, message),
                })
            }
        }
    }
}

/// Records the result of each attempt and prevents retries after a certificate error.
#[derive(Debug)]
struct AttemptPolicy;

// The trait's signature elides this lifetime.
#[allow(elided_lifetimes_in_paths)]
#[async_trait]
impl Policy for AttemptPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let result = send_next(ctx, request, next).await;
        match &result {
            Ok(response) => {
                let status = response.status();
                let code = u16::from(status);
                LastAttempt::record(
                    ctx,
                    format!("HTTP status {code}"),
                    is_transient_status(code).then_some(status),
                );
            }
            Err(error) => {
                let cause = root_cause(error);
                if cause.contains("certificate") {
                    // Of all errors, `azure_core` retries only those of kind `Io` and `Connection`.
                    return Err(Error::with_message(ErrorKind::Other, cause));
                }
                LastAttempt::record(ctx, cause, None);
            }
        }
        result
    }
}

async fn send_next(ctx: &Context<'_>, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
    match next.split_first() {
        Some((first, rest)) => first.send(ctx, request, rest).await,
        None => Err(Error::with_message(ErrorKind::Other, "the HTTP pipeline has no transport")),
    }
}

/// Returns an error if the status is transient or the body is HTML.
fn check_response(response: AsyncRawResponse, host: &str) -> PolicyResult {
    let status = response.status();
    let code = u16::from(status);
    let message = if is_transient_status(code) {
        format!("{host} returned HTTP status {code}")
    } else if is_html(response.headers()) {
        format!("{host} returned HTTP status {code} with an HTML page (check whether a proxy returned it)")
    } else {
        return Ok(response);
    };
    Err(http_error(status, message))
}

/// Returns `true` for an HTML page, which neither Entra nor a managed identity endpoint returns.
pub(super) fn is_html(headers: &Headers) -> bool {
    headers.get_optional_str(&CONTENT_TYPE).is_some_and(|media_type| media_type.contains("html"))
}

fn http_error(status: StatusCode, message: String) -> Error {
    // Without the raw response, because its content is unknown.
    let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
    Error::with_message(kind, message)
}

/// Adds the host and the root cause to the error of the last attempt.
fn with_host_and_cause(error: Error, host: &str) -> Error {
    // `azure_core` wraps the attempt's error in another one.
    let error = error.into_downcast::<Error>().unwrap_or_else(|error| error);
    let (kind, cause) = (error.kind().clone(), root_cause(&error));
    Error::with_error(kind, error, format!("request to {host} failed: {cause}"))
}
