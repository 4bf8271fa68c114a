//! [`Entra`]: what answers in place of the network.

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

use super::super::{
    member,
    plan::{Env, plan},
};
use crate::credentials::ChainedTokenCredential;

/// One answer to one try.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Token(&'static str),
    Status(u16, &'static str),
    /// A page for people, with this status.
    Page(u16),
    /// From a proxy, with this status and without a page.
    Proxied(u16),
    /// 503, and not before so many seconds.
    Later(&'static str),
    /// A connection that fails with this cause.
    Broken(&'static str),
    Never,
}

/// What was asked, and how the next tries end. The last answer is given for ever.
pub(super) struct Entra {
    answers: Mutex<Vec<Answer>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Entra {
    pub(super) fn new(answers: &[Answer]) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().rev().copied().collect());
        Arc::new(Self { answers, asked: Mutex::default() })
    }

    /// The URLs and bodies of all tries so far.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }

    /// The chain that these variables choose, with this in place of the network.
    pub(super) fn chain(self: &Arc<Self>, variables: &[(&str, &str)]) -> Arc<ChainedTokenCredential> {
        let get = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        let plan = plan(&Env(&get), None).unwrap();
        member::chain(plan, Some(&Transport::new(self.clone()))).unwrap()
    }
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entra")
    }
}

#[async_trait]
impl HttpClient for Entra {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let body = match request.body() {
            Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => String::new(),
        };
        self.asked.lock().unwrap().push((request.url().to_string(), body));
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop().unwrap() } else { answers[0] }
        };
        let respond = |status: u16, kind: &'static str, body: String| {
            let mut headers = Headers::new();
            headers.insert("content-type", kind);
            if let Answer::Later(seconds) = answer {
                headers.insert(RETRY_AFTER, seconds);
            }
            if let Answer::Proxied(_) = answer {
                headers.insert("via", "1.1 proxy.contoso.example (squid/6.10)");
            }
            Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
        };
        const JSON: &str = "application/json; charset=utf-8";
        match answer {
            // Entra says `expires_in`, a machine `expires_on`.
            Answer::Token(token) => {
                let form =
                    r#""token_type":"Bearer","expires_in":3600,"expires_on":"4102444800","resource":"x""#;
                respond(200, JSON, format!(r#"{{"access_token":"{token}",{form}}}"#))
            }
            Answer::Status(status, description) => {
                let body = format!(r#"{{"error":"x","error_codes":[],"error_description":"{description}"}}"#);
                respond(status, JSON, body)
            }
            Answer::Page(status) => respond(status, "text/html", "<html>canary</html>".into()),
            Answer::Proxied(status) => respond(status, "text/plain", String::new()),
            Answer::Later(_) => respond(503, JSON, "{}".into()),
            Answer::Broken(cause) => {
                let cause = io::Error::other(cause);
                Err(Error::with_error(ErrorKind::Connection, cause, "failed to execute `reqwest` request"))
            }
            Answer::Never => std::future::pending().await,
        }
    }
}
