//! Nothing secret is traced, at any level, by whoever is on the way to Entra.

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
    entra::{
        Answer::{Broken, Page, Status, Token},
        Entra,
    },
    http::{TokenFile, authenticator, credentials},
};

/// Keeps all that is traced.
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
async fn no_secret_assertion_or_token_is_traced_or_shown() {
    let recorder = Recorder::default();
    // With a single one in the process, an event that is first come by on another thread is nobody's for good.
    let _second = tracing::Dispatch::new(Recorder::default());
    let _recording = tracing::subscriber::set_default(recorder.clone());
    let file = TokenFile::new("quiet");
    const REFUSAL: &str = "AADSTS7000215: not abc8Q~canary0123456789canary0123456789AB";
    for (name, variables) in credentials(&file) {
        for answer in [Token("eyJ.canary"), Status(401, REFUSAL), Page(403), Broken("invalid certificate")] {
            let auth = authenticator(&Entra::new(&[answer]), &variables);
            let outcome = auth.authorization().await;
            let shown = format!("{auth:?} {:?}", outcome.err());
            assert!(!shown.contains("canary"), "{name}: {shown}");
        }
    }
    let traced = recorder.0.lock().unwrap();
    assert!(traced.contains("credential selected"), "{traced}");
    let leak = traced.lines().find(|line| line.contains("canary"));
    assert_eq!(leak, None);
}
