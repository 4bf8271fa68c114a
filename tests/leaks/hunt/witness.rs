//! The witness: keeps all that is printed, by whom, and on which way through the crate.

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

/// Something that was printed.
#[derive(Deserialize, Serialize)]
pub(crate) struct Print {
    pub(crate) way: String,
    /// A type, or the level and the target of an event or a span.
    pub(crate) by: String,
    pub(crate) text: String,
}

static SEEN: Mutex<Vec<Print>> = Mutex::new(Vec::new());
static WAY: Mutex<String> = Mutex::new(String::new());
/// The names of what the hunt came by: types, functions, and `Type::Variant`.
static MET: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What a provider panics with.
pub(crate) const PANIC: &str = "a provider that panics";

/// From now on all is kept, at every level of every crate. Once in a process.
pub(crate) fn listen() {
    tracing::subscriber::set_global_default(Witness::default()).unwrap();
    log::set_logger(Box::leak(Box::new(Witness::default()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        keep("a panic", panic.to_string());
        let place = panic.location().map_or("", |place| place.file());
        if ["hunt/providers.rs", "wiremock"].iter().all(|expected| !place.contains(expected)) {
            hook(panic);
        }
    }));
}

/// Names what comes next.
pub(crate) fn enter(way: &str) {
    way.clone_into(&mut WAY.lock().unwrap());
}

pub(crate) fn keep(by: impl Into<String>, text: String) {
    let print = Print { way: WAY.lock().unwrap().clone(), by: by.into(), text };
    SEEN.lock().unwrap().push(print);
}

/// Adds what another process has kept.
pub(crate) fn join(prints: Vec<Print>, met: BTreeSet<String>) {
    SEEN.lock().unwrap().extend(prints);
    MET.lock().unwrap().extend(met);
}

/// All that was kept. It is not kept any longer.
pub(crate) fn take() -> (Vec<Print>, BTreeSet<String>) {
    (mem::take(&mut SEEN.lock().unwrap()), mem::take(&mut MET.lock().unwrap()))
}

pub(crate) fn met(name: impl Into<String>) {
    MET.lock().unwrap().insert(name.into());
}

/// Keeps what is printed of a value.
pub(crate) fn shown<T: Debug + ?Sized>(value: &T) {
    let name = type_name::<T>().split('<').next().unwrap_or_default();
    met(name.rsplit("::").next().unwrap_or_default());
    let text = format!("{value:?}");
    assert!(!text.is_empty(), "{name} shows nothing at all");
    keep(format!("Debug of {name}"), format!("{text} {value:#?}"));
}

pub(crate) fn displayed(value: &impl Display) {
    let text = value.to_string();
    assert!(!text.is_empty());
    keep("Display", text);
}

/// Keeps what is printed of an error and of all its sources.
pub(crate) fn told(error: &(dyn StdError + 'static)) {
    let causes = successors(Some(error), |&cause| cause.source());
    let text = causes.fold(String::new(), |mut text, cause| {
        write!(text, "{cause} {cause:#} {cause:?} {cause:#?} ").unwrap();
        text
    });
    keep("an error", text);
}

/// Keeps an error of the crate with its denial, and gives its kind.
pub(crate) fn failed(error: &Error) -> ErrorKind {
    told(error);
    shown(error);
    shown(&error.kind());
    met(format!("ErrorKind::{:?}", error.kind()));
    if let Some(denial) = error.denial() {
        shown(denial);
        displayed(denial);
        displayed(&denial.cause());
        shown(&denial.cause());
        met(format!("DenialCause::{:?}", denial.cause()));
        keep("a denial", format!("{} {} {:?}", denial.reason(), denial.help(), denial.possible_causes()));
        keep("a denial", format!("{:?} {:?}", denial.challenges(), denial.issue_codes()));
        denial.challenges().iter().for_each(shown);
        denial.claims().into_iter().for_each(shown);
    }
    error.kind()
}

#[derive(Default)]
struct Witness {
    spans: Mutex<HashMap<u64, String>>,
    count: AtomicU64,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

fn by(data: &Metadata<'_>) -> String {
    format!("{} {}", data.level(), data.target())
}

fn keep_fields(by: String, record: impl FnOnce(&mut Fields)) {
    let mut fields = Fields(String::new());
    record(&mut fields);
    keep(by, fields.0);
}

impl Subscriber for Witness {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let (by, id) = (by(span.metadata()), self.count.fetch_add(1, Ordering::Relaxed) + 1);
        self.spans.lock().unwrap().insert(id, by.clone());
        keep_fields(by, |fields| span.record(fields));
        span::Id::from_u64(id)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let by = self.spans.lock().unwrap()[&span.into_u64()].clone();
        keep_fields(by, |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        keep_fields(by(event.metadata()), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl log::Log for Witness {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        keep(format!("{} {}", record.level(), record.target()), record.args().to_string());
    }

    fn flush(&self) {}
}
