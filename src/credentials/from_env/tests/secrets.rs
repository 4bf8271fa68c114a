//! No secret is in the `tracing` output of any crate at any level, in `Debug` output or in errors.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{
    fake_entra::{
        EntraResponse::{ConnectionError, Html, Status, Token},
        FakeEntra,
    },
    http_credentials::{TokenFile, authenticator, credentials},
};

/// Records all fields of events and spans.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

impl Visit for Recorder {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn traces_errors_and_debug_output_contain_no_secret() {
    let recorder = Recorder::default();
    // With only one subscriber in the process, `tracing` caches that no one is interested in an event that another
    // thread reaches first.
    let _second = tracing::Dispatch::new(Recorder::default());
    let _recording = tracing::subscriber::set_default(recorder.clone());
    let file = TokenFile::new("secrets");
    const DESCRIPTION: &str = "AADSTS7000215: not abc8Q~canary0123456789canary0123456789AB";
    for (name, variables) in credentials(&file) {
        for response in
            [Token("eyJ.canary"), Status(401, DESCRIPTION), Html(403), ConnectionError("invalid certificate")]
        {
            let auth = authenticator(&FakeEntra::new(&[response]), &variables);
            let result = auth.authorization().await;
            let shown = format!("{auth:?} {:?}", result.err());
            assert!(!shown.contains("canary"), "{name}: {shown}");
        }
    }
    let traced = recorder.0.lock().unwrap();
    assert!(traced.contains("credential=client secret"), "{traced}");
    let leak = traced.lines().find(|line| line.contains("canary"));
    assert_eq!(leak, None);
}
