//! Captures all output, with its source and the section of the scan that caused it.

use std::{
    any::type_name,
    collections::{BTreeSet, HashMap},
    error::Error as StdError,
    fmt::{Debug, Display, Write},
    iter::successors,
    mem,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use azure_healthcare_auth::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// A captured output.
#[derive(Deserialize, Serialize)]
pub(crate) struct Output {
    pub(crate) section: String,
    /// A type, or the level and the target of an event or a span.
    pub(crate) source: String,
    pub(crate) text: String,
}

static OUTPUTS: Mutex<Vec<Output>> = Mutex::new(Vec::new());
static SECTION: Mutex<String> = Mutex::new(String::new());
/// The names of the types, functions and variants (`Type::Variant`) that the scan has used.
static COVERED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The panic message of a test credential.
pub(crate) const PANIC: &str = "the test credential panicked";

/// Starts to capture the events and logs of all crates at all levels, and panic messages. Call it once in a process.
pub(crate) fn install() {
    tracing::subscriber::set_global_default(Capture::default()).unwrap();
    log::set_logger(Box::leak(Box::new(Capture::default()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        record("a panic", panic.to_string());
        let file = panic.location().map_or("", |location| location.file());
        if ["scan/test_credential.rs", "wiremock"].iter().all(|expected| !file.contains(expected)) {
            hook(panic);
        }
    }));
}

/// Sets the section of the output that follows.
pub(crate) fn start_section(section: &str) {
    section.clone_into(&mut SECTION.lock().unwrap());
}

/// Adds an output of the current section.
pub(crate) fn record(source: impl Into<String>, text: String) {
    let output = Output { section: SECTION.lock().unwrap().clone(), source: source.into(), text };
    OUTPUTS.lock().unwrap().push(output);
}

/// Adds what a subprocess has captured.
pub(crate) fn merge(outputs: Vec<Output>, covered: BTreeSet<String>) {
    OUTPUTS.lock().unwrap().extend(outputs);
    COVERED.lock().unwrap().extend(covered);
}

/// Removes and returns all outputs and covered names.
pub(crate) fn take() -> (Vec<Output>, BTreeSet<String>) {
    (mem::take(&mut OUTPUTS.lock().unwrap()), mem::take(&mut COVERED.lock().unwrap()))
}

/// Records that the scan has used this public item.
pub(crate) fn cover(name: impl Into<String>) {
    COVERED.lock().unwrap().insert(name.into());
}

/// Captures the `Debug` output of a value and covers its type.
pub(crate) fn capture_debug<T: Debug + ?Sized>(value: &T) {
    let name = type_name::<T>().split('<').next().unwrap_or_default();
    cover(name.rsplit("::").next().unwrap_or_default());
    let text = format!("{value:?}");
    assert!(!text.is_empty(), "{name} has empty `Debug` output");
    record(format!("Debug of {name}"), format!("{text} {value:#?}"));
}

/// Captures the `Display` output of a value.
pub(crate) fn capture_display(value: &impl Display) {
    let text = value.to_string();
    assert!(!text.is_empty());
    record("Display", text);
}

/// Captures the output of an error and of all its sources.
pub(crate) fn capture_chain(error: &(dyn StdError + 'static)) {
    let causes = successors(Some(error), |&cause| cause.source());
    let text = causes.fold(String::new(), |mut text, cause| {
        write!(text, "{cause} {cause:#} {cause:?} {cause:#?} ").unwrap();
        text
    });
    record("an error", text);
}

/// Captures an error of the crate with its denial, covers its kind and cause, and returns its kind.
pub(crate) fn capture_error(error: &Error) -> ErrorKind {
    capture_chain(error);
    capture_debug(error);
    capture_debug(&error.kind());
    cover(format!("ErrorKind::{:?}", error.kind()));
    if let Some(denial) = error.denial() {
        capture_debug(denial);
        capture_display(denial);
        capture_display(&denial.cause());
        capture_debug(&denial.cause());
        cover(format!("DenialCause::{:?}", denial.cause()));
        record("a denial", format!("{} {} {:?}", denial.reason(), denial.help(), denial.possible_causes()));
        record("a denial", format!("{:?} {:?}", denial.challenges(), denial.issue_codes()));
        denial.challenges().iter().for_each(capture_debug);
        denial.claims().into_iter().for_each(capture_debug);
    }
    error.kind()
}

#[derive(Default)]
struct Capture {
    spans: Mutex<HashMap<u64, String>>,
    last_id: AtomicU64,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

fn source(data: &Metadata<'_>) -> String {
    format!("{} {}", data.level(), data.target())
}

fn record_fields(source: String, visit: impl FnOnce(&mut Fields)) {
    let mut fields = Fields(String::new());
    visit(&mut fields);
    record(source, fields.0);
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let (source, id) = (source(span.metadata()), self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        self.spans.lock().unwrap().insert(id, source.clone());
        record_fields(source, |fields| span.record(fields));
        span::Id::from_u64(id)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let source = self.spans.lock().unwrap()[&span.into_u64()].clone();
        record_fields(source, |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        record_fields(source(event.metadata()), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, event: &log::Record<'_>) {
        record(format!("{} {}", event.level(), event.target()), event.args().to_string());
    }

    fn flush(&self) {}
}
