//! The same promises, in the same tests, by our client and by each adapter.

mod fetches;
mod stacks;

use std::sync::Arc;

use crate::support::{CallResult, HOUR, TestCredential, token_valid_for};
use crate::wire::{
    Fixed, HOSTILE, Service, answering, authorizations, broken_credential, count, credential, fhir,
    refusing_the_first, service,
};
use azure_healthcare_auth::{
    Audience, Authenticator, ErrorKind, FhirAudience, HealthcareAuth, Result, testing::ScriptedCredential,
};
use fetches::*;
use http::{HeaderValue, Method};
use stacks::{Outcome, Sent, Subject};
use url::Url;
use wiremock::ResponseTemplate;

macro_rules! promises {
    ($($stack:ident: $subject:ty,)*) => { $(
        mod $stack {
            promises! { @each $subject:
                one_bearer_header_on_every_method
                in_place_of_the_callers_own
                by_whatever_implements_the_trait
                no_token_no_request
                nothing_leaves_the_service
                nothing_leaves_it_under_another_host_or_by_a_method_that_shows_it
                even_where_who_gives_the_token_would_let_it
                a_refused_token_is_replaced_and_the_whole_sent_again
                once_and_never_again
                not_with_the_same_token
                not_where_there_is_no_other
                never_after_a_403
                other_answers_are_handed_on
                a_refresh_that_is_due_is_begun_and_not_waited_for
                a_thousand_who_come_first_make_one_call
                a_thousand_who_are_refused_make_one_more
                who_is_cancelled_cancels_nobody_else
                a_fetch_goes_on_without_who_began_it
            }
        }
    )* };
    (@each $subject:ty: $($promise:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            crate::adapters::contract::$promise::<$subject>().await;
        }
    )* };
}

promises! {
    client: super::stacks::Clients,
    reqwest_middleware: super::stacks::Middlewared,
    tower: super::stacks::Layered,
    azure_core: super::stacks::Policied,
}

const OK: Outcome = Outcome::Answered(200);

fn patients(server: &Service) -> String {
    format!("{}/Patient", server.uri())
}

fn subject<S: Subject>(server: &Service, tokens: &Arc<ScriptedCredential>) -> S {
    S::new(Arc::new(Authenticator::new(fhir(server), tokens.clone())))
}

fn scripted<S: Subject>(server: &Service, credential: &Arc<TestCredential>) -> S {
    let clock = credential.clock.clone();
    let auth = Authenticator::builder(fhir(server), credential.clone()).clock(move || clock.now()).build();
    S::new(Arc::new(auth))
}

async fn one_bearer_header_on_every_method<S: Subject>() {
    let (server, tokens) = (answering(ResponseTemplate::new(200)).await, credential());
    let subject: S = subject(&server, &tokens);
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for method in methods.clone() {
        let request = Sent::new(method, patients(&server)).header("content-type", "text/plain");
        assert_eq!(subject.send(request).await, OK);
    }
    assert_eq!(authorizations(&server).await, vec!["Bearer token-1"; methods.len()]);
    assert_eq!(tokens.calls(), 1);
}

async fn in_place_of_the_callers_own<S: Subject>() {
    let (server, tokens) = (refusing_the_first().await, credential());
    let subject: S = subject(&server, &tokens);
    for name in ["authorization", "Authorization", "AUTHORIZATION"] {
        let request = Sent::get(patients(&server)).header(name, "Basic mine").header(name, "Basic other");
        assert_eq!(subject.send(request).await, OK);
    }
    let expected = ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-2"];
    assert_eq!(authorizations(&server).await, expected);
}

async fn by_whatever_implements_the_trait<S: Subject>() {
    let server = service().await;
    let subject = S::new(Arc::new(Fixed(fhir(&server))));
    assert_eq!(subject.send(Sent::get(patients(&server))).await, OK);
    assert_eq!(authorizations(&server).await, ["Bearer fixed"]);
}

async fn no_token_no_request<S: Subject>() {
    let (server, tokens) = (service().await, broken_credential());
    let subject: S = subject(&server, &tokens);
    for method in [Method::GET, Method::POST] {
        let outcome = subject.send(Sent::new(method, patients(&server))).await;
        assert_eq!(outcome, Outcome::Failed(ErrorKind::Credential));
    }
    assert_eq!(count(&server).await, 0);
}

async fn nothing_leaves_the_service<S: Subject>() {
    let (server, tokens) = (service().await, credential());
    let root = server.uri();
    let audience: FhirAudience = format!("{root}/r4").parse().unwrap();
    let host = root.strip_prefix("http://").unwrap();
    let fill = |text: &str| text.replace("{root}", &root).replace("{host}", host);
    let subject = S::new(Arc::new(Authenticator::new(audience.clone(), tokens.clone())));

    let mut refused = 0;
    for hostile in HOSTILE.iter().map(|hostile| fill(hostile)) {
        // What is mended before the subject sees it may lead inside: then that is what it is given, and what it sends.
        if S::MENDS && Url::parse(&hostile).is_ok_and(|url| audience.check_url(&url).is_ok()) {
            continue;
        }
        for method in [Method::GET, Method::POST] {
            let outcome = subject.send(Sent::new(method, &hostile)).await;
            let failed = outcome == Outcome::Failed(ErrorKind::UrlNotAllowed);
            assert!(failed || outcome == Outcome::Unspeakable, "{hostile}: {outcome:?}");
            refused += usize::from(failed);
        }
    }
    assert!(refused >= 80, "{refused}");
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));

    for inside in ["/r4", "/r4/", "/r4/Patient", "/r4/Patient/$everything", "/r4/Patient?a=../%2e%2e/x"] {
        assert_eq!(subject.send(Sent::get(format!("{root}{inside}"))).await, OK, "{inside}");
        let request = server.received_requests().await.unwrap().pop().unwrap();
        assert_eq!(&request.url[url::Position::BeforePath..], inside);
    }
}

async fn nothing_leaves_it_under_another_host_or_by_a_method_that_shows_it<S: Subject>() {
    let (server, tokens) = (service().await, credential());
    let subject: S = subject(&server, &tokens);
    for request in [
        Sent::get(patients(&server)).header("host", "evil.example"),
        Sent::get(patients(&server)).header("Host", "127.0.0.1"),
        Sent::new(Method::TRACE, patients(&server)),
        Sent::new(Method::CONNECT, patients(&server)),
        Sent::new("trace".parse().unwrap(), patients(&server)),
        Sent::new("TRACK".parse().unwrap(), patients(&server)),
    ] {
        let outcome = subject.send(request).await;
        let refused = [ErrorKind::UrlNotAllowed, ErrorKind::Request].map(Outcome::Failed).contains(&outcome);
        assert!(refused || outcome == Outcome::Unspeakable, "{outcome:?}");
    }
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));
}

async fn even_where_who_gives_the_token_would_let_it<S: Subject>() {
    struct Careless(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for Careless {
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

    let (server, elsewhere) = (service().await, service().await);
    let subject = S::new(Arc::new(Careless(fhir(&server))));
    let outcome = subject.send(Sent::get(patients(&elsewhere))).await;
    assert_eq!(outcome, Outcome::Failed(ErrorKind::UrlNotAllowed));
    assert_eq!(count(&elsewhere).await, 0);
}

async fn a_refused_token_is_replaced_and_the_whole_sent_again<S: Subject>() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (server, tokens) = (refusing_the_first().await, credential());
        let subject: S = subject(&server, &tokens);
        let request = Sent::new(method, format!("{}?_count=10", patients(&server)))
            .header("content-type", "application/fhir+json")
            .header("x-note", "kept")
            .body("the whole body");
        assert_eq!(subject.send(request).await, OK);
        assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);
        let [first, second] = &server.received_requests().await.unwrap()[..] else { panic!() };
        assert_eq!((&first.method, &first.url, &first.body), (&second.method, &second.url, &second.body));
        assert_eq!(second.body, b"the whole body");
        for name in ["content-type", "x-note"] {
            assert_eq!(first.headers.get(name), second.headers.get(name));
        }
        assert_eq!((second.headers["x-note"].as_bytes(), tokens.calls()), (&b"kept"[..], 2));
    }
}

async fn once_and_never_again<S: Subject>() {
    let (server, tokens) = (answering(ResponseTemplate::new(401)).await, credential());
    let subject: S = subject(&server, &tokens);
    assert_eq!(subject.send(Sent::new(Method::POST, patients(&server))).await, Outcome::Answered(401));
    assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);
    // The next call that a refusal could force is 30 s away.
    assert_eq!(subject.send(Sent::get(patients(&server))).await, Outcome::Answered(401));
    assert_eq!((tokens.calls(), count(&server).await), (2, 3));
}

async fn not_with_the_same_token<S: Subject>() {
    struct Stubborn(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for Stubborn {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer same"))
        }

        async fn refresh_rejected(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>> {
            Ok(Some(refused.clone()))
        }
    }

    let server = answering(ResponseTemplate::new(401)).await;
    let subject = S::new(Arc::new(Stubborn(fhir(&server))));
    assert_eq!(subject.send(Sent::get(patients(&server))).await, Outcome::Answered(401));
    assert_eq!(count(&server).await, 1);
}

async fn not_where_there_is_no_other<S: Subject>() {
    for forced_fails in [true, false] {
        let server = answering(ResponseTemplate::new(401)).await;
        let credential = TestCredential::new(move |call| match call.forced && forced_fails {
            true => CallResult::Error,
            false => token_valid_for("always-the-same", HOUR),
        });
        let outcome = scripted::<S>(&server, &credential).send(Sent::get(patients(&server))).await;
        // The refusal is the news, not that there was no other token.
        assert_eq!(outcome, Outcome::Answered(401));
        assert_eq!((credential.forced_calls(), count(&server).await), (1, 1));
    }
}

async fn never_after_a_403<S: Subject>() {
    let (server, tokens) = (answering(ResponseTemplate::new(403)).await, credential());
    let subject: S = subject(&server, &tokens);
    assert_eq!(subject.send(Sent::get(patients(&server))).await, Outcome::Answered(403));
    assert_eq!((tokens.calls(), count(&server).await), (1, 1));
}

async fn other_answers_are_handed_on<S: Subject>() {
    for status in [201, 304, 307, 404, 412, 501] {
        let answer = ResponseTemplate::new(status).insert_header("location", "http://127.0.0.1:1/r4");
        let (server, tokens) = (answering(answer).await, credential());
        let subject: S = subject(&server, &tokens);
        assert_eq!(subject.send(Sent::get(patients(&server))).await, Outcome::Answered(status));
        assert_eq!((tokens.calls(), count(&server).await), (1, 1));
    }
}
