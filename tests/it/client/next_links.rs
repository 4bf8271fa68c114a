//! Absolute URLs that a service returns are used unchanged inside the audience and rejected outside.

#![cfg(feature = "client")]

use std::collections::BTreeSet;

use azure_healthcare_auth::{ErrorKind, HealthcareClient};
use azure_healthcare_auth_testing::FakeServer;
use serde_json::Value;

use crate::wire::{count, credential, fhir, service};

fn next(bundle: &Value) -> Option<&str> {
    bundle["link"].as_array()?.iter().find(|link| link["relation"] == "next")?["url"].as_str()
}

#[tokio::test]
async fn next_links_lead_to_the_last_page() {
    let fake_server = FakeServer::start().await;
    let client = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    let (mut ids, mut pages) = (BTreeSet::new(), 0);
    let mut page: Value = client.get("Patient").query("_count", "4").send().await.unwrap().json().unwrap();
    loop {
        pages += 1;
        for entry in page["entry"].as_array().unwrap() {
            assert!(ids.insert(entry["resource"]["id"].as_str().unwrap().to_owned()));
        }
        let Some(url) = next(&page) else { break };
        page = client.get(url).send().await.unwrap().json().unwrap();
    }
    assert_eq!((ids.len(), pages), (25, 7));
    assert_eq!(fake_server.credential().calls(), 1);
}

#[tokio::test]
async fn query_of_an_absolute_url_is_sent_verbatim() {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential());
    for query in
        ["ct=W3sidG9rZW4iOiIrL1x1MDAzZCJ9XQ%3D%3D&_count=10", "a=%e2%9c%93&b=+&c=%2B&&d", "x=%zz&y=a%20b"]
    {
        client.get(format!("{}/Patient?{query}", server.uri())).send().await.unwrap();
        assert_eq!(server.received_requests().await.unwrap().pop().unwrap().url.query(), Some(query));
    }
}

#[tokio::test]
async fn absolute_url_of_another_origin_is_rejected_before_a_token_is_fetched() {
    let (server, blobs, tokens) = (service().await, service().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let error =
        client.get(format!("{}/export/Patient-1.ndjson?sig=canary", blobs.uri())).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UrlNotAllowed);
    let text = error.to_string();
    assert!(
        text.contains(&server.uri()) && text.contains(&blobs.uri()) && !text.contains("canary"),
        "{text}"
    );
    assert_eq!((tokens.calls(), count(&server).await, count(&blobs).await), (0, 0, 0));
}
