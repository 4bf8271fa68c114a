//! No token and no request is sent to another origin or outside the base path, whether by a URL, a redirect or a proxy.

#![cfg(feature = "client")]

use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience, HealthcareClient};
use http::Method;
use url::Url;
use wiremock::ResponseTemplate;

use crate::wire::{HOSTILE, authorizations, count, credential, dicom, fhir, responding, service};

/// URLs that parse and are outside the audience.
const OUTSIDE: &[&str] = &[
    "https://evil.example/r4/Patient",
    "https://{host}/r4/Patient",
    "http://127.0.0.1:1/r4/Patient",
    "http://user@{host}/r4/Patient",
    "{root}/r4/Patient#fragment",
    "{root}/",
    "{root}/r40/Patient",
    "{root}/R4/Patient",
    "{root}/r4/..%2fadmin",
    "{root}/r4/%c0%ae%c0%ae/admin",
    "{root}/r4/..;/admin",
    "{root}/r4/..%20/admin",
    "{root}//r4/Patient",
    "data:text/plain,x",
];

/// Paths and URLs that are inside the audience, and the request target that is sent.
const INSIDE: &[(&str, &str)] = &[
    ("", "/r4/"),
    ("/", "/r4/"),
    ("Patient", "/r4/Patient"),
    ("/Patient", "/r4/Patient"),
    ("Patient?_count=10", "/r4/Patient?_count=10"),
    ("?_type=Patient", "/r4/?_type=Patient"),
    ("Patient/1/_history/2", "/r4/Patient/1/_history/2"),
    ("Patient/a.b-c", "/r4/Patient/a.b-c"),
    ("Patient/$everything", "/r4/Patient/$everything"),
    ("Patient?url=http://evil.example/../x", "/r4/Patient?url=http://evil.example/../x"),
    ("Patient?a=%2e%2e%2f", "/r4/Patient?a=%2e%2e%2f"),
    ("Patient/a b", "/r4/Patient/a%20b"),
    ("Patient/ä", "/r4/Patient/%C3%A4"),
    ("{base}", "/r4/"),
    ("{root}/r4", "/r4"),
    (
        "{base}Patient?ct=W3sidG9rZW4iOiIrKyJ9XQ%3D%3D&_count=10",
        "/r4/Patient?ct=W3sidG9rZW4iOiIrKyJ9XQ%3D%3D&_count=10",
    ),
    ("{base}_operations/export/1", "/r4/_operations/export/1"),
    ("HTTP://{host}/r4/Patient", "/r4/Patient"),
];

#[tokio::test]
async fn hostile_url_is_rejected_before_a_token_is_fetched() {
    let (server, tokens) = (service().await, credential());
    let root = server.uri();
    let audience: FhirAudience = format!("{root}/r4").parse().unwrap();
    let base = audience.endpoint().to_string();
    let host = root.strip_prefix("http://").unwrap();
    let fill = |text: &str| text.replace("{root}", &root).replace("{base}", &base).replace("{host}", host);

    let auth = Authenticator::new(audience.clone(), tokens.clone());
    let client = HealthcareClient::from(auth.clone());
    // The fragment is not in `HOSTILE`, because `http::Uri` drops fragments, so that the `tower` layer never sees one.
    for hostile in HOSTILE.iter().chain(&["{base}#fragment"]) {
        let given = fill(hostile);
        for method in [Method::GET, Method::POST] {
            let error = client.request(method, &given).send().await.expect_err(&given);
            assert_eq!(error.kind(), ErrorKind::UrlNotAllowed, "{given}: {error}");
        }
        let error = client.get(&given).query("a", "b").stream().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UrlNotAllowed, "{given}");
    }
    // The same decision for parsed URLs, which no longer contain what the parser normalizes.
    for outside in OUTSIDE {
        let url = Url::parse(&fill(outside)).unwrap();
        assert_eq!(auth.authorization_for(&url).await.unwrap_err().kind(), ErrorKind::UrlNotAllowed, "{url}");
        assert_eq!(audience.check_url(&url).unwrap_err().kind(), ErrorKind::UrlNotAllowed, "{url}");
    }
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));

    for (given, expected) in INSIDE {
        client.get(fill(given)).send().await.unwrap_or_else(|error| panic!("{given}: {error}"));
        let request = server.received_requests().await.unwrap().pop().unwrap();
        let sent = &request.url[url::Position::BeforePath..];
        assert_eq!(sent, *expected, "{given}");
    }
}

#[tokio::test]
async fn url_error_shows_only_the_two_origins() {
    let audience = FhirAudience::workspace("contoso", "records").build().unwrap();
    let error = audience.url("https://evil.example/Patient/canary?name=canary").unwrap_err().to_string();
    assert!(
        error.contains("https://evil.example") && error.contains("https://contoso-records.fhir."),
        "{error}"
    );
    for path in
        ["../canary", "//canary/x", "canary:x", "canary\\x", "https://contoso.example/canary?canary#canary"]
    {
        let error = audience.url(path).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, tokens) = (service().await, credential());
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/stolen", elsewhere.uri());
        let server = responding(ResponseTemplate::new(status).insert_header("location", location)).await;
        // The caller's redirect policy has no effect.
        let client = HealthcareClient::builder(fhir(&server), tokens.clone())
            .configure_http(|http| http.redirect(reqwest::redirect::Policy::limited(5)))
            .build()
            .unwrap();
        let response = client.get("Patient").send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.json::<serde_json::Value>().unwrap_err().kind(), ErrorKind::Status);
        assert_eq!(count(&server).await, 1);
    }
    assert_eq!(count(&elsewhere).await, 0);
}

#[tokio::test]
async fn loopback_service_is_not_reached_through_a_proxy() {
    let (server, proxy) = (service().await, service().await);
    let proxy_setting = reqwest::Proxy::all(proxy.uri()).unwrap();
    let client = HealthcareClient::builder(fhir(&server), credential())
        .configure_http(move |http| http.proxy(proxy_setting.clone()))
        .build()
        .unwrap();
    client.get("Patient").send().await.unwrap();
    assert_eq!((count(&server).await, count(&proxy).await), (1, 0));
}

#[tokio::test]
async fn proxy_of_a_remote_service_is_not_used_for_a_loopback_service() {
    let (server, proxy) = (service().await, service().await);
    let remote: FhirAudience = "https://fhir.contoso.example".parse().unwrap();
    let proxy_setting = reqwest::Proxy::all(proxy.uri()).unwrap();
    let client = HealthcareClient::builder(remote, credential())
        // Machines without CA certificates build the remote client too.
        .configure_http(move |http| http.proxy(proxy_setting.clone()).tls_certs_only([]))
        .build()
        .unwrap();
    client.for_audience(fhir(&server)).unwrap().get("Patient").send().await.unwrap();
    assert_eq!((count(&server).await, count(&proxy).await), (1, 0));
}

#[tokio::test]
async fn services_of_one_credential_get_their_own_tokens() {
    let (records, imaging, tokens) = (service().await, service().await, credential());
    let fhir = HealthcareClient::new(fhir(&records), tokens.clone());
    let dicom = fhir.for_audience(dicom(&imaging)).unwrap();
    for _ in 0..3 {
        fhir.get("Patient").send().await.unwrap();
        dicom.get("changefeed").send().await.unwrap();
    }
    assert_eq!(authorizations(&records).await, ["Bearer token-1"; 3]);
    assert_eq!(authorizations(&imaging).await, ["Bearer token-2"; 3]);
    assert_eq!(
        tokens.scopes(),
        [format!("{}/.default", records.uri()), "https://dicom.healthcareapis.azure.com/.default".into()]
    );
    let other_service = fhir.get(format!("{}/v2/changefeed", imaging.uri())).send().await.unwrap_err();
    assert_eq!(other_service.kind(), ErrorKind::UrlNotAllowed);
}

#[tokio::test]
async fn unsafe_methods_and_headers_are_rejected_before_a_token_is_fetched() {
    let (server, tokens) = (service().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    for request in [
        client.request(Method::TRACE, "Patient"),
        client.request(Method::CONNECT, "Patient"),
        client.request("trace".parse().unwrap(), "Patient"),
        client.request("TRACK".parse().unwrap(), "Patient"),
        client.post("Patient").header("content-length", "2").body("xxxx"),
        client.post("Patient").header("transfer-encoding", "gzip").body("xxxx"),
        client.get("Patient").header("connection", "close"),
        client.get("Patient").header("Host", "evil.example"),
        client.get("Patient").header("Authorization", "Basic mine"),
        client.get("Patient").header("x\ny", "z"),
        client.get("Patient").header("x", "y\r\nz"),
    ] {
        assert_eq!(request.send().await.unwrap_err().kind(), ErrorKind::Request);
    }
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));
}
