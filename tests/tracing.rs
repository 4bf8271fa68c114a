//! A program of its own, because other tests would change the process-wide interest cache of `tracing`: a fetch is
//! traced in the span of its request, and a background refresh in no span.

#[path = "it/support/mod.rs"]
mod support;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Instrument, Metadata, Subscriber,
    field::{Field, Visit},
    info_span, span,
};
use tracing_core::span::Current;

use support::{HOUR, MINUTE, TestCredential, authenticator, token_valid_for, wait_for_background_tasks};

/// Records each message with its field `seconds` and the name of its span. Works for one thread only.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    spans: Vec<&'static Metadata<'static>>,
    entered: Vec<span::Id>,
    messages: Vec<(Message, Option<&'static str>)>,
}

impl Recorded {
    fn current(&self) -> Option<(&span::Id, &'static Metadata<'static>)> {
        let id = self.entered.last()?;
        let index = usize::try_from(id.into_u64()).unwrap() - 1;
        Some((id, self.spans[index]))
    }
}

#[derive(Debug, Default, PartialEq)]
struct Message {
    text: String,
    seconds: Option<u64>,
}

impl Visit for Message {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "seconds" {
            self.seconds = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut recorded = self.0.lock().unwrap();
        recorded.spans.push(span.metadata());
        span::Id::from_u64(recorded.spans.len() as u64)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let mut recorded = self.0.lock().unwrap();
        let span = recorded.current().map(|(_, metadata)| metadata.name());
        recorded.messages.push((message, span));
    }

    fn enter(&self, span: &span::Id) {
        self.0.lock().unwrap().entered.push(span.clone());
    }

    fn exit(&self, _: &span::Id) {
        self.0.lock().unwrap().entered.pop();
    }

    fn current_span(&self) -> Current {
        let recorded = self.0.lock().unwrap();
        recorded.current().map_or_else(Current::none, |(id, metadata)| Current::new(id.clone(), metadata))
    }
}

#[tokio::test]
async fn fetch_is_traced_in_span_of_its_request_and_refresh_in_none() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let credential = TestCredential::new(|call| token_valid_for(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);

    auth.authorization().instrument(info_span!("waiting request")).await.unwrap();
    credential.clock.advance(HOUR - 2 * MINUTE);
    auth.authorization().instrument(info_span!("request with cached token")).await.unwrap();
    wait_for_background_tasks().await;

    assert_eq!(credential.calls(), 2);
    let recorded = recorder.0.lock().unwrap();
    let received: Vec<_> =
        recorded.messages.iter().filter(|(message, _)| message.text == "token received").collect();
    let expected = || Message { text: "token received".to_owned(), seconds: Some(3600) };
    assert_eq!(received, [&(expected(), Some("waiting request")), &(expected(), None)]);
}
