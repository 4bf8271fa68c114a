//! The fake server: each fault and each rejected token in each challenge format, and the output of its own types.

use std::{sync::Arc, time::Duration};

use azure_healthcare_auth::{Audience, DenialCause, DicomVersion, ErrorKind, HealthcareClient, Result};
use azure_healthcare_auth_testing::{
    ChallengeFormat, ChangeTiming, FakeChange, FakeClock, FakeCredential, FakeServer, FakeServerBuilder,
    Fault, RequestFilter, ScriptedCredential, bearer_for, dicom_file, no_authorization,
};
use http::StatusCode;
use serde_json::json;
use wiremock::{Mock, ResponseTemplate};

use super::{
    capture::{capture_debug, capture_error, cover},
    marker::{OTHER_TOKEN, TOKEN},
    requests::outcome,
    test_credential::TestCredential,
    wire::{fhir, responding, service},
};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) async fn run() {
    for format in [ChallengeFormat::Managed, ChallengeFormat::OpenSource] {
        capture_debug(&format);
        cover(format!("ChallengeFormat::{format:?}"));
        faults(builder().challenge_format(format).start().await).await;
    }
    unusual_denials().await;
    rejected_tokens().await;
    matchers().await;
}

fn builder() -> FakeServerBuilder {
    let patient =
        json!({ "resourceType": "Patient", "id": "canaryid", "name": [{ "family": "canaryname" }] });
    let observation = json!({
        "resourceType": "Observation", "id": "canaryid", "status": "final", "code": { "text": "canarybody" },
        "subject": { "reference": "Patient/canaryid" },
    });
    let instance = json!({
        "00080018": { "vr": "UI", "Value": ["2.25.5741"] }, "00100020": { "vr": "LO", "Value": ["canaryid"] },
        "0020000D": { "vr": "UI", "Value": ["2.25.5742"] }, "0020000E": { "vr": "UI", "Value": ["2.25.5743"] },
    });
    let file = dicom_file(&instance);
    cover("dicom_file");
    let builder = FakeServer::builder().resource(&patient).resource(&observation);
    let builder = builder.instance(&instance).instance_file(file);
    capture_debug(&builder);
    builder
}

/// Sends a few requests to both services.
async fn send<A: Audience, B: Audience>(fhir: &HealthcareClient<A>, dicom: &HealthcareClient<B>) {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let search = fhir.post("Patient/_search").header(form.0, form.1).body("name=canaryname");
    let create = fhir.post("Patient").json(&json!({ "resourceType": "Patient", "id": "canaryid" }));
    for request in [fhir.get("Patient/canaryid").query("name", "canaryname"), search, create] {
        capture_result(request.send().await);
    }
    let store = dicom.post("studies").header("content-type", "application/dicom").body("canarybody");
    let search = dicom.get("studies").query("PatientName", "canaryname");
    for request in [search, dicom.post("studies/canaryid"), store] {
        capture_result(request.send().await);
    }
}

fn capture_result(result: Result<azure_healthcare_auth::Response>) {
    match result {
        Ok(response) => capture_debug(&response),
        Err(error) => drop(capture_error(&error)),
    }
}

async fn faults(fake_server: FakeServer) {
    let clients = |credential: Arc<FakeCredential>| {
        capture_debug(&*credential);
        let fhir = HealthcareClient::new(fake_server.fhir(), credential);
        let dicom = fhir.for_audience(fake_server.dicom(DicomVersion::V1)).unwrap();
        (fhir, dicom)
    };
    let (fhir, dicom) = clients(fake_server.credential());
    send(&fhir, &dicom).await;
    for fault in [
        Fault::WrongAudience,
        Fault::Expired,
        Fault::NotYetValid,
        Fault::WrongTenant,
        Fault::InvalidSignature,
        Fault::UnknownKey,
        Fault::MissingRole,
        Fault::Throttled(24 * HOUR),
        Fault::Status(StatusCode::FAILED_DEPENDENCY),
        Fault::Delay(Duration::from_millis(1)),
        Fault::TruncatedBody,
    ] {
        capture_debug(&fault);
        cover(format!("Fault::{}", format!("{fault:?}").split('(').next().unwrap()));
        let filter = RequestFilter::all().path_prefix("/canaryid");
        capture_debug(&filter);
        fake_server.inject_fault(RequestFilter::all(), fault);
        let request = fhir.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
        capture_result(request.send().await);
        let request = dicom.post("studies/canaryid").query("PatientName", "canaryname").body("canarybody");
        capture_result(request.send().await);
        fake_server.clear_faults();
    }
    let slash = format!("{}/", fake_server.fhir().resource());
    for credential in [
        FakeCredential::new().with_audience("https://wrong.example"),
        FakeCredential::new().with_audience(slash),
        FakeCredential::new().with_tenant("0a1b2c3d-0000-4000-8000-5741d1000009"),
        FakeCredential::new().with_lifetime(HOUR).expired(),
        FakeCredential::new().without_role(),
        FakeCredential::new().with_roles(&["FHIR Data Reader"]),
    ] {
        let (fhir, dicom) = clients(Arc::new(credential));
        send(&fhir, &dicom).await;
    }
    capture_debug(&fake_server);
    capture_debug(&fake_server.requests()[..]);
    let first = fake_server.requests().remove(0);
    capture_debug(&first);
    capture_debug(&first.service());
    capture_debug(&FakeClock::new());
    let change = FakeChange::create(["canaryid"; 3]).metadata(&json!({ "canarybody": "canaryname" }));
    capture_debug(&change);
    capture_debug(&ChangeTiming::new());
    fake_server.add_change(change);
    capture_debug(&fake_server);
}

/// Denials that the fake server cannot produce.
async fn unusual_denials() {
    for (status, code, cause) in [
        (401, "login", DenialCause::Unknown),
        (403, "forbidden", DenialCause::MissingRole),
        (403, "not-supported", DenialCause::NotRoleRelated),
        (403, "canarydiagnostics", DenialCause::Unknown),
    ] {
        let server = responding(outcome(status, code)).await;
        let client = TestCredential::Valid.client(fhir(&server));
        let request = client.get("Patient/canaryid").query("name", "canaryname");
        let error = request.send().await.unwrap_err();
        assert_eq!(capture_error(&error), ErrorKind::Denied);
        assert_eq!(error.denial().unwrap().cause(), cause);
    }
    // A gateway that reports the URL of the request as the resource.
    for resource in [
        "http://records/Patient/canaryid",
        "http://records?name=canaryname",
        "Patient/canaryid",
        "http://records/Patient%2Fcanaryid",
    ] {
        let challenge =
            format!("Bearer resource_id=\"{resource}\", error_description=\"The audience is invalid\"");
        let server =
            responding(ResponseTemplate::new(401).insert_header("www-authenticate", challenge)).await;
        let error =
            TestCredential::Valid.client(fhir(&server)).get("Patient/canaryid").send().await.unwrap_err();
        assert_eq!(
            (capture_error(&error), error.denial().unwrap().cause()),
            (ErrorKind::Denied, DenialCause::WrongAudience)
        );
    }
    let plain = ResponseTemplate::new(403).set_body_string("canarybody");
    let server = responding(plain).await;
    let request = TestCredential::Valid.client(fhir(&server)).get("Patient/canaryid").send();
    assert_eq!(capture_error(&request.await.unwrap_err()), ErrorKind::Denied);
}

/// Responses with status 401, for which the credential has another token or fails.
async fn rejected_tokens() {
    let tokens = ScriptedCredential::new().token(&*TOKEN, HOUR).token(&*OTHER_TOKEN, HOUR);
    let fails = ScriptedCredential::new()
        .token(&*TOKEN, HOUR)
        .error(format!("the response was {{\"token\":\"{}\"}}", *TOKEN));
    for credential in [tokens, fails] {
        let server = responding(outcome(401, "login")).await;
        let credential = Arc::new(credential);
        let client = HealthcareClient::new(fhir(&server), credential.clone());
        let request = client.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
        assert_eq!(capture_error(&request.send().await.unwrap_err()), ErrorKind::Denied);
        assert_eq!(credential.calls(), 2);
        capture_debug(&*credential);
    }
}

async fn matchers() {
    let server = service().await;
    let mounted = [
        Mock::given(bearer_for(&fhir(&server))).respond_with(ResponseTemplate::new(200)),
        Mock::given(no_authorization()).respond_with(ResponseTemplate::new(200)),
    ];
    for mock in mounted {
        mock.with_priority(1).mount(&server).await;
    }
    cover("bearer_for");
    cover("no_authorization");
    let client = HealthcareClient::new(fhir(&server), Arc::new(FakeCredential::new()));
    capture_result(client.get("Patient/canaryid").query("name", "canaryname").send().await);
}
