//! Tests of the requests and responses, without a connection.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::form_urlencoded;

use super::{endpoint::FakeTokenEndpoint, router::router};
use crate::{
    FakeClock, FakeCredential,
    token::{PRINCIPAL, TENANT, TokenClaims, check_token, unsigned_jwt},
};

const SCOPE: &str = "http://127.0.0.1:1/.default";
const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://issuer.example";
const SUBJECT: &str = "system:serviceaccount:records:worker";

/// An endpoint whose clock stands, and its router, which a test calls without TLS.
struct Fixture {
    endpoint: FakeTokenEndpoint,
    clock: FakeClock,
    router: Router,
}

/// The parameters of a request that are added, or removed if they are empty.
type Changes<'a> = &'a [(&'a str, &'a str)];

impl Fixture {
    async fn start() -> Self {
        let clock = FakeClock::new();
        let builder = FakeTokenEndpoint::builder().federated_credential(ISSUER, SUBJECT);
        let endpoint = builder.clock({
            let clock = clock.clone();
            move || clock.now()
        });
        let endpoint = endpoint.start().await;
        let router = router(Arc::clone(&endpoint.service));
        Self { endpoint, clock, router }
    }

    /// Returns the status and the JSON body of the response.
    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a token request with these parameters.
    async fn post(&self, tenant: &str, form: Changes<'_>, changes: Changes<'_>) -> (StatusCode, Value) {
        let form = form.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let changes = changes.iter().filter(|(_, value)| !value.is_empty());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form.chain(changes)).finish();
        let request = Request::post(format!("/{tenant}/oauth2/v2.0/token"))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Requests a token of the application with its secret.
    async fn with_secret(&self, changes: Changes<'_>) -> (StatusCode, Value) {
        let secret = self.endpoint.client_secret();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.endpoint.client_id()),
            ("client_secret", secret),
            ("scope", SCOPE),
        ];
        self.post(TENANT, &form, changes).await
    }

    /// Requests a token of the application with an assertion.
    async fn with_assertion(&self, assertion: &str) -> (StatusCode, Value) {
        let changes = [
            ("client_secret", ""),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
        ];
        self.with_secret(&changes).await
    }

    /// Requests a token of a user.
    async fn on_behalf_of(&self, assertion: &str, changes: Changes<'_>) -> (StatusCode, Value) {
        let mut all = vec![("grant_type", ON_BEHALF_OF), ("requested_token_use", "on_behalf_of")];
        all.push(("assertion", assertion));
        all.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        all.extend(changes);
        self.with_secret(&all).await
    }

    /// Returns the claims of an assertion of the application, with these changes.
    fn client_claims(&self, changes: &Value) -> String {
        merged(&self.endpoint.client_assertion(), changes)
    }
}

/// Returns an unsigned token with the claims of another one and these changes. `null` removes a claim.
fn merged(token: &str, changes: &Value) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    unsigned_jwt(&claims)
}

#[track_caller]
fn code(response: &(StatusCode, Value)) -> u64 {
    response.1["error_codes"][0].as_u64().unwrap_or_else(|| panic!("{response:?} is no error"))
}

#[track_caller]
fn access_token(response: &(StatusCode, Value)) -> &str {
    assert_eq!(response.0, 200, "{response:?}");
    response.1["access_token"].as_str().unwrap()
}

#[tokio::test]
async fn secret_and_assertions_get_a_token_that_the_fake_server_accepts() {
    let fixture = Fixture::start().await;
    let (id, secret) = (fixture.endpoint.client_id(), fixture.endpoint.client_secret());
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let basic = Request::post(format!("/{TENANT}/oauth2/v2.0/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", basic)
        .body(Body::from(format!("grant_type=client_credentials&scope={SCOPE}")));
    let other_audience = json!({ "aud": fixture.endpoint.service.registration.issuer() });
    for response in [
        fixture.with_secret(&[]).await,
        fixture.send(basic.unwrap()).await,
        fixture.with_assertion(&fixture.endpoint.client_assertion()).await,
        fixture.with_assertion(&fixture.client_claims(&other_audience)).await,
        fixture.with_assertion(&fixture.endpoint.federated_token(ISSUER, SUBJECT)).await,
    ] {
        let (_, body) = &response;
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3_600)));
        assert_eq!(body.get("scope"), None);
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", access_token(&response)).parse().unwrap());
        let now = fixture.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = check_token(&headers, "http://127.0.0.1:1", now).unwrap();
        assert_eq!((claims.text("appid"), claims.text("oid")), (Some(id), Some(PRINCIPAL)));
        assert_eq!((claims.text("idtyp"), claims.roles().count()), (Some("app"), 3));
    }
}

#[tokio::test]
async fn requests_with_wrong_parameters_are_rejected() {
    let fixture = Fixture::start().await;
    for (changes, expected) in [
        (&[("grant_type", "")][..], 900_144),
        (&[("grant_type", "x")], 70003),
        (&[("grant_type", "refresh_token")], 70003),
        (&[("resource", "https://x")], 901_002),
        (&[("scope", "")], 900_144),
        (&[("scope", "https://fhir")], 70011),
        (&[("scope", "https://fhir/user_impersonation")], 1_002_012),
        (&[("client_id", "")], 900_144),
        (&[("client_id", TENANT)], 700_016),
        (&[("client_secret", "x")], 7_000_215),
        (&[("client_secret", "")], 7_000_218),
        (&[("client_secret", ""), ("client_assertion", "x")], 900_144),
        (&[("client_assertion", "x"), ("client_assertion_type", "x")], 9_002_313),
    ] {
        let response = fixture.with_secret(changes).await;
        assert_eq!(code(&response), expected, "{changes:?}");
    }
    let (status, body) = fixture.with_secret(&[("scope", "")]).await;
    assert!(status == 400 && body["error_description"].as_str().unwrap().contains("'scope'"), "{body}");
    let (status, body) = fixture.with_secret(&[("grant_type", "refresh_token")]).await;
    assert_eq!((status, &body["error"]), (StatusCode::NOT_IMPLEMENTED, &json!("unsupported_grant_type")));
}

#[tokio::test]
async fn requests_for_another_tenant_are_rejected() {
    let fixture = Fixture::start().await;
    for (tenant, expected) in [
        ("0a1b2c3d-0000-4000-8000-5741d1000009", 90002),
        ("contoso.onmicrosoft.com", 90002),
        ("contoso", 900_023),
        ("contoso..com", 900_023),
        ("common", 50059),
        ("organizations", 50059),
    ] {
        assert_eq!(code(&fixture.post(tenant, &[], &[]).await), expected, "{tenant}");
        let configuration = fixture.get(&format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
        assert_eq!(code(&configuration), expected, "{tenant}");
    }
    assert_eq!(code(&fixture.post(&TENANT.to_uppercase(), &[], &[]).await), 900_144);
}

#[tokio::test]
async fn claims_of_a_client_assertion_are_checked() {
    let fixture = Fixture::start().await;
    let now = fixture.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (changes, expected) in [
        (json!({ "exp": now }), (401, 700_024)),
        (json!({ "exp": null }), (401, 700_024)),
        (json!({ "nbf": now + 1 }), (401, 700_024)),
        (json!({ "aud": "https://login.microsoftonline.com/common/v2.0" }), (401, 700_023)),
        (json!({ "aud": [fixture.endpoint.token_url().as_str()] }), (400, 50027)),
        (json!({ "sub": TENANT }), (401, 700_021)),
        (json!({ "iss": TENANT }), (401, 700_211)),
    ] {
        let response = fixture.with_assertion(&fixture.client_claims(&changes)).await;
        assert_eq!((response.0.as_u16(), code(&response)), expected, "{changes}");
    }
    assert_eq!(code(&fixture.with_assertion("x").await), 50027);
    let valid = fixture.client_claims(&json!({ "nbf": null }));
    access_token(&fixture.with_assertion(&valid).await);
    fixture.clock.advance(Duration::from_secs(600));
    assert_eq!(code(&fixture.with_assertion(&valid).await), 700_024);
}

#[tokio::test]
async fn federated_token_must_match_the_federated_credential() {
    let fixture = Fixture::start().await;
    let token = |issuer: &str, subject: &str| fixture.endpoint.federated_token(issuer, subject);
    let another_audience = merged(&token(ISSUER, SUBJECT), &json!({ "aud": "sts.amazonaws.com" }));
    for (token, expected) in [
        (token("https://other.example", SUBJECT), 700_211),
        (another_audience, 700_212),
        (token(ISSUER, "other"), 700_213),
        (token(ISSUER, &SUBJECT.to_uppercase()), 7_002_138),
    ] {
        let response = fixture.with_assertion(&token).await;
        assert_eq!((response.0.as_u16(), code(&response)), (401, expected));
    }
    let without = FakeTokenEndpoint::start().await;
    let without =
        Fixture { router: router(without.service.clone()), endpoint: without, clock: FakeClock::new() };
    assert_eq!(code(&without.with_assertion(&token(ISSUER, SUBJECT)).await), 70025);
}

#[tokio::test]
async fn on_behalf_of_request_gets_the_token_of_a_user() {
    let fixture = Fixture::start().await;
    for (scope, permissions, granted) in [
        (SCOPE, "user_impersonation", "http://127.0.0.1:1/user_impersonation"),
        ("openid api://x/read api://x/write offline_access", "read write", "api://x/read api://x/write"),
    ] {
        let response = fixture.on_behalf_of(&fixture.endpoint.user_assertion(), &[("scope", scope)]).await;
        let claims = TokenClaims::of(access_token(&response)).unwrap();
        assert_eq!((claims.text("scp"), claims.text("idtyp")), (Some(permissions), Some("user")));
        assert_eq!(claims.text("appid"), Some(fixture.endpoint.client_id()));
        assert_eq!(response.1["scope"], granted);
        assert_eq!(response.1.get("refresh_token"), None);
    }
}

#[tokio::test]
async fn claims_of_the_token_of_a_user_are_checked() {
    let fixture = Fixture::start().await;
    let user = |changes: Value| merged(&fixture.endpoint.user_assertion(), &changes);
    let client = fixture.endpoint.client_id();
    access_token(&fixture.on_behalf_of(&user(json!({ "aud": client })), &[]).await);
    let of_application = fixture.with_secret(&[("scope", &format!("api://{client}/.default"))]).await;
    for (assertion, expected) in [
        ("x".to_owned(), 50027),
        (user(json!({ "iss": "https://sts.windows.net/other/" })), 50013),
        (user(json!({ "aud": "https://fhir" })), 500_131),
        (access_token(&of_application).to_owned(), 7_000_114),
    ] {
        let response = fixture.on_behalf_of(&assertion, &[]).await;
        assert_eq!((response.0.as_u16(), code(&response)), (400, expected));
    }
    let valid = user(json!({}));
    for (changes, expected) in [
        (("assertion", ""), 900_144),
        (("requested_token_use", ""), 900_144),
        (("requested_token_use", "x"), 9_002_313),
    ] {
        assert_eq!(code(&fixture.on_behalf_of(&valid, &[changes]).await), expected, "{changes:?}");
    }
    fixture.clock.advance(Duration::from_secs(3_600));
    assert_eq!(code(&fixture.on_behalf_of(&valid, &[]).await), 500_133);
}

#[tokio::test]
async fn settings_change_the_tokens_and_the_application() {
    let endpoint = FakeTokenEndpoint::builder()
        .tenant_id("0a1b2c3d-0000-4000-8000-5741d1000009")
        .client_id("app")
        .client_secret("secret")
        .lifetime(Duration::from_secs(90))
        .roles(&["FHIR Data Reader"])
        .start()
        .await;
    let router = router(endpoint.service.clone());
    let fixture = Fixture { endpoint, clock: FakeClock::new(), router };
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "secret"),
        ("scope", SCOPE),
    ];
    let response = fixture.post("0a1b2c3d-0000-4000-8000-5741d1000009", &form, &[]).await;
    assert_eq!(response.1["expires_in"], 90);
    let claims = TokenClaims::of(access_token(&response)).unwrap();
    assert_eq!(claims.issuer(), "https://sts.windows.net/0a1b2c3d-0000-4000-8000-5741d1000009/");
    assert_eq!(claims.text("appid"), Some("app"));
    assert_eq!(claims.roles().collect::<Vec<_>>(), ["FHIR Data Reader"]);
}

#[tokio::test]
async fn injected_errors_have_the_body_of_an_entra_error() {
    let fixture = Fixture::start().await;
    fixture.clock.set(std::time::UNIX_EPOCH + Duration::from_secs(1_452_304_932));
    fixture.endpoint.inject_error(1, 500_011);
    let (status, body) = fixture.with_secret(&[]).await;
    let trace = body["trace_id"].as_str().unwrap();
    let expected = json!({
        "error": "invalid_resource",
        "error_description": format!(
            "AADSTS500011: The resource principal named http://127.0.0.1:1 was not found in the tenant named {TENANT}. \
             The request may have been sent to the wrong tenant. Trace ID: {trace} Correlation ID: {trace} Timestamp: \
             2016-01-09 02:02:12Z"
        ),
        "error_codes": [500_011],
        "timestamp": "2016-01-09 02:02:12Z",
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": "https://login.microsoftonline.com/error?code=500011",
    });
    assert_eq!((status.as_u16(), &body), (400, &expected));
    access_token(&fixture.with_secret(&[]).await);

    fixture.endpoint.inject_error(usize::MAX, 123);
    assert_eq!(code(&fixture.with_secret(&[]).await), 123);
    fixture.endpoint.clear_errors();
    access_token(&fixture.with_secret(&[]).await);
}

#[tokio::test]
async fn correlation_id_is_that_of_the_client_if_it_is_a_guid_and_trace_ids_are_unique() {
    let fixture = Fixture::start().await;
    let mut traces = Vec::new();
    for (sent, kept) in [("0a1b2c3d-0000-4000-8000-5741d1000007", true), ("x", false)] {
        let request = Request::post(format!("/{TENANT}/oauth2/v2.0/token")).header("client-request-id", sent);
        let (_, body) = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(body["correlation_id"] == sent, kept, "{body}");
        traces.push(body["trace_id"].clone());
    }
    assert_ne!(traces[0], traces[1]);
}

#[tokio::test]
async fn injected_status_has_no_json_and_its_delay_is_rounded_up() {
    let fixture = Fixture::start().await;
    for (wait, header) in
        [(None, None), (Some(Duration::ZERO), Some("0")), (Some(Duration::from_millis(1_001)), Some("2"))]
    {
        fixture.endpoint.inject_status(1, StatusCode::TOO_MANY_REQUESTS, wait);
        let request = Request::post(format!("/{TENANT}/oauth2/v2.0/token")).body(Body::empty()).unwrap();
        let response = fixture.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), header);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    }
    let codes: Vec<_> = fixture.endpoint.requests().iter().map(|request| request.error_code()).collect();
    assert_eq!(codes, [None; 3]);
}

#[tokio::test]
async fn requests_are_recorded_with_their_result_and_debug_output_shows_no_secret() {
    let fixture = Fixture::start().await;
    fixture.with_secret(&[]).await;
    fixture.with_secret(&[("client_secret", "hidden")]).await;
    fixture.on_behalf_of("eyJhidden", &[("client_secret", ""), ("client_assertion", "hidden")]).await;
    fixture.get(&format!("/{TENANT}/oauth2/v2.0/token")).await;
    let requests = fixture.endpoint.requests();
    let results: Vec<_> =
        requests.iter().map(|request| (request.status().as_u16(), request.error_code())).collect();
    assert_eq!(results, [(200, None), (401, Some(7_000_215)), (400, Some(900_144))]);

    let first = &requests[0];
    assert_eq!((first.tenant_id(), first.grant_type()), (TENANT, Some("client_credentials")));
    assert_eq!((first.client_id(), first.scope()), (Some(fixture.endpoint.client_id()), Some(SCOPE)));
    assert_eq!(first.parameter("client_secret"), Some(fixture.endpoint.client_secret()));
    assert_eq!(first.headers()["content-type"], "application/x-www-form-urlencoded");
    let shown = format!("{requests:?} {:?}", fixture.endpoint);
    assert!(shown.contains("client_credentials") && shown.contains(SCOPE), "{shown}");
    for secret in ["hidden", fixture.endpoint.client_secret(), "eyJ"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    fixture.endpoint.clear_requests();
    assert_eq!(fixture.endpoint.requests().len(), 0);
}

#[tokio::test]
async fn configuration_leads_to_the_token_endpoint() {
    let fixture = Fixture::start().await;
    let (status, body) = fixture.get("/common/discovery/instance?api-version=1.1").await;
    assert_eq!((status.as_u16(), &body["metadata"][0]["aliases"].as_array().unwrap().len()), (200, &1));
    let configuration = body["tenant_discovery_endpoint"].as_str().unwrap();
    let base = fixture.endpoint.authority_host();
    let path = configuration.strip_prefix(base.as_str()).unwrap();
    let (status, body) = fixture.get(&format!("/{path}")).await;
    assert_eq!(
        (status.as_u16(), &body["token_endpoint"]),
        (200, &json!(fixture.endpoint.token_url().as_str()))
    );
    let keys = body["jwks_uri"].as_str().unwrap().strip_prefix(base.as_str()).unwrap();
    assert_eq!(fixture.get(&format!("/{keys}")).await, (StatusCode::OK, json!({ "keys": [] })));
}

#[tokio::test]
async fn other_paths_and_methods_are_not_supported() {
    let fixture = Fixture::start().await;
    let (status, body) = fixture.get(&format!("/{TENANT}/oauth2/v2.0/token")).await;
    assert_eq!((status.as_u16(), &body["error_codes"][0]), (400, &json!(900_561)));
    for path in
        [format!("/{TENANT}/oauth2/token"), format!("/{TENANT}/oauth2/v2.0/authorize"), "/".to_owned()]
    {
        let (status, body) = fixture.get(&path).await;
        assert_eq!(status, 501);
        assert!(body["error_description"].as_str().unwrap().ends_with(&format!("GET {path}")), "{body}");
    }
    let delete = Request::delete("/common/discovery/instance").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(delete).await.0, 501);
}

#[tokio::test]
async fn token_of_another_application_has_another_audience() {
    use azure_core::credentials::TokenCredential;
    let fixture = Fixture::start().await;
    let token = FakeCredential::new().get_token(&["https://fhir/.default"], None).await.unwrap();
    assert_eq!(code(&fixture.on_behalf_of(token.token.secret(), &[]).await), 500_131);
}
