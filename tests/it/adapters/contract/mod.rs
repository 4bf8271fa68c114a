//! The contract that the client and all adapters share. Each test runs once per stack.

mod fetches;
mod helpers;
mod stacks;

use std::sync::Arc;

use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience, HealthcareAuth, Result};
use http::{HeaderValue, Method};
use url::Url;
use wiremock::ResponseTemplate;

use self::{
    fetches::*,
    helpers::{OK, patients, scripted, stack},
    stacks::{Outcome, Stack, TestRequest},
};
use crate::{
    support::{CallResult, HOUR, TestCredential, token_valid_for},
    wire::{
        FixedAuth, HOSTILE, authorizations, broken_credential, count, credential, fhir,
        rejecting_first_token, responding, service,
    },
};

macro_rules! contract_tests {
    ($($module:ident: $stack:ty,)*) => { $(
        mod $module {
            contract_tests! { @each $stack:
                every_method_carries_one_authorization_header
                authorization_header_of_caller_is_not_sent
                custom_auth_implementation_is_used
                credential_error_sends_no_request
                url_outside_audience_is_rejected_before_token_fetch
                mismatched_host_header_and_trace_method_are_rejected
                url_check_does_not_depend_on_auth_implementation
                unauthorized_response_refreshes_token_and_replays_request
                unauthorized_response_is_replayed_only_once
                same_token_is_not_replayed
                unauthorized_response_is_returned_if_refresh_finds_no_other_token
                forbidden_response_does_not_refresh_token
                other_responses_are_returned_unchanged
                due_refresh_does_not_delay_request
                concurrent_first_requests_share_one_fetch
                concurrent_unauthorized_responses_share_one_refresh
                cancelled_request_does_not_cancel_other_waiters
                fetch_continues_after_its_request_is_cancelled
            }
        }
    )* };
    (@each $stack:ty: $($test:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            crate::adapters::contract::$test::<$stack>().await;
        }
    )* };
}

contract_tests! {
    client: super::stacks::ClientStack,
    reqwest_middleware: super::stacks::ReqwestMiddlewareStack,
    tower: super::stacks::TowerStack,
    azure_core: super::stacks::AzureCoreStack,
}

async fn every_method_carries_one_authorization_header<S: Stack>() {
    let (server, credential) = (responding(ResponseTemplate::new(200)).await, credential());
    let stack: S = stack(&server, &credential);
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for method in methods.clone() {
        let request = TestRequest::new(method, patients(&server)).header("content-type", "text/plain");
        assert_eq!(stack.send(request).await, OK);
    }
    assert_eq!(authorizations(&server).await, vec!["Bearer token-1"; methods.len()]);
    assert_eq!(credential.calls(), 1);
}

async fn authorization_header_of_caller_is_not_sent<S: Stack>() {
    let (server, credential) = (rejecting_first_token().await, credential());
    let stack: S = stack(&server, &credential);
    for name in ["authorization", "Authorization", "AUTHORIZATION"] {
        let request =
            TestRequest::get(patients(&server)).header(name, "Basic mine").header(name, "Basic other");
        assert_eq!(stack.send(request).await, OK);
    }
    let expected = ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-2"];
    assert_eq!(authorizations(&server).await, expected);
}

async fn custom_auth_implementation_is_used<S: Stack>() {
    let server = service().await;
    let stack = S::new(Arc::new(FixedAuth(fhir(&server))));
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, OK);
    assert_eq!(authorizations(&server).await, ["Bearer fixed"]);
}

async fn credential_error_sends_no_request<S: Stack>() {
    let (server, credential) = (service().await, broken_credential());
    let stack: S = stack(&server, &credential);
    for method in [Method::GET, Method::POST] {
        let outcome = stack.send(TestRequest::new(method, patients(&server))).await;
        assert_eq!(outcome, Outcome::Error(ErrorKind::Credential));
    }
    assert_eq!(count(&server).await, 0);
}

async fn url_outside_audience_is_rejected_before_token_fetch<S: Stack>() {
    let (server, credential) = (service().await, credential());
    let root = server.uri();
    let audience: FhirAudience = format!("{root}/r4").parse().unwrap();
    let host = root.strip_prefix("http://").unwrap();
    let fill = |text: &str| text.replace("{root}", &root).replace("{host}", host);
    let stack = S::new(Arc::new(Authenticator::new(audience.clone(), credential.clone())));

    let mut rejected = 0;
    for hostile in HOSTILE.iter().map(|hostile| fill(hostile)) {
        // Skip a URL that is inside the audience after the stack's normalization.
        if S::NORMALIZES_URLS && Url::parse(&hostile).is_ok_and(|url| audience.check_url(&url).is_ok()) {
            continue;
        }
        for method in [Method::GET, Method::POST] {
            let outcome = stack.send(TestRequest::new(method, &hostile)).await;
            let not_allowed = outcome == Outcome::Error(ErrorKind::UrlNotAllowed);
            assert!(not_allowed || outcome == Outcome::NotExpressible, "{hostile}: {outcome:?}");
            rejected += usize::from(not_allowed);
        }
    }
    assert!(rejected >= 80, "only {rejected} requests were rejected");
    assert_eq!((credential.calls(), count(&server).await), (0, 0));

    for inside in ["/r4", "/r4/", "/r4/Patient", "/r4/Patient/$everything", "/r4/Patient?a=../%2e%2e/x"] {
        assert_eq!(stack.send(TestRequest::get(format!("{root}{inside}"))).await, OK, "{inside}");
        let request = server.received_requests().await.unwrap().pop().unwrap();
        assert_eq!(&request.url[url::Position::BeforePath..], inside);
    }
}

async fn mismatched_host_header_and_trace_method_are_rejected<S: Stack>() {
    let (server, credential) = (service().await, credential());
    let stack: S = stack(&server, &credential);
    for request in [
        TestRequest::get(patients(&server)).header("host", "evil.example"),
        TestRequest::get(patients(&server)).header("Host", "127.0.0.1"),
        TestRequest::new(Method::TRACE, patients(&server)),
        TestRequest::new(Method::CONNECT, patients(&server)),
        TestRequest::new("trace".parse().unwrap(), patients(&server)),
        TestRequest::new("TRACK".parse().unwrap(), patients(&server)),
    ] {
        let outcome = stack.send(request).await;
        let rejected = [ErrorKind::UrlNotAllowed, ErrorKind::Request].map(Outcome::Error).contains(&outcome);
        assert!(rejected || outcome == Outcome::NotExpressible, "{outcome:?}");
    }
    assert_eq!((credential.calls(), count(&server).await), (0, 0));
}

async fn url_check_does_not_depend_on_auth_implementation<S: Stack>() {
    struct Unchecked(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for Unchecked {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer x"))
        }

        async fn authorization_for(&self, _: &Url) -> Result<HeaderValue> {
            self.authorization().await
        }
    }

    let (server, other) = (service().await, service().await);
    let stack = S::new(Arc::new(Unchecked(fhir(&server))));
    let outcome = stack.send(TestRequest::get(patients(&other))).await;
    assert_eq!(outcome, Outcome::Error(ErrorKind::UrlNotAllowed));
    assert_eq!(count(&other).await, 0);
}

async fn unauthorized_response_refreshes_token_and_replays_request<S: Stack>() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (server, credential) = (rejecting_first_token().await, credential());
        let stack: S = stack(&server, &credential);
        let request = TestRequest::new(method, format!("{}?_count=10", patients(&server)))
            .header("content-type", "application/fhir+json")
            .header("x-note", "unchanged")
            .body("body");
        assert_eq!(stack.send(request).await, OK);
        assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);
        let [first, second] = &server.received_requests().await.unwrap()[..] else { panic!() };
        assert_eq!((&first.method, &first.url, &first.body), (&second.method, &second.url, &second.body));
        assert_eq!(second.body, b"body");
        for name in ["content-type", "x-note"] {
            assert_eq!(first.headers.get(name), second.headers.get(name));
        }
        assert_eq!((second.headers["x-note"].as_bytes(), credential.calls()), (&b"unchanged"[..], 2));
    }
}

async fn unauthorized_response_is_replayed_only_once<S: Stack>() {
    let (server, credential) = (responding(ResponseTemplate::new(401)).await, credential());
    let stack: S = stack(&server, &credential);
    assert_eq!(stack.send(TestRequest::new(Method::POST, patients(&server))).await, Outcome::Response(401));
    assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);
    // A second forced refresh is allowed only after 30 s.
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, Outcome::Response(401));
    assert_eq!((credential.calls(), count(&server).await), (2, 3));
}

async fn same_token_is_not_replayed<S: Stack>() {
    struct Unchanging(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for Unchanging {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer same"))
        }

        async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
            Ok(Some(rejected.clone()))
        }
    }

    let server = responding(ResponseTemplate::new(401)).await;
    let stack = S::new(Arc::new(Unchanging(fhir(&server))));
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, Outcome::Response(401));
    assert_eq!(count(&server).await, 1);
}

async fn unauthorized_response_is_returned_if_refresh_finds_no_other_token<S: Stack>() {
    for forced_fails in [true, false] {
        let server = responding(ResponseTemplate::new(401)).await;
        let credential = TestCredential::new(move |call| match call.forced && forced_fails {
            true => CallResult::Error,
            false => token_valid_for("always-the-same", HOUR),
        });
        let outcome = scripted::<S>(&server, &credential).send(TestRequest::get(patients(&server))).await;
        // The caller gets the 401 rather than an error about the refresh.
        assert_eq!(outcome, Outcome::Response(401));
        assert_eq!((credential.forced_calls(), count(&server).await), (1, 1));
    }
}

async fn forbidden_response_does_not_refresh_token<S: Stack>() {
    let (server, credential) = (responding(ResponseTemplate::new(403)).await, credential());
    let stack: S = stack(&server, &credential);
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, Outcome::Response(403));
    assert_eq!((credential.calls(), count(&server).await), (1, 1));
}

async fn other_responses_are_returned_unchanged<S: Stack>() {
    for status in [201, 304, 307, 404, 412, 501] {
        let response = ResponseTemplate::new(status).insert_header("location", "http://127.0.0.1:1/r4");
        let (server, credential) = (responding(response).await, credential());
        let stack: S = stack(&server, &credential);
        assert_eq!(stack.send(TestRequest::get(patients(&server))).await, Outcome::Response(status));
        assert_eq!((credential.calls(), count(&server).await), (1, 1));
    }
}
