//! What `azure_healthcare_auth` traces, in OpenTelemetry: `tracing-opentelemetry` and nothing else to set up.
//!
//! The crate opens no spans. Its events come into the span in which a request is sent, and so into that trace: a token
//! that had to be waited for, a request that was repeated, one that was refused and why. A token that is renewed in the
//! background belongs to no request, and neither does its event.
//!
//! No token and nobody's data is in any of it. Here that is looked at: all that comes into a span is recorded, at every
//! level, that of the crates below (`reqwest`, `hyper`, `rustls`) too.

use azure_healthcare_auth::{
    FhirAudience, HealthcareClient, Result,
    testing::{Fault, ReceivedRequest, FakeServer},
};
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;
use std::time::Duration;
use tracing::{Instrument, info_span};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

/// Whose data it is, that nobody is to find again: in a path, in a query and in a body.
const IN_PATH: &str = "canary-in-path";
const IN_QUERY: &str = "canary-in-query";
const IN_BODY: &str = "canary-in-body";

/// Part of an application, in a span of its own.
async fn read(fhir: &HealthcareClient<FhirAudience>) -> Result<()> {
    fhir.get(format!("Patient/{IN_PATH}")).send().await?;
    fhir.get("Observation").query("patient", IN_QUERY).send().await?;
    Ok(())
}

/// Another part.
async fn write(fhir: &HealthcareClient<FhirAudience>) -> Result<()> {
    let patient = json!({ "resourceType": "Patient", "name": [{ "family": IN_BODY }] });
    fhir.post("Patient").json(&patient).send().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // In an application: an exporter to its collector.
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("nightly")).with_location(false);
    tracing_subscriber::registry().with(layer).try_init()?;

    let fake_server = FakeServer::start().await;
    let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    fake_server.inject_fault(1, Fault::Throttled(Duration::ZERO));
    let import = async {
        read(&fhir).instrument(info_span!("read")).await?;
        fake_server.inject_fault(1, Fault::MissingRole);
        write(&fhir).instrument(info_span!("write")).await
    };
    let outcome: Result<()> = import.instrument(info_span!("nightly import")).await;
    assert!(outcome.is_err_and(|error| error.denial().is_some()), "the write is refused");

    provider.force_flush()?;
    let spans = exporter.get_finished_spans()?;
    show(&spans, SpanId::INVALID, 0);

    let trace = spans.first().ok_or("no span")?.span_context.trace_id();
    assert!(spans.iter().all(|span| span.span_context.trace_id() == trace), "one trace");
    assert!(spans.iter().all(|span| span.events.dropped_count == 0), "nothing is left out");
    let has = |span: &str, event: &str| {
        let mut events = spans.iter().filter(|known| known.name == span).flat_map(|span| span.events.iter());
        events.any(|known| known.name == event)
    };
    assert!(has("read", "token received") && has("read", "retrying request"));
    assert!(has("write", "request denied"));

    let exported = format!("{spans:?}");
    for sent in fake_server.received() {
        let token = sent.headers().get("authorization").ok_or("no token")?.to_str()?.to_owned();
        let parts = token.trim_start_matches("Bearer ").split('.').filter(|part| !part.is_empty());
        for canary in parts.chain([IN_PATH, IN_QUERY, IN_BODY]) {
            assert!(!exported.contains(canary), "`{canary}` was exported");
        }
    }
    let carried: Vec<_> = fake_server.received().iter().map(carried).collect();
    println!(
        "sent with a token: {carried:?}; of these and the token {} characters of spans show nothing",
        exported.len()
    );
    assert_eq!(carried, [IN_PATH, IN_PATH, IN_QUERY, IN_BODY]);
    Ok(())
}

/// Which of them a request had in it.
fn carried(sent: &ReceivedRequest) -> &'static str {
    let whole = format!("{} {}", sent.url(), String::from_utf8_lossy(sent.body()));
    [IN_PATH, IN_QUERY, IN_BODY].into_iter().find(|canary| whole.contains(canary)).unwrap_or("none")
}

/// The spans below `parent` as a tree, with the events of this crate.
fn show(spans: &[SpanData], parent: SpanId, depth: usize) {
    let indent = "  ".repeat(depth);
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        println!("{indent}{}", span.name);
        for event in span.events.iter() {
            let attributes = event.attributes.iter().map(|with| format!("{}={}", with.key, with.value));
            let (target, others): (Vec<_>, Vec<_>) = attributes.partition(|with| with.starts_with("target="));
            if target.concat().starts_with("target=azure_healthcare_auth::") {
                println!("{indent}  . {} ({})", event.name, others.join(", "));
            }
        }
        show(spans, span.span_context.span_id(), depth + 1);
    }
}
