//! The stand-in: each fault, each token that it refuses, in each wording, and what it shows itself.

use std::{sync::Arc, time::Duration};

use azure_healthcare_auth::{
    Audience, DenialCause, DicomVersion, ErrorKind, HealthcareClient, Result,
    testing::{
        ChallengeFormat, FakeCredential, FakeServer, FakeServerBuilder, Fault, ScriptedCredential,
        bearer_for, no_authorization,
    },
};
use http::StatusCode;
use serde_json::json;
use wiremock::{Mock, ResponseTemplate};

use super::{
    canary::{OTHER_TOKEN, TOKEN},
    providers::Provider,
    requests::outcome,
    wire::{answering, fhir, service},
    witness::{failed, met, shown},
};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) async fn drive() {
    for wording in [ChallengeFormat::Managed, ChallengeFormat::OpenSource] {
        shown(&wording);
        met(format!("ChallengeFormat::{wording:?}"));
        faults(builder().challenge_format(wording).start().await).await;
    }
    outcomes().await;
    renewals().await;
    matchers().await;
}

fn builder() -> FakeServerBuilder {
    let patient =
        json!({ "resourceType": "Patient", "id": "canaryid", "name": [{ "family": "canaryname" }] });
    let observation = json!({
        "resourceType": "Observation", "id": "canaryid", "status": "final", "code": { "text": "canarybody" },
        "subject": { "reference": "Patient/canaryid" },
    });
    let builder = FakeServer::builder().patient(&patient).observation(&observation);
    shown(&builder);
    builder
}

/// Sends a few requests to both services.
async fn send<A: Audience, B: Audience>(fhir: &HealthcareClient<A>, dicom: &HealthcareClient<B>) {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let search = fhir.post("Patient/_search").header(form.0, form.1).body("name=canaryname");
    let create = fhir.post("Patient").json(&json!({ "resourceType": "Patient", "id": "canaryid" }));
    for request in [fhir.get("Patient/canaryid").query("name", "canaryname"), search, create] {
        outcome_of(request.send().await);
    }
    for request in [dicom.get("studies").query("PatientName", "canaryname"), dicom.post("studies/canaryid")] {
        outcome_of(request.send().await);
    }
}

fn outcome_of(outcome: Result<azure_healthcare_auth::Response>) {
    match outcome {
        Ok(response) => shown(&response),
        Err(error) => drop(failed(&error)),
    }
}

async fn faults(fake_server: FakeServer) {
    let clients = |credential: Arc<FakeCredential>| {
        shown(&*credential);
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
        shown(&fault);
        met(format!("Fault::{}", format!("{fault:?}").split('(').next().unwrap()));
        fake_server.inject_fault(usize::MAX, fault);
        let request = fhir.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
        outcome_of(request.send().await);
        let request = dicom.post("studies/canaryid").query("PatientName", "canaryname").body("canarybody");
        outcome_of(request.send().await);
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
    shown(&fake_server);
    shown(&fake_server.received()[..]);
    shown(&fake_server.received()[0]);
}

/// Refusals that the stand-in does not know.
async fn outcomes() {
    for (status, code, cause) in [
        (401, "login", DenialCause::Unknown),
        (403, "forbidden", DenialCause::MissingRole),
        (403, "not-supported", DenialCause::NotRoleRelated),
        (403, "canarydiagnostics", DenialCause::Unknown),
    ] {
        let server = answering(outcome(status, code)).await;
        let client = Provider::Gives.client(fhir(&server));
        let request = client.get("Patient/canaryid").query("name", "canaryname");
        let error = request.send().await.unwrap_err();
        assert_eq!(failed(&error), ErrorKind::Denied);
        assert_eq!(error.denial().unwrap().cause(), cause);
    }
    // A gateway that takes the request for the resource.
    for resource in [
        "http://records/Patient/canaryid",
        "http://records?name=canaryname",
        "Patient/canaryid",
        "http://records/Patient%2Fcanaryid",
    ] {
        let challenge =
            format!("Bearer resource_id=\"{resource}\", error_description=\"The audience is invalid\"");
        let server = answering(ResponseTemplate::new(401).insert_header("www-authenticate", challenge)).await;
        let error = Provider::Gives.client(fhir(&server)).get("Patient/canaryid").send().await.unwrap_err();
        assert_eq!(
            (failed(&error), error.denial().unwrap().cause()),
            (ErrorKind::Denied, DenialCause::WrongAudience)
        );
    }
    let plain = ResponseTemplate::new(403).set_body_string("canarybody");
    let server = answering(plain).await;
    let request = Provider::Gives.client(fhir(&server)).get("Patient/canaryid").send();
    assert_eq!(failed(&request.await.unwrap_err()), ErrorKind::Denied);
}

/// A 401 for which there is another token, none, or no answer at all.
async fn renewals() {
    let tokens = ScriptedCredential::new().token(&*TOKEN, HOUR).token(&*OTHER_TOKEN, HOUR);
    let fails =
        ScriptedCredential::new().token(&*TOKEN, HOUR).error(format!("it said {{\"token\":\"{}\"}}", *TOKEN));
    for credential in [tokens, fails] {
        let server = answering(outcome(401, "login")).await;
        let credential = Arc::new(credential);
        let client = HealthcareClient::new(fhir(&server), credential.clone());
        let request = client.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
        assert_eq!(failed(&request.send().await.unwrap_err()), ErrorKind::Denied);
        assert_eq!(credential.calls(), 2);
        shown(&*credential);
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
    met("bearer_for");
    met("no_authorization");
    let client = HealthcareClient::new(fhir(&server), Arc::new(FakeCredential::new()));
    outcome_of(client.get("Patient/canaryid").query("name", "canaryname").send().await);
}
