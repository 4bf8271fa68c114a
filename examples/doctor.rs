//! Diagnoses why a FHIR or DICOM service cannot be used: checks each step of a request and prints one line per step.
//!
//! The exit status is 0 only if the service can be used. No token is printed.

mod support;

use std::{
    process::exit,
    time::{Duration, Instant, SystemTime},
};

use azure_core::time::parse_rfc7231;
use azure_healthcare_auth::{
    Audience, Authenticator, Error, FhirAudience, HealthcareClient, ServiceKind, UnverifiedClaims,
};
use azure_healthcare_auth_testing::{ChallengeFormat, FakeCredential, FakeServer};
use http::HeaderMap;
use serde_json::{Value, json};

use support::{Credential, Options, format_duration};

const USAGE: &str = "\
Diagnoses why a FHIR or DICOM service cannot be used.

cargo run --example doctor                             check a fake server on this machine
cargo run --example doctor -- URL                      check the service at URL
cargo run --example doctor -- --simulate FAULT         check a fake server with a fault: wrong-audience, trailing-slash,
                                                       expired, wrong-tenant, missing-role, not-role-related
    --resource RESOURCE   request the token for RESOURCE instead of the resource that the URL implies
    --json                print one JSON document to standard output";

/// The clock difference above which the check fails. It is below the five minutes that services are believed to allow.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &["--json"], &["--resource", "--simulate"]);
    if options.url.is_some() && options.value("--simulate").is_some() {
        support::exit_with_usage("--simulate checks a fake server and accepts no URL", USAGE);
    }
    let mut report = Report { json: options.has("--json"), steps: Vec::new() };
    // The diagnosis ends at the first failed step, except for the clock.
    let usable = run(&options, &mut report).await.is_some();
    if report.json {
        support::print(format_args!("{:#}", json!({ "usable": usable, "steps": report.steps })));
    }
    exit(if usable { 0 } else { 1 });
}

async fn run(options: &Options, report: &mut Report) -> Option<()> {
    match &options.url {
        Some(url) if support::is_dicom(url) => {
            let audience = report.ok_or_fail("endpoint", options.dicom(url))?;
            let credential = report.ok_or_fail("credential", options.credential())?;
            diagnose(report, audience, credential, "changefeed?limit=1").await
        }
        Some(url) => {
            let audience = report.ok_or_fail("endpoint", options.fhir(url))?;
            let credential = report.ok_or_fail("credential", options.credential())?;
            diagnose(report, audience, credential, "Patient?_count=1").await
        }
        None => {
            let fault = options.value("--simulate");
            // Only an open-source server names the audience that it expects. The managed service gives no hint about a
            // trailing slash.
            let format = if fault == Some("trailing-slash") {
                ChallengeFormat::OpenSource
            } else {
                ChallengeFormat::Managed
            };
            let fake_server = FakeServer::builder().challenge_format(format).start().await;
            let (audience, credential, path) = simulate(&fake_server, fault);
            let audience = report.ok_or_fail("endpoint", audience)?;
            diagnose(report, audience, Credential::from_fake(credential), path).await
        }
    }
}

/// Returns an audience, a credential and a path that trigger the fault on the fake server.
fn simulate(
    fake_server: &FakeServer,
    fault: Option<&str>,
) -> (azure_healthcare_auth::Result<FhirAudience>, FakeCredential, &'static str) {
    let (audience, path) = (fake_server.fhir(), "Patient?_count=1");
    let with_resource =
        |resource: &str| FhirAudience::from_endpoint(audience.endpoint().as_str()).resource(resource).build();
    let credential = FakeCredential::new();
    match fault {
        None => (Ok(audience), credential, path),
        // Old templates contain this resource. No service accepts it.
        Some("wrong-audience") => (with_resource("https://azurehealthcareapis.com"), credential, path),
        Some("trailing-slash") => (with_resource(audience.endpoint().as_str()), credential, path),
        Some("expired") => (Ok(audience), credential.expired(), path),
        Some("wrong-tenant") => {
            (Ok(audience), credential.with_tenant("0a1b2c3d-0000-4000-8000-99999999ffff"), path)
        }
        Some("missing-role") => (Ok(audience), credential.without_role(), path),
        Some("not-role-related") => (Ok(audience), credential, "Patient?_count=1&_total=estimate"),
        Some(other) => support::exit_with_usage(&format!("unknown fault `{other}`"), USAGE),
    }
}

async fn diagnose<A: Audience>(
    report: &mut Report,
    audience: A,
    credential: Credential,
    path: &str,
) -> Option<()> {
    report.ok(
        "endpoint",
        format!("{} service, {}", audience.service().as_str().to_uppercase(), describe_host(&audience)),
    );
    report.ok("audience", format!("resource {}, scope {}", audience.resource(), audience.scope()));

    let auth = Authenticator::new(audience, credential.inner.clone());
    let started = Instant::now();
    let value = report.ok_or_fail("token", auth.authorization().await)?;
    let from = credential.selected().map(|name| format!(" from {name}")).unwrap_or_default();
    report.ok("token", format!("received{from} in {}", format_duration(started.elapsed())));
    match UnverifiedClaims::from_authorization(&value) {
        Some(claims) => report.info("claims", describe_claims(&claims, auth.audience().resource())),
        None => report
            .info("claims", "not available (the token is not a JWT: only the service can read it)".into()),
    }

    if auth.audience().service() == ServiceKind::Fhir {
        check_metadata(report, auth.audience()).await?;
    }

    let client = HealthcareClient::from(auth);
    let started = Instant::now();
    // This query is a constant. Do not print the query of a real request, because it may contain patient data.
    let request = format!("GET {path}");
    let response = match client.get(path).send().await {
        Ok(response) => response,
        Err(error) => {
            if let Some(denial) = error.denial() {
                check_clock(report, denial.headers());
                let (status, cause, reason) = (denial.status(), denial.cause(), denial.reason());
                report.fail(
                    "request",
                    format!("{request}: {status} ({cause}): {reason}"),
                    denial.help().into(),
                );
            } else {
                report.fail("request", format!("{request}: {error}"), advice(&error).into());
            }
            return None;
        }
    };
    check_clock(report, response.headers());
    if let Err(error) = response.error_for_status_ref() {
        report.fail("request", format!("{request}: {error}"), advice(&error).into());
        return None;
    }
    report
        .ok("request", format!("{request}: {} in {}", response.status(), format_duration(started.elapsed())));
    Some(())
}

/// Returns the cloud, workspace and service that the host name contains.
fn describe_host(audience: &dyn Audience) -> String {
    let host = audience.endpoint().host_str().unwrap_or_default();
    let cloud = match host {
        host if host.ends_with(".azurehealthcareapis.com") => "public cloud",
        host if host.ends_with(".azurehealthcareapis.us") => "US Government cloud",
        _ => return format!("custom host, {}", audience.endpoint()),
    };
    let label = host.split('.').next().unwrap_or_default();
    match (host.split('.').count(), label.split_once('-')) {
        (4, Some((workspace, service))) => format!("{cloud}, workspace {workspace}, service {service}"),
        _ => format!("{cloud}, account {label} (Azure API for FHIR, retired on 2026-09-30)"),
    }
}

fn describe_claims(claims: &UnverifiedClaims, resource: &str) -> String {
    let unknown = "unknown";
    let audience = match claims.audiences() {
        [] => unknown.to_owned(),
        audiences => {
            let matches = audiences.iter().any(|audience| audience == resource);
            let relation = if matches { "the requested resource" } else { "not the requested resource" };
            format!("{} ({relation})", audiences.join(", "))
        }
    };
    let expiry = match claims.expires_on() {
        None => "expiry unknown".to_owned(),
        Some(expires_on) => match expires_on.duration_since(SystemTime::now()) {
            Ok(remaining) => format!("expires in {}", format_duration(remaining)),
            Err(past) => {
                format!("expired {} ago according to this machine's clock", format_duration(past.duration()))
            }
        },
    };
    format!(
        "audience {audience}; tenant {}; {} with object id {}; application {}; {expiry}",
        claims.tenant_id().unwrap_or(unknown),
        claims.principal_type().unwrap_or("principal"),
        claims.object_id().unwrap_or(unknown),
        claims.app_id().unwrap_or(unknown),
    )
}

/// Checks that the endpoint is a reachable FHIR service, which serves `/metadata` without a token.
///
/// A 401 or 403 does not end the diagnosis, because a gateway may require a token for `/metadata` too.
async fn check_metadata(report: &mut Report, audience: &dyn Audience) -> Option<()> {
    let url = report.ok_or_fail("metadata", audience.url("metadata"))?;
    let started = Instant::now();
    let mut http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30));
    if url.scheme() == "http" {
        // The service is on this machine, which a proxy cannot reach.
        http = http.no_proxy();
    }
    let result = match http.build() {
        Ok(http) => http.get(url).send().await,
        Err(error) => Err(error),
    };
    match result {
        Ok(response) if response.status().is_success() => {
            let elapsed = format_duration(started.elapsed());
            report.ok("metadata", format!("{} without a token in {elapsed}", response.status()));
            Some(())
        }
        Ok(response) if matches!(response.status().as_u16(), 401 | 403) => {
            let detail = format!("{} without a token (a gateway may require one)", response.status());
            report.info("metadata", detail);
            Some(())
        }
        Ok(response) => {
            let advice = "check the URL: a FHIR service serves /metadata without a token";
            report.fail("metadata", format!("{} without a token", response.status()), advice.into());
            None
        }
        Err(error) => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            let advice = "check the host name in the URL, DNS, proxy and firewall";
            report.fail("metadata", format!("no response: {cause}"), advice.into());
            None
        }
    }
}

/// Compares this machine's clock with the `Date` header of a response.
fn check_clock(report: &mut Report, headers: &HeaderMap) {
    let date = headers.get("date").and_then(|date| parse_rfc7231(date.to_str().ok()?).ok());
    let Some(date) = date else {
        report.info("clock", "not checked (the response has no Date header)".into());
        return;
    };
    let (service, machine) = (SystemTime::from(date), SystemTime::now());
    let skew = machine.duration_since(service).unwrap_or_else(|error| error.duration());
    if skew > MAX_CLOCK_SKEW {
        let detail =
            format!("the clocks of this machine and the service differ by {}", format_duration(skew));
        report.fail("clock", detail, "synchronize this machine's clock, for example with NTP".into());
    } else {
        report.ok("clock", "the clocks of this machine and the service agree".into());
    }
}

/// Returns advice for an error that is not a denial.
fn advice(error: &Error) -> &'static str {
    if error.is_transient() {
        "try again; if the error persists, check the network and Azure's status page"
    } else {
        "fix the cause that the error message reports"
    }
}

struct Report {
    json: bool,
    steps: Vec<Value>,
}

impl Report {
    fn ok(&mut self, step: &str, detail: String) {
        self.add(step, "ok", detail, None);
    }

    fn info(&mut self, step: &str, detail: String) {
        self.add(step, "info", detail, None);
    }

    fn fail(&mut self, step: &str, detail: String, advice: String) {
        self.add(step, "FAIL", detail, Some(advice));
    }

    /// Returns the value, or reports the error as a failed step and returns `None`.
    fn ok_or_fail<T>(&mut self, step: &str, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.fail(step, error.to_string(), advice(&error).into())).ok()
    }

    fn add(&mut self, step: &str, status: &str, detail: String, advice: Option<String>) {
        if !self.json {
            support::print(format_args!("{status:<5} {step:<10} {detail}"));
            if let Some(advice) = &advice {
                support::print(format_args!("      {:<10} {advice}", "advice"));
            }
        }
        self.steps.push(json!({ "step": step, "status": status, "detail": detail, "advice": advice }));
    }
}
