//! [`FakeEntra`]: an HTTP client that returns prepared responses.

use std::{
    fmt, io,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use azure_core::{
    Result,
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, HttpClient, Request, Transport,
        headers::{Headers, RETRY_AFTER},
        request::Body,
    },
};

use super::super::{builder::build_chain, env::EnvVars, selection::select};
use crate::credentials::ChainedTokenCredential;

/// The result of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum EntraResponse {
    Token(&'static str),
    /// This status with an error of Entra that has this description.
    Status(u16, &'static str),
    /// This status with an HTML page.
    Html(u16),
    /// This status with an empty body, forwarded by a proxy.
    Proxied(u16),
    /// Status 503 with this `Retry-After` in seconds.
    RetryAfter(&'static str),
    /// A connection error with this cause.
    ConnectionError(&'static str),
    /// No response.
    Hang,
}

/// Returns the responses in order, one per attempt. The last one is for all further attempts.
pub(super) struct FakeEntra {
    responses: Mutex<Vec<EntraResponse>>,
    requests: Mutex<Vec<(String, String)>>,
}

impl FakeEntra {
    pub(super) fn new(responses: &[EntraResponse]) -> Arc<Self> {
        let responses = Mutex::new(responses.iter().rev().copied().collect());
        Arc::new(Self { responses, requests: Mutex::default() })
    }

    /// Returns the URLs and bodies of all attempts.
    pub(super) fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the chain that these variables select, with this client as its transport.
    pub(super) fn chain(self: &Arc<Self>, variables: &[(&str, &str)]) -> Arc<ChainedTokenCredential> {
        let read = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        let configs = select(&EnvVars::new(&read), None).unwrap();
        build_chain(configs, Some(&Transport::new(self.clone()))).unwrap()
    }
}

impl fmt::Debug for FakeEntra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeEntra")
    }
}

#[async_trait]
impl HttpClient for FakeEntra {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let body = match request.body() {
            Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => String::new(),
        };
        self.requests.lock().unwrap().push((request.url().to_string(), body));
        let fake_response = {
            let mut responses = self.responses.lock().unwrap();
            if responses.len() > 1 { responses.pop().unwrap() } else { responses[0] }
        };
        let response = |status: u16, media_type: &'static str, body: String| {
            let mut headers = Headers::new();
            headers.insert("content-type", media_type);
            if let EntraResponse::RetryAfter(seconds) = fake_response {
                headers.insert(RETRY_AFTER, seconds);
            }
            if let EntraResponse::Proxied(_) = fake_response {
                headers.insert("via", "1.1 proxy.contoso.example (squid/6.10)");
            }
            Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
        };
        const JSON: &str = "application/json; charset=utf-8";
        match fake_response {
            EntraResponse::Token(token) => {
                // Entra returns `expires_in`, a managed identity endpoint `expires_on`.
                let fields =
                    r#""token_type":"Bearer","expires_in":3600,"expires_on":"7258118400","resource":"x""#;
                response(200, JSON, format!(r#"{{"access_token":"{token}",{fields}}}"#))
            }
            EntraResponse::Status(status, description) => {
                let body = format!(r#"{{"error":"x","error_codes":[],"error_description":"{description}"}}"#);
                response(status, JSON, body)
            }
            EntraResponse::Html(status) => response(status, "text/html", "<html>canary</html>".into()),
            EntraResponse::Proxied(status) => response(status, "text/plain", String::new()),
            EntraResponse::RetryAfter(_) => response(503, JSON, "{}".into()),
            EntraResponse::ConnectionError(cause) => {
                let cause = io::Error::other(cause);
                Err(Error::with_error(ErrorKind::Connection, cause, "failed to execute `reqwest` request"))
            }
            EntraResponse::Hang => std::future::pending().await,
        }
    }
}
