//! Exports the events of `azure_healthcare_auth` with OpenTelemetry. `tracing-opentelemetry` is all that is needed.
//!
//! The crate opens no spans. Its events belong to the span in which a request is sent: a token fetch that the request
//! waited for, a retry, a denial and its cause. A background refresh belongs to no request, and neither does its event.
//!
//! The events contain no token and no patient data. This example verifies that: it records all events at every level,
//! including those of `reqwest`, `hyper` and `rustls`.

use std::time::Duration;

use azure_healthcare_auth::{FhirAudience, HealthcareClient, Result};
use azure_healthcare_auth_testing::{FakeServer, Fault, ReceivedRequest};
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;
use tracing::{Instrument, info_span};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

/// Markers for patient data in a path, a query and a body. None of them may be exported.
const IN_PATH: &str = "canary-in-path";
const IN_QUERY: &str = "canary-in-query";
const IN_BODY: &str = "canary-in-body";

/// A part of an application that runs in its own span.
async fn read(fhir: &HealthcareClient<FhirAudience>) -> Result<()> {
    fhir.get(format!("Patient/{IN_PATH}")).send().await?;
    fhir.get("Observation").query("patient", IN_QUERY).send().await?;
    Ok(())
}

/// Another part of the application.
async fn write(fhir: &HealthcareClient<FhirAudience>) -> Result<()> {
    let patient = json!({ "resourceType": "Patient", "name": [{ "family": IN_BODY }] });
    fhir.post("Patient").json(&patient).send().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // An application would use an exporter for its collector.
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
    assert!(outcome.is_err_and(|error| error.denial().is_some()), "the write is denied");

    provider.force_flush()?;
    let spans = exporter.get_finished_spans()?;
    print_tree(&spans, SpanId::INVALID, 0);

    let trace = spans.first().ok_or("no span")?.span_context.trace_id();
    assert!(spans.iter().all(|span| span.span_context.trace_id() == trace), "one trace");
    assert!(spans.iter().all(|span| span.events.dropped_count == 0), "no event was dropped");
    let has = |span: &str, event: &str| {
        let mut events =
            spans.iter().filter(|candidate| candidate.name == span).flat_map(|span| span.events.iter());
        events.any(|candidate| candidate.name == event)
    };
    assert!(has("read", "token received") && has("read", "retrying request"));
    assert!(has("write", "request rejected or denied"));

    let exported = format!("{spans:?}");
    for sent in fake_server.requests() {
        let token = sent.headers().get("authorization").ok_or("no token")?.to_str()?.to_owned();
        let parts = token.trim_start_matches("Bearer ").split('.').filter(|part| !part.is_empty());
        for marker in parts.chain([IN_PATH, IN_QUERY, IN_BODY]) {
            assert!(!exported.contains(marker), "`{marker}` was exported");
        }
    }
    let sent: Vec<_> = fake_server.requests().iter().map(marker_in).collect();
    println!(
        "sent {sent:?} with a token; the {} characters of exported spans contain none of these",
        exported.len()
    );
    assert_eq!(sent, [IN_PATH, IN_PATH, IN_QUERY, IN_BODY]);
    Ok(())
}

/// Returns the marker that a request contained.
fn marker_in(sent: &ReceivedRequest) -> &'static str {
    let whole = format!("{} {}", sent.url(), String::from_utf8_lossy(sent.body()));
    [IN_PATH, IN_QUERY, IN_BODY].into_iter().find(|marker| whole.contains(marker)).unwrap_or("none")
}

/// Prints the spans below `parent` as a tree, with the events of this crate.
fn print_tree(spans: &[SpanData], parent: SpanId, depth: usize) {
    let indent = "  ".repeat(depth);
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        println!("{indent}{}", span.name);
        for event in span.events.iter() {
            let attributes =
                event.attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value));
            let (target, others): (Vec<_>, Vec<_>) =
                attributes.partition(|attribute| attribute.starts_with("target="));
            if target.concat().starts_with("target=azure_healthcare_auth::") {
                println!("{indent}  . {} ({})", event.name, others.join(", "));
            }
        }
        print_tree(spans, span.span_context.span_id(), depth + 1);
    }
}
