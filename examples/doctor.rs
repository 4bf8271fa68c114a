//! Walks the road that a request goes, one line a step, and says at a failure what to do.
//!
//! It ends with status 0 only if the service can be used. No token is printed.

mod support;

use std::{
    process::exit,
    time::{Duration, Instant, SystemTime},
};

use azure_core::time::parse_rfc7231;
use azure_healthcare_auth::{
    Audience, Authenticator, Error, FhirAudience, HealthcareClient, ServiceKind, UnverifiedClaims,
    testing::{ChallengeFormat, FakeCredential, FakeServer},
};
use http::HeaderMap;
use serde_json::{Value, json};
use support::{Credential, Options, words};

const USAGE: &str = "\
Finds out why a FHIR or DICOM service cannot be used.

cargo run --example doctor                             on a stand-in on this machine, where all is well
cargo run --example doctor -- URL                      on a service, as who is signed in here
cargo run --example doctor -- --simulate CAUSE         on the stand-in, with a failure: wrong-audience,
                                                       trailing-slash, expired, wrong-tenant, no-role, not-about-roles
    --resource RESOURCE   what tokens are asked for, where it is not what the URL says
    --json                one JSON document on standard output, for machines";

/// More than this between two clocks, and tokens are refused as ended or as not valid yet.
const SKEW: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &["--json"], &["--resource", "--simulate"]);
    let mut report = Report { json: options.has("--json"), steps: Vec::new() };
    // Each step says what it saw; the first that fails ends the walk.
    let usable = walk(&options, &mut report).await.is_some();
    if report.json {
        support::print(format_args!("{:#}", json!({ "usable": usable, "steps": report.steps })));
    }
    exit(if usable { 0 } else { 1 });
}

async fn walk(options: &Options, report: &mut Report) -> Option<()> {
    match &options.url {
        Some(url) if support::is_dicom(url) => {
            let audience = report.or_fail("address", options.dicom(url))?;
            let credential = report.or_fail("credential", options.credential())?;
            examine(report, audience, credential, "changefeed?limit=1").await
        }
        Some(url) => {
            let audience = report.or_fail("address", options.fhir(url))?;
            let credential = report.or_fail("credential", options.credential())?;
            examine(report, audience, credential, "Patient?_count=1").await
        }
        None => {
            let cause = options.value("--simulate");
            // An open-source server says which audience it wants; of a slash alone the managed one gives no hint.
            let wording = if cause == Some("trailing-slash") {
                ChallengeFormat::OpenSource
            } else {
                ChallengeFormat::Managed
            };
            let fake_server = FakeServer::builder().challenge_format(wording).start().await;
            let (audience, credential, path) = simulate(&fake_server, cause);
            let audience = report.or_fail("address", audience)?;
            examine(report, audience, Credential::from(credential), path).await
        }
    }
}

/// What leads to the failure that is asked for, on the stand-in.
fn simulate(
    fake_server: &FakeServer,
    cause: Option<&str>,
) -> (azure_healthcare_auth::Result<FhirAudience>, FakeCredential, &'static str) {
    let (right, path) = (fake_server.fhir(), "Patient?_count=1");
    let wrong = |resource: &str| FhirAudience::endpoint(right.endpoint().as_str()).resource(resource).build();
    let credential = FakeCredential::new();
    match cause {
        None => (Ok(right), credential, path),
        // This one stands in old templates, and no service takes it.
        Some("wrong-audience") => (wrong("https://azurehealthcareapis.com"), credential, path),
        Some("trailing-slash") => (wrong(right.endpoint().as_str()), credential, path),
        Some("expired") => (Ok(right), credential.expired(), path),
        Some("wrong-tenant") => {
            (Ok(right), credential.with_tenant("0a1b2c3d-0000-4000-8000-99999999ffff"), path)
        }
        Some("no-role") => (Ok(right), credential.without_role(), path),
        Some("not-about-roles") => (Ok(right), credential, "Patient?_count=1&_total=estimate"),
        Some(other) => support::refuse(&format!("no cause is called `{other}`"), USAGE),
    }
}

async fn examine<A: Audience>(
    report: &mut Report,
    audience: A,
    credential: Credential,
    path: &str,
) -> Option<()> {
    report.well("address", format!("{} service, {}", audience.service(), place(&audience)));
    report.well("audience", format!("{}, asked for as {}", audience.resource(), audience.scope()));

    let auth = Authenticator::new(audience, credential.tokens.clone());
    let started = Instant::now();
    let value = report.or_fail("token", auth.authorization().await)?;
    let from = credential.selected().map(|name| format!(" from {name}")).unwrap_or_default();
    report.well("token", format!("received{from} in {}", words(started.elapsed())));
    match UnverifiedClaims::from_authorization(&value) {
        Some(claims) => describe(report, &claims, auth.audience().resource()),
        None => report.note("claims", "the token is not a JWT: only the service can read it".into()),
    }

    if auth.audience().service() == ServiceKind::Fhir {
        open_door(report, auth.audience()).await?;
    }

    let client = HealthcareClient::from(auth);
    let started = Instant::now();
    // What follows `?` may be about a patient elsewhere; here it is ours.
    let what = format!("GET {path}");
    let response = match client.get(path).send().await {
        Ok(response) => response,
        Err(error) => {
            if let Some(denial) = error.denial() {
                clocks(report, denial.headers());
                let seen = format!("{what}: {} ({}): {}", denial.status(), denial.cause(), denial.reason());
                report.ill("request", seen, denial.help().into());
            } else {
                report.ill("request", format!("{what}: {error}"), advice(&error).into());
            }
            return None;
        }
    };
    clocks(report, response.headers());
    if let Err(error) = response.error_for_status_ref() {
        report.ill("request", format!("{what}: {error}"), advice(&error).into());
        return None;
    }
    report.well("request", format!("{what}: {} in {}", response.status(), words(started.elapsed())));
    Some(())
}

/// Cloud, workspace and service, as far as the host tells.
fn place(audience: &dyn Audience) -> String {
    let host = audience.endpoint().host_str().unwrap_or_default();
    let cloud = match host {
        host if host.ends_with(".azurehealthcareapis.com") => "public cloud",
        host if host.ends_with(".azurehealthcareapis.us") => "US Government cloud",
        _ => return format!("on a host of its own, {}", audience.endpoint()),
    };
    let label = host.split('.').next().unwrap_or_default();
    match (host.split('.').count(), label.split_once('-')) {
        (4, Some((workspace, service))) => format!("{cloud}, workspace {workspace}, service {service}"),
        _ => format!("{cloud}, account {label} (Azure API for FHIR, retired on 2026-09-30)"),
    }
}

/// The claims that matter, in words.
fn describe(report: &mut Report, claims: &UnverifiedClaims, wanted: &str) {
    let unknown = "unknown";
    let right = match claims.audiences() {
        [one] if one == wanted => "as asked for",
        _ => "not what was asked for",
    };
    let now = SystemTime::now();
    let end = match claims.expires_on() {
        None => "end unknown".to_owned(),
        Some(end) => match end.duration_since(now) {
            Ok(left) => format!("ends in {}", words(left)),
            Err(past) => format!("ended {} ago by this machine's clock", words(past.duration())),
        },
    };
    let seen = format!(
        "for {} ({right}); of tenant {}; for the {} with object id {}, by application {}; {end}",
        claims.audiences().join(", "),
        claims.tenant_id().unwrap_or(unknown),
        claims.principal_type().unwrap_or("principal"),
        claims.object_id().unwrap_or(unknown),
        claims.app_id().unwrap_or(unknown),
    );
    report.note("claims", seen);
}

/// `/metadata` needs no token: if it answers, the address is that of a FHIR service, and the way to it is open. What a
/// gateway in front refuses here it may let pass with a token, so the walk goes on.
async fn open_door(report: &mut Report, audience: &dyn Audience) -> Option<()> {
    let url = report.or_fail("metadata", audience.url("metadata"))?;
    let started = Instant::now();
    let mut http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30));
    if url.scheme() == "http" {
        // The service is on this machine, and no proxy reaches it.
        http = http.no_proxy();
    }
    let answer = match http.build() {
        Ok(http) => http.get(url).send().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) if answer.status().is_success() => {
            let seen =
                format!("answers without a token: {} in {}", answer.status(), words(started.elapsed()));
            report.well("metadata", seen);
            Some(())
        }
        Ok(answer) if matches!(answer.status().as_u16(), 401 | 403) => {
            let seen = format!("{} without a token: a gateway in front wants one here too", answer.status());
            report.note("metadata", seen);
            Some(())
        }
        Ok(answer) => {
            let advice = "check the URL: a FHIR service answers this without a token";
            report.ill("metadata", format!("{} without a token", answer.status()), advice.into());
            None
        }
        Err(error) => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            let advice = "check the names in the URL, DNS, the proxy and the firewall between here and there";
            report.ill("metadata", format!("no answer: {cause}"), advice.into());
            None
        }
    }
}

/// Compares this machine's clock with the `Date` of an answer.
fn clocks(report: &mut Report, headers: &HeaderMap) {
    let date = headers.get("date").and_then(|date| parse_rfc7231(date.to_str().ok()?).ok());
    let Some(date) = date else {
        report.note("clock", "the service does not say its time".into());
        return;
    };
    let (theirs, ours) = (SystemTime::from(date), SystemTime::now());
    let skew = ours.duration_since(theirs).unwrap_or_else(|error| error.duration());
    match skew > SKEW {
        true => {
            let seen = format!("this machine and the service differ by {}", words(skew));
            report.ill("clock", seen, "set this machine's clock, best by NTP".into());
        }
        false => report.well("clock", "this machine and the service agree".into()),
    }
}

/// What to do about an error that is not a refusal.
fn advice(error: &Error) -> &'static str {
    match error.is_transient() {
        true => "try again; if it stays so, look at the network and at Azure's status page",
        false => "see the text above",
    }
}

struct Report {
    json: bool,
    steps: Vec<Value>,
}

impl Report {
    fn well(&mut self, step: &str, seen: String) {
        self.add(step, "ok", seen, None);
    }

    fn note(&mut self, step: &str, seen: String) {
        self.add(step, "-", seen, None);
    }

    fn ill(&mut self, step: &str, seen: String, advice: String) {
        self.add(step, "FAIL", seen, Some(advice));
    }

    fn or_fail<T>(&mut self, step: &str, outcome: Result<T, Error>) -> Option<T> {
        outcome.map_err(|error| self.ill(step, error.to_string(), advice(&error).into())).ok()
    }

    fn add(&mut self, step: &str, mark: &str, seen: String, advice: Option<String>) {
        if !self.json {
            support::print(format_args!("{mark:<5} {step:<9} {seen}"));
            if let Some(advice) = &advice {
                support::print(format_args!("      {:<9} {advice}", "to do"));
            }
        }
        self.steps.push(json!({ "step": step, "mark": mark, "seen": seen, "advice": advice }));
    }
}
