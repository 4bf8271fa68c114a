//! What a fetch traces belongs to the request that waits for it; a refresh in the background belongs to none.

#[path = "it/support/mod.rs"]
mod support;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use support::{HOUR, MINUTE, Scripted, authenticator, lives, quiet};
use tracing::{
    Event, Instrument, Metadata, Subscriber,
    field::{Field, Visit},
    info_span, span,
};
use tracing_core::span::Current;

/// Keeps each message, its field `seconds` and the name of the span that it came in. For one thread.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    spans: Vec<&'static Metadata<'static>>,
    entered: Vec<span::Id>,
    messages: Vec<(Message, Option<&'static str>)>,
}

impl Seen {
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
        let mut seen = self.0.lock().unwrap();
        seen.spans.push(span.metadata());
        span::Id::from_u64(seen.spans.len() as u64)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let mut seen = self.0.lock().unwrap();
        let span = seen.current().map(|(_, metadata)| metadata.name());
        seen.messages.push((message, span));
    }

    fn enter(&self, span: &span::Id) {
        self.0.lock().unwrap().entered.push(span.clone());
    }

    fn exit(&self, _: &span::Id) {
        self.0.lock().unwrap().entered.pop();
    }

    fn current_span(&self) -> Current {
        let seen = self.0.lock().unwrap();
        seen.current().map_or_else(Current::none, |(id, metadata)| Current::new(id.clone(), metadata))
    }
}

#[tokio::test]
async fn a_fetch_is_traced_where_it_is_waited_for_and_a_refresh_by_itself() {
    let recorder = Recorder::default();
    let _recording = tracing::subscriber::set_default(recorder.clone());
    let credential = Scripted::new(|call| lives(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);

    auth.authorization().instrument(info_span!("waits")).await.unwrap();
    credential.clock.forward(HOUR - 2 * MINUTE);
    auth.authorization().instrument(info_span!("is served")).await.unwrap();
    quiet().await;

    assert_eq!(credential.calls(), 2);
    let seen = recorder.0.lock().unwrap();
    let received: Vec<_> =
        seen.messages.iter().filter(|(message, _)| message.text == "token received").collect();
    let an_hour = || Message { text: "token received".to_owned(), seconds: Some(3600) };
    assert_eq!(received, [&(an_hour(), Some("waits")), &(an_hour(), None)]);
}
