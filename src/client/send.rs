//! Sends a request: replay after a 401, and reading the response.

use std::{mem, pin::pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    HealthcareClient,
    body::UploadProgress,
    failure::{Failure, TransportFailure},
    request::Parts,
    response::{Head, Response, StreamedResponse},
    response_body::ResponseBody,
    retry::{self, FailureKind, MAX_ELAPSED, RetrySafety},
};
use crate::{
    Audience, Error, ErrorKind, Result,
    auth::{replacement, sensitive},
    clock::jitter,
    denial::{Denial, Evidence, MAX_DENIAL_BODY, RefreshAttempt},
};

/// The time limit for reading the body of a 401 or 403.
const DENIAL_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most memory that is allocated because of a `Content-Length`, in bytes.
const MAX_PREALLOCATION: usize = 8 * 1024 * 1024;

enum Attempt<T> {
    /// A response other than 401 and 403.
    Response(Head, T),
    /// A 401 or 403, whose body is still to be read.
    Denied(Head, reqwest::Response),
    /// No response, or only the head of one.
    Failed(Option<Head>, Failure),
}

impl<A: Audience> HealthcareClient<A> {
    pub(super) async fn send_buffered(&self, parts: &Parts) -> Result<Response> {
        let limit = self.config.body_limit;
        let (head, body) = self.send_with_retries(parts, &Buffered { limit }).await?;
        let body = body.map_err(|error| error.with_response_head(head.status, false, head.retry_after()))?;
        Ok(Response { head, body })
    }

    pub(super) async fn send_streamed(&self, parts: &Parts) -> Result<StreamedResponse> {
        let (head, body) = self.send_with_retries(parts, &Streamed).await?;
        Ok(StreamedResponse { head, origin: self.origin(), body, error: None })
    }

    async fn send_with_retries<R: ReadBody>(&self, parts: &Parts, reader: &R) -> Result<(Head, R::Body)> {
        Handle::try_current().map_err(|_| {
            Error::new(
                ErrorKind::NoRuntime,
                "a request must be sent from within a Tokio runtime, but there is none",
            )
        })?;
        let safety = retry::retry_safety(&parts.method, &parts.url, &parts.headers, parts.idempotent);
        let (mut attempts, mut retries) = (0, 0);
        let mut refresh = RefreshAttempt::NotTried;
        let mut authorization = self.auth.authorization_for(&parts.url).await?;
        let first_attempt = Instant::now();
        loop {
            attempts += 1;
            let (failure, retry_after, result) =
                match self.attempt(parts, &authorization, attempts, reader).await? {
                    Attempt::Denied(head, response) => {
                        let mut refresh_error = None;
                        if head.status == StatusCode::UNAUTHORIZED && refresh == RefreshAttempt::NotTried {
                            let refreshed = self.auth.refresh_rejected(&authorization).await;
                            match replacement(&authorization, refreshed) {
                                Ok(Some(other)) => {
                                    (authorization, refresh) = (other, RefreshAttempt::Replayed);
                                    continue;
                                }
                                Ok(None) => {}
                                Err(error) => refresh_error = Some(error),
                            }
                            refresh = RefreshAttempt::NoOtherToken;
                        }
                        let body = read_denial_body(response).await;
                        let error = self.denied(head, body, &authorization, refresh);
                        return Err(match refresh_error {
                            Some(cause) => error.caused_by(cause),
                            None => error,
                        });
                    }
                    Attempt::Response(head, body) if head.status.is_success() => return Ok((head, body)),
                    Attempt::Response(head, body) => {
                        (FailureKind::Status(head.status), head.retry_after(), Ok((head, body)))
                    }
                    Attempt::Failed(None, failure) => (failure.kind, None, Err(failure.error)),
                    Attempt::Failed(Some(head), Failure { kind, error }) => {
                        // The status is better evidence of what the service did than the failure of the body.
                        let processed = head.status.is_success();
                        let kind = if processed { kind } else { FailureKind::Status(head.status) };
                        let transient =
                            error.is_transient() && (!processed || safety == RetrySafety::Idempotent);
                        let error = error.with_response_head(head.status, transient, head.retry_after());
                        (kind, head.retry_after(), Err(error))
                    }
                };
            let elapsed = first_attempt.elapsed();
            let Some(delay) = retry::retry_delay(safety, failure, retry_after, retries, elapsed, jitter())
            else {
                return result;
            };
            sleep(delay).await;
            // If no token is available in time, the caller gets the result of the last attempt.
            let next = timeout_at(first_attempt + MAX_ELAPSED, self.auth.authorization_for(&parts.url));
            let Ok(Ok(next)) = next.await else { return result };
            authorization = next;
            retries += 1;
            let service = self.audience().service();
            tracing::debug!(%service, ?failure, retry = retries, ?delay, "retrying request");
        }
    }

    async fn attempt<R: ReadBody>(
        &self,
        parts: &Parts,
        authorization: &HeaderValue,
        attempts: u32,
        reader: &R,
    ) -> Result<Attempt<R::Body>> {
        let service = self.audience().service();
        let failure = |cause| Failure::new(service, &self.origin(), cause);
        let idle_timeout = self.config.idle_timeout;
        let (request, progress) = build_request(parts, authorization);
        let response = self.config.pools.client(self.location)?.execute(request);
        let mut response = match with_idle_timeout(response, progress.as_ref(), idle_timeout).await {
            Ok(response) => response,
            Err(_) if progress.is_some_and(|progress| progress.has_failed()) => {
                return Ok(Attempt::Failed(None, failure(TransportFailure::RequestBody)));
            }
            Err(cause) => return Ok(Attempt::Failed(None, failure(cause))),
        };
        let status = response.status();
        let headers = mem::take(response.headers_mut());
        let head = Head { service, status, headers, attempts };
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Ok(Attempt::Denied(head, response));
        }
        let body = ResponseBody::new(&parts.method, response, idle_timeout);
        Ok(match reader.read(body).await {
            Ok(body) => Attempt::Response(head, body),
            Err(cause) => Attempt::Failed(Some(head), failure(cause)),
        })
    }

    fn denied(&self, head: Head, body: Bytes, authorization: &HeaderValue, refresh: RefreshAttempt) -> Error {
        let denial = Denial::new(Evidence {
            service: self.audience().service(),
            endpoint: self.audience().endpoint(),
            resource: self.audience().resource(),
            status: head.status,
            headers: &head.headers,
            body,
            authorization,
            now: self.auth.now(),
            refresh,
        });
        tracing::debug!(%denial, "request rejected or denied");
        Error::denied(denial)
    }

    fn origin(&self) -> String {
        self.audience().endpoint().origin().ascii_serialization()
    }
}

fn build_request(parts: &Parts, authorization: &HeaderValue) -> (reqwest::Request, Option<UploadProgress>) {
    let mut request = reqwest::Request::new(parts.method.clone(), parts.url.clone());
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().insert(header::AUTHORIZATION, sensitive(authorization.clone()));
    let (body, progress) = parts.body.for_attempt();
    *request.body_mut() = body;
    (request, progress)
}

/// Waits for the response headers. Fails if there is no progress for `idle_timeout`.
async fn with_idle_timeout(
    response: impl Future<Output = reqwest::Result<reqwest::Response>>,
    progress: Option<&UploadProgress>,
    idle_timeout: Duration,
) -> Result<reqwest::Response, TransportFailure> {
    let mut response = pin!(response);
    let mut remaining = idle_timeout;
    loop {
        if let Ok(response) = timeout(remaining, &mut response).await {
            return response.map_err(TransportFailure::from);
        }
        let idle_time = progress.map_or(idle_timeout, UploadProgress::idle_time);
        remaining = idle_timeout.saturating_sub(idle_time);
        if remaining.is_zero() {
            return Err(TransportFailure::IdleTimeout(idle_timeout));
        }
    }
}

/// Reads the body of a response other than 401 and 403.
trait ReadBody: Sync {
    type Body: Send;

    fn read(&self, body: ResponseBody) -> impl Future<Output = Result<Self::Body, TransportFailure>> + Send;
}

/// Leaves the body to the caller.
struct Streamed;

impl ReadBody for Streamed {
    type Body = ResponseBody;

    async fn read(&self, body: ResponseBody) -> Result<ResponseBody, TransportFailure> {
        Ok(body)
    }
}

/// Reads the body into memory. The inner error reports that it is longer than the limit.
struct Buffered {
    limit: usize,
}

impl ReadBody for Buffered {
    type Body = Result<Bytes>;

    async fn read(&self, mut body: ResponseBody) -> Result<Result<Bytes>, TransportFailure> {
        let limit = self.limit;
        let too_large = || {
            let message = format!(
                "the response body is longer than {limit} bytes (raise `body_limit`, or read it with `stream()`)"
            );
            Ok(Err(Error::new(ErrorKind::TooLarge, message)))
        };
        let content_length = usize::try_from(body.remaining().unwrap_or(0)).unwrap_or(usize::MAX);
        if content_length > limit {
            return too_large();
        }
        // Most bodies arrive in one chunk, which is returned without a copy.
        let mut first = Bytes::new();
        let mut buffer = BytesMut::new();
        while let Some(chunk) = body.chunk().await? {
            if chunk.len() > limit - buffer.len().max(first.len()) {
                return too_large();
            }
            if first.is_empty() && buffer.is_empty() {
                first = chunk;
                continue;
            }
            if buffer.is_empty() {
                buffer.reserve(content_length.min(MAX_PREALLOCATION).max(first.len() + chunk.len()));
                buffer.extend_from_slice(&mem::take(&mut first));
            }
            buffer.extend_from_slice(&chunk);
        }
        Ok(Ok(if buffer.is_empty() { first } else { buffer.freeze() }))
    }
}

/// Reads as much of a denial's body as is needed to explain it. If reading fails, the part that was read is used.
async fn read_denial_body(mut response: reqwest::Response) -> Bytes {
    let mut body = BytesMut::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let remaining = MAX_DENIAL_BODY - body.len();
            body.extend_from_slice(chunk.get(..remaining).unwrap_or(&chunk));
            if body.len() == MAX_DENIAL_BODY {
                break;
            }
        }
    };
    let _ = timeout(DENIAL_BODY_TIMEOUT, read).await;
    body.freeze()
}
