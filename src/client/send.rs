//! Sending: the token on, the answer read, the 401 renewed, the failure repeated where that is safe.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use tokio::time::{Instant, sleep};

use super::{
    HealthcareClient,
    failure::Failure,
    request::Parts,
    response::{Head, Response, StreamedResponse},
    retry::{self, Outcome},
};
use crate::{
    Audience, Error, ErrorKind, Result,
    clock::draw,
    denial::{Denial, Evidence, Renewal},
};

/// How much of a refusal's body is kept.
const DENIAL_BODY: usize = 64 * 1024;

/// How an attempt went, as far as the status and, where it was to be read, the body.
enum Attempt<T> {
    Answered(Head, T),
    Refused(Head, Bytes),
    Failed(Failure),
}

impl<A: Audience> HealthcareClient<A> {
    pub(super) async fn send_whole(&self, parts: &Parts) -> Result<Response> {
        let (head, body) = self.exchange(parts, &Whole { limit: self.body_limit }).await?;
        Ok(Response { head, body: body? })
    }

    pub(super) async fn send_streamed(&self, parts: &Parts) -> Result<StreamedResponse> {
        let (head, response) = self.exchange(parts, &Streamed).await?;
        Ok(StreamedResponse { head, origin: self.origin(), body: Box::pin(response.bytes_stream()) })
    }

    /// Sends until there is an answer to hand on.
    async fn exchange<R: Read>(&self, parts: &Parts, read: &R) -> Result<(Head, R::Body)> {
        let safety = retry::safety(&parts.method, &parts.url, &parts.headers, parts.repeatable);
        let first = Instant::now();
        let (mut attempts, mut repeats) = (0, 0);
        let mut renewal = Renewal::NotTried;
        let mut value = self.auth.authorization_for(&parts.url).await?;
        loop {
            attempts += 1;
            let (outcome, asked, given_up) = match self.attempt(parts, &value, attempts, read).await? {
                Attempt::Refused(head, body) => {
                    if head.status == StatusCode::UNAUTHORIZED && renewal == Renewal::NotTried {
                        // An error here is why there is no other token: the refusal is still the news.
                        if let Ok(Some(other)) = self.auth.renew(&value).await {
                            (value, renewal) = (other, Renewal::Replayed);
                            continue;
                        }
                        renewal = Renewal::NothingNew;
                    }
                    return Err(self.denied(head, body, &value, renewal));
                }
                Attempt::Answered(head, body) => {
                    (Outcome::Answered(head.status), head.retry_after, Ok((head, body)))
                }
                Attempt::Failed(failure) => (failure.outcome, None, Err(failure.error)),
            };
            let wait = retry::repeat_after(safety, outcome, asked, repeats, first.elapsed(), draw());
            let Some(wait) = wait else { return given_up };
            drop(given_up);
            repeats += 1;
            tracing::debug!(service = %self.audience().service(), ?outcome, repeats, ?wait, "request repeated");
            sleep(wait).await;
            value = self.auth.authorization_for(&parts.url).await?;
        }
    }

    async fn attempt<R: Read>(
        &self,
        parts: &Parts,
        value: &HeaderValue,
        attempts: u32,
        read: &R,
    ) -> Result<Attempt<R::Body>> {
        let failed = |error| {
            let origin = self.origin();
            Failure::new(self.audience().service(), &origin, error, parts.content.is_callers())
        };
        let mut response = match self.connections.client()?.execute(request(parts, value)).await {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Failed(failed(error))),
        };
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let retry_after = retry::asked(&headers, SystemTime::now());
        let head = Head { service: self.audience().service(), status, headers, attempts, retry_after };
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            // What cannot be read of it is not worth losing the rest for.
            let body = read_start(response, DENIAL_BODY).await;
            return Ok(Attempt::Refused(head, body));
        }
        Ok(match read.read(response).await {
            Ok(body) => Attempt::Answered(head, body),
            Err(error) => Attempt::Failed(failed(error)),
        })
    }

    fn denied(&self, head: Head, body: Bytes, value: &HeaderValue, renewal: Renewal) -> Error {
        let service = self.audience().service().to_string();
        let denial = Denial::new(Evidence {
            service: &service,
            resource: self.audience().resource(),
            status: head.status,
            headers: &head.headers,
            body,
            authorization: value,
            now: SystemTime::now(),
            renewal,
        });
        tracing::debug!(%denial, "request refused");
        Error::denied(denial)
    }

    fn origin(&self) -> String {
        self.audience().endpoint().origin().ascii_serialization()
    }
}

fn request(parts: &Parts, value: &HeaderValue) -> reqwest::Request {
    let mut request = reqwest::Request::new(parts.method.clone(), parts.url.clone());
    *request.headers_mut() = parts.headers.clone();
    let mut value = value.clone();
    // One that somebody's own `HealthcareAuth` gave may not be.
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    *request.body_mut() = parts.content.body();
    request
}

/// What is read of an answer that is not a refusal.
trait Read: Sync {
    type Body: Send;

    fn read(&self, response: reqwest::Response) -> impl Future<Output = reqwest::Result<Self::Body>> + Send;
}

/// Nothing yet.
struct Streamed;

impl Read for Streamed {
    type Body = reqwest::Response;

    async fn read(&self, response: reqwest::Response) -> reqwest::Result<reqwest::Response> {
        Ok(response)
    }
}

/// All of it. The inner error is that it is longer than the limit.
struct Whole {
    limit: usize,
}

impl Read for Whole {
    type Body = Result<Bytes>;

    async fn read(&self, mut response: reqwest::Response) -> reqwest::Result<Result<Bytes>> {
        let limit = self.limit;
        let mut start = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if chunk.len() > limit - start.len() - rest.len() {
                let message = format!(
                    "the answer's body is longer than {limit} bytes: raise the limit, or read it by `stream()`"
                );
                return Ok(Err(Error::new(ErrorKind::TooLarge, message)));
            }
            // Most answers are one piece, which is not copied.
            match start.is_empty() {
                true => start = chunk,
                false => rest.extend_from_slice(&chunk),
            }
        }
        if rest.is_empty() {
            return Ok(Ok(start));
        }
        let mut whole = BytesMut::with_capacity(start.len() + rest.len());
        whole.extend_from_slice(&start);
        whole.extend_from_slice(&rest);
        Ok(Ok(whole.freeze()))
    }
}

/// The first bytes of a body, as many as come before an error.
async fn read_start(mut response: reqwest::Response, most: usize) -> Bytes {
    let mut start = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = most - start.len();
        start.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if start.len() == most {
            break;
        }
    }
    start.freeze()
}
