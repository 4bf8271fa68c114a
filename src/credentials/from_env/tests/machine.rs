//! A managed identity that is not the only choice: it is looked for, and passed over where there is none.

use std::{sync::Arc, time::Duration};

use azure_core::{credentials::TokenCredential, http::Transport};
use tokio::time::Instant;

use super::{
    super::{
        authority::Authority,
        member,
        plan::{App, Env, Member},
    },
    entra::{
        Answer::{self, Broken, Never, Page, Proxied, Status, Token},
        Entra,
    },
};
use crate::credentials::ChainedTokenCredential;

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

/// A chain of the machine's identity and of an app, both of which ask the same stand-in.
fn chain(answers: &[Answer]) -> (Arc<Entra>, Arc<ChainedTokenCredential>) {
    with_app(answers, true)
}

/// The same of App Service's identity, if it is not that of the Instance Metadata Service.
fn with_app(answers: &[Answer], imds: bool) -> (Arc<Entra>, Arc<ChainedTokenCredential>) {
    let entra = Entra::new(answers);
    let authority = Authority::read(&Env(&|_| None)).unwrap();
    let app = App { tenant: "tenant".into(), client: "client".into(), authority };
    let plan = vec![
        Member::ManagedIdentity { client: Some("client".into()), imds },
        Member::ClientSecret { app, secret: "secret".into() },
    ];
    let chain = member::chain(plan, Some(&Transport::new(entra.clone()))).unwrap();
    (entra, chain)
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_there_is_passed_over_within_a_second() {
    let there = Status(400, "Required metadata header not specified");
    let second = Duration::from_secs(1);
    // How the tries end, and the most time until the app is asked.
    for (answers, most) in [
        (&[Broken("No route to host"), Token("of-the-app")][..], Duration::ZERO),
        (&[Broken("Connection refused"), Token("of-the-app")], Duration::ZERO),
        // Another cloud's machine, and a proxy.
        (&[Status(404, ""), Token("of-the-app")], Duration::ZERO),
        (&[Status(502, ""), Token("of-the-app")], Duration::ZERO),
        (&[Status(504, ""), Token("of-the-app")], Duration::ZERO),
        (&[Page(503), Token("of-the-app")], Duration::ZERO),
        (&[Page(400), Token("of-the-app")], Duration::ZERO),
        (&[Proxied(503), Token("of-the-app")], Duration::ZERO),
        // Docker Desktop.
        (&[Status(403, "unreachable"), Token("of-the-app")], Duration::ZERO),
        (&[there, Status(400, "Identity not found"), Token("of-the-app")], Duration::ZERO),
    ] {
        let started = Instant::now();
        let (entra, chain) = chain(answers);
        let token = chain.get_token(&[SCOPE], None).await.unwrap();
        assert_eq!(
            (token.token.secret(), chain.selected()),
            ("of-the-app", Some("client secret")),
            "{answers:?}"
        );
        assert_eq!(entra.asked().len(), answers.len(), "{answers:?}");
        assert!(started.elapsed() <= most, "{answers:?}");
    }
    // The address swallows what is sent to it.
    let (_, chain) = chain(&[Never]);
    let started = Instant::now();
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err().to_string();
    assert!(error.contains("managed identity: there is no managed identity here"), "{error}");
    assert_eq!(started.elapsed(), second + super::super::patience::PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_there_is_looked_for_once_and_keeps_the_chain() {
    let there = Status(400, "Required metadata header not specified");
    let (entra, chain) = chain(&[there, Token("of-the-machine")]);
    for scope in [SCOPE, "https://dicom.healthcareapis.azure.com/.default"] {
        assert_eq!(chain.get_token(&[scope], None).await.unwrap().token.secret(), "of-the-machine");
    }
    assert_eq!((chain.selected(), entra.asked().len()), (Some("managed identity"), 3));
    assert!(entra.asked()[1].0.contains("client_id=client"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_there_and_fails_stops_the_chain() {
    let there = Status(400, "Required metadata header not specified");
    for (answer, told, may_pass) in [
        (Status(500, "busy"), "managed identity: ", true),
        (Status(503, "busy"), "within 15 s: it answered 503", true),
        (Status(502, "busy"), "answered 502", true),
        (Status(404, "updating"), "managed identity: ", true),
        (Status(410, "updating"), "within 15 s: it answered 410", true),
        (Broken("connection reset"), "connection reset", true),
        (Never, "within 15 s: no answer", true),
        (Status(403, "not allowed"), "not allowed", false),
        (
            Status(400, "AADSTS500011: no such resource"),
            "managed identity: AADSTS500011: no such resource",
            false,
        ),
        (
            Status(400, "Multiple user assigned identities exist, please specify the clientId"),
            "managed identity: Multiple user assigned identities exist, please specify the clientId",
            false,
        ),
    ] {
        let (_, chain) = chain(&[there, answer]);
        let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
        let outcome = error.to_string();
        assert!(outcome.contains(told) && !outcome.contains("client secret"), "{answer:?}: {outcome}");
        assert_eq!(crate::Error::from(error).is_transient(), may_pass, "{answer:?}: {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_busy_when_it_is_looked_for_is_there() {
    for status in [408, 410, 429, 500, 503] {
        let (_, chain) = chain(&[Status(status, "busy"), Token("of-the-machine")]);
        chain.get_token(&[SCOPE], None).await.unwrap();
        assert_eq!(chain.selected(), Some("managed identity"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_whose_address_is_set_is_there_and_not_looked_for() {
    for (answer, told) in
        [(Broken("Connection refused"), "Connection refused"), (Never, "no answer"), (Status(502, ""), "502")]
    {
        let (_, chain) = with_app(&[answer], false);
        let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
        let outcome = error.to_string();
        assert!(outcome.contains(told), "{answer:?}: {outcome}");
        assert!(!outcome.contains("client secret"), "{answer:?}: {outcome}");
        assert!(crate::Error::from(error).is_transient(), "{answer:?}: {outcome}");
    }
    let (entra, chain) = with_app(&[Token("of-the-machine")], false);
    assert_eq!(chain.get_token(&[SCOPE], None).await.unwrap().token.secret(), "of-the-machine");
    assert_eq!(entra.asked().len(), 1);
}
