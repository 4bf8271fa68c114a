//! Sending: the token on, the answer read, the 401 renewed, the failure repeated where that is safe.

use std::{pin::pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    HealthcareClient,
    body::Flow,
    failure::{Broken, Failure},
    incoming::Incoming,
    request::Parts,
    response::{Head, Response, StreamedResponse},
    retry::{self, LONGEST, Outcome, Safety},
};
use crate::{
    Audience, Error, ErrorKind, Result,
    auth::{other_than, sensitive},
    clock::draw,
    denial::{Denial, Evidence, LONGEST_BODY, Renewal},
};

/// How long a refusal's body is waited for.
const DENIAL_TIME: Duration = Duration::from_secs(5);
/// How much room is made for an answer because it says that it needs it, in bytes.
const MOST_AT_ONCE: usize = 8 * 1024 * 1024;

/// How an attempt went, as far as the status and, where it was to be read, the body.
enum Attempt<T> {
    Answered(Head, T),
    /// 401 or 403, with the body still to be read.
    Refused(Head, reqwest::Response),
    /// No answer, or only the head of one.
    Failed(Option<Head>, Failure),
}

impl<A: Audience> HealthcareClient<A> {
    pub(super) async fn send_whole(&self, parts: &Parts) -> Result<Response> {
        let (head, body) = self.exchange(parts, &Whole { limit: self.body_limit }).await?;
        let body = body.map_err(|error| error.with_response_head(head.status, false, head.retry_after()))?;
        Ok(Response { head, body })
    }

    pub(super) async fn send_streamed(&self, parts: &Parts) -> Result<StreamedResponse> {
        let (head, body) = self.exchange(parts, &Streamed).await?;
        Ok(StreamedResponse { head, origin: self.origin(), body, failed: None })
    }

    /// Sends until there is an answer to hand on.
    async fn exchange<R: Read>(&self, parts: &Parts, read: &R) -> Result<(Head, R::Body)> {
        Handle::try_current().map_err(|_| {
            Error::new(
                ErrorKind::NoRuntime,
                "a request is sent from within a Tokio runtime, and there is none here",
            )
        })?;
        let safety = retry::safety(&parts.method, &parts.url, &parts.headers, parts.idempotent);
        let (mut attempts, mut repeats) = (0, 0);
        let mut renewal = Renewal::NotTried;
        let mut value = self.auth.authorization_for(&parts.url).await?;
        let first = Instant::now();
        loop {
            attempts += 1;
            let (outcome, asked, given_up) = match self.attempt(parts, &value, attempts, read).await? {
                Attempt::Refused(head, response) => {
                    if head.status == StatusCode::UNAUTHORIZED && renewal == Renewal::NotTried {
                        match other_than(&value, self.auth.refresh_rejected(&value).await) {
                            Some(other) => {
                                (value, renewal) = (other, Renewal::Replayed);
                                continue;
                            }
                            None => renewal = Renewal::NothingNew,
                        }
                    }
                    return Err(self.denied(head, read_start(response).await, &value, renewal));
                }
                Attempt::Answered(head, body) if head.status.is_success() => return Ok((head, body)),
                Attempt::Answered(head, body) => {
                    (Outcome::Answered(head.status), head.retry_after(), Ok((head, body)))
                }
                Attempt::Failed(None, failure) => (failure.outcome, None, Err(failure.error)),
                Attempt::Failed(Some(head), Failure { outcome, error }) => {
                    // The head says what the service has done, more surely than how its body ended.
                    let done = head.status.is_success();
                    let outcome = if done { outcome } else { Outcome::Answered(head.status) };
                    let transient = error.is_transient() && (!done || safety == Safety::Repeatable);
                    (
                        outcome,
                        head.retry_after(),
                        Err(error.with_response_head(head.status, transient, head.retry_after())),
                    )
                }
            };
            let wait = retry::repeat_after(safety, outcome, asked, repeats, first.elapsed(), draw());
            let Some(wait) = wait else { return given_up };
            sleep(wait).await;
            // Without a token in time there is no repeat. Whoever has waited for it is told what the service said.
            let Ok(Ok(next)) = timeout_at(first + LONGEST, self.auth.authorization_for(&parts.url)).await
            else {
                return given_up;
            };
            value = next;
            repeats += 1;
            tracing::debug!(service = %self.audience().service(), ?outcome, repeats, ?wait, "request repeated");
        }
    }

    async fn attempt<R: Read>(
        &self,
        parts: &Parts,
        value: &HeaderValue,
        attempts: u32,
        read: &R,
    ) -> Result<Attempt<R::Body>> {
        let failed = |broken| Failure::new(self.audience().service(), &self.origin(), broken);
        let (request, flow) = request(parts, value);
        let sending = self.connections.client()?.execute(request);
        let mut response = match while_it_moves(sending, flow.as_ref(), self.idle_timeout).await {
            Ok(response) => response,
            Err(broken) => {
                let given = flow.is_some_and(|flow| flow.broke_off());
                return Ok(Attempt::Failed(None, failed(if given { Broken::Given } else { broken })));
            }
        };
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let head = Head { service: self.audience().service(), status, headers, attempts };
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Ok(Attempt::Refused(head, response));
        }
        let incoming = Incoming::new(&parts.method, response, self.idle_timeout);
        Ok(match read.read(incoming).await {
            Ok(body) => Attempt::Answered(head, body),
            Err(broken) => Attempt::Failed(Some(head), failed(broken)),
        })
    }

    fn denied(&self, head: Head, body: Bytes, value: &HeaderValue, renewal: Renewal) -> Error {
        let denial = Denial::new(Evidence {
            service: self.audience().service(),
            endpoint: self.audience().endpoint(),
            resource: self.audience().resource(),
            status: head.status,
            headers: &head.headers,
            body,
            authorization: value,
            now: self.auth.now(),
            renewal,
        });
        tracing::debug!(%denial, "request refused");
        Error::denied(denial)
    }

    fn origin(&self) -> String {
        self.audience().endpoint().origin().ascii_serialization()
    }
}

fn request(parts: &Parts, value: &HeaderValue) -> (reqwest::Request, Option<Flow>) {
    let mut request = reqwest::Request::new(parts.method.clone(), parts.url.clone());
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().insert(header::AUTHORIZATION, sensitive(value.clone()));
    let (body, flow) = parts.content.body();
    *request.body_mut() = body;
    (request, flow)
}

/// Waits for the head of the answer, as long as something goes out or for `idle` after that.
async fn while_it_moves(
    sending: impl Future<Output = reqwest::Result<reqwest::Response>>,
    flow: Option<&Flow>,
    idle: Duration,
) -> Result<reqwest::Response, Broken> {
    let mut sending = pin!(sending);
    let mut rest = idle;
    loop {
        if let Ok(outcome) = timeout(rest, &mut sending).await {
            return outcome.map_err(Broken::from);
        }
        rest = flow.map_or(Duration::ZERO, |flow| idle.saturating_sub(flow.still_for()));
        if rest.is_zero() {
            return Err(Broken::Quiet(idle));
        }
    }
}

/// What is read of an answer that is not a refusal.
trait Read: Sync {
    type Body: Send;

    fn read(&self, incoming: Incoming) -> impl Future<Output = Result<Self::Body, Broken>> + Send;
}

/// Nothing yet.
struct Streamed;

impl Read for Streamed {
    type Body = Incoming;

    async fn read(&self, incoming: Incoming) -> Result<Incoming, Broken> {
        Ok(incoming)
    }
}

/// All of it. The inner error is that it is longer than the limit.
struct Whole {
    limit: usize,
}

impl Read for Whole {
    type Body = Result<Bytes>;

    async fn read(&self, mut incoming: Incoming) -> Result<Result<Bytes>, Broken> {
        let limit = self.limit;
        let too_long = || {
            let message = format!(
                "the answer's body is longer than {limit} bytes: raise the limit, or read it by `stream()`"
            );
            Ok(Err(Error::new(ErrorKind::TooLarge, message)))
        };
        let told = usize::try_from(incoming.missing().unwrap_or(0)).unwrap_or(usize::MAX);
        if told > limit {
            return too_long();
        }
        // Most answers are one piece, which is not copied.
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(chunk) = incoming.piece().await? {
            if chunk.len() > limit - whole.len().max(first.len()) {
                return too_long();
            }
            if first.is_empty() && whole.is_empty() {
                first = chunk;
                continue;
            }
            if whole.is_empty() {
                whole.reserve(told.min(MOST_AT_ONCE).max(first.len() + chunk.len()));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Ok(if whole.is_empty() { first } else { whole.freeze() }))
    }
}

/// The first bytes of a refusal's body, as many as come in time and before an error: what cannot be read of it is not
/// worth losing the rest for.
async fn read_start(mut response: reqwest::Response) -> Bytes {
    let mut start = BytesMut::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = LONGEST_BODY - start.len();
            start.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if start.len() == LONGEST_BODY {
                break;
            }
        }
    };
    let _ = timeout(DENIAL_TIME, reading).await;
    start.freeze()
}
