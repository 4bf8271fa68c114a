//! Runs the scenarios in `scenarios.json` against the rules in [`state`](super::state).
//!
//! The simulation adds only what the rules leave to the cache: the names of the tokens, and that at most one fetch is
//! in flight.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::state::{Candidate, Decision, FetchHistory, FetchOutcome, Phase, Validity, decide};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Specification {
    #[serde(rename = "how to read")]
    _how_to_read: Vec<String>,
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    given: Given,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    cached: Option<String>,
    jitter: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    event: String,
    expected: String,
    calls: u32,
}

struct Simulation {
    jitter: f64,
    cached: Option<(String, Validity)>,
    /// The name of the rejected token that the cached one replaced.
    rejected: Option<String>,
    history: FetchHistory,
    in_flight: Option<Fetch>,
    calls: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Fetch {
    Ordinary,
    Forced,
}

impl Simulation {
    fn new(given: &Given) -> Self {
        let mut simulation = Self {
            jitter: given.jitter,
            cached: None,
            rejected: None,
            history: FetchHistory::default(),
            in_flight: None,
            calls: 0,
        };
        if let Some(cached) = &given.cached {
            assert_eq!(simulation.complete_fetch(time("0 s"), Some(cached)), name(cached));
        }
        simulation
    }

    fn step(&mut self, now: SystemTime, event: &str) -> String {
        match event.split_once(": ").unwrap_or((event, "")) {
            ("request", "") => self.request(now),
            ("401", rejected) => self.refresh_rejected(now, rejected),
            ("fetch", "error") => self.complete_fetch(now, None),
            ("fetch", token) => self.complete_fetch(now, Some(token)),
            ("clock", _) => String::new(),
            _ => panic!("unknown event: {event}"),
        }
    }

    fn request(&mut self, now: SystemTime) -> String {
        match decide(self.validity(), &self.history, now) {
            Decision::BackOff { remaining } if self.in_flight.is_none() => error(Some(remaining)),
            Decision::UseCached => self.name(),
            Decision::UseCachedAndRefresh => {
                self.join_or_start(Fetch::Ordinary);
                self.name()
            }
            Decision::Fetch | Decision::BackOff { .. } => self.join_or_start(Fetch::Ordinary),
        }
    }

    fn refresh_rejected(&mut self, now: SystemTime, rejected: &str) -> String {
        match &self.cached {
            Some((_, validity)) if validity.phase(now) == Phase::Expired => self.request(now),
            None => self.request(now),
            Some((cached, _)) if cached != rejected => self.name(),
            Some(_) if self.in_flight.is_none() && !self.history.may_force(now) => "none".to_owned(),
            Some(_) => self.join_or_start(Fetch::Forced),
        }
    }

    fn join_or_start(&mut self, fetch: Fetch) -> String {
        if self.in_flight.is_none() {
            self.calls += 1;
        }
        match self.in_flight.get_or_insert(fetch) {
            Fetch::Forced => "waits, forced".to_owned(),
            Fetch::Ordinary => "waits".to_owned(),
        }
    }

    /// Completes the fetch in flight. Returns what its waiters get.
    fn complete_fetch(&mut self, now: SystemTime, token: Option<&str>) -> String {
        let forced = self.in_flight.take() == Some(Fetch::Forced);
        let candidate = token.map(|token| Candidate {
            validity: Validity::new(now, time(expiry(token)), self.jitter),
            is_known: [&self.cached.as_ref().map(|(cached, _)| cached.clone()), &self.rejected]
                .into_iter()
                .any(|known| known.as_deref() == Some(name(token))),
        });
        let validity = self.validity().copied();
        match self.history.record(validity.as_ref(), candidate, forced, now, self.jitter) {
            FetchOutcome::Stored(validity) => {
                let replaced = self.cached.replace((name(token.unwrap_or_default()).to_owned(), validity));
                if forced {
                    self.rejected = replaced.map(|(name, _)| name);
                }
                self.name()
            }
            FetchOutcome::Unchanged if forced => "none".to_owned(),
            FetchOutcome::Unchanged => self.name(),
            FetchOutcome::Unusable => error(self.history.backoff_remaining(now)),
        }
    }

    fn validity(&self) -> Option<&Validity> {
        self.cached.as_ref().map(|(_, validity)| validity)
    }

    fn name(&self) -> String {
        self.cached.as_ref().map(|(name, _)| name.clone()).unwrap_or_default()
    }
}

fn error(backoff: Option<Duration>) -> String {
    match backoff {
        Some(remaining) => format!("error, retry in {} s", remaining.as_secs_f64()),
        None => "error".to_owned(),
    }
}

/// Returns `A` for `A until 1 h`.
fn name(token: &str) -> &str {
    token.split_once(" until ").unwrap_or_else(|| panic!("not a token: {token}")).0
}

/// Returns `1 h` for `A until 1 h`.
fn expiry(token: &str) -> &str {
    token.split_once(" until ").unwrap_or_else(|| panic!("not a token: {token}")).1
}

/// Parses a time relative to the start of all scenarios, such as `1 h 2 min 3.5 s` or `-10 s`.
fn time(text: &str) -> SystemTime {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let words: Vec<&str> = text.split(' ').collect();
    let offset: Duration = words
        .chunks(2)
        .map(|pair| {
            let [number, unit] = pair else { panic!("not a time: {text}") };
            let unit = match *unit {
                "s" => 1.0,
                "min" => 60.0,
                "h" => 3_600.0,
                "years" => 365.25 * 86_400.0,
                _ => panic!("not a unit: {unit}"),
            };
            Duration::from_secs_f64(number.parse::<f64>().unwrap() * unit)
        })
        .sum();
    if is_negative { start - offset } else { start + offset }
}

#[test]
fn token_cache_rules_follow_every_scenario() {
    let specification: Specification = serde_json::from_str(include_str!("scenarios.json")).unwrap();
    let mut failures = String::new();
    for scenario in &specification.scenarios {
        let mut simulation = Simulation::new(&scenario.given);
        for Step { at, event, expected, calls } in &scenario.steps {
            let actual = simulation.step(time(at), event);
            if (&actual, simulation.calls) != (expected, *calls) {
                let Scenario { name, .. } = scenario;
                writeln!(failures, "{name}\n  {at}, {event}").unwrap();
                writeln!(failures, "    expected: {expected:?}, {calls} calls").unwrap();
                writeln!(failures, "    actual:   {actual:?}, {} calls", simulation.calls).unwrap();
                break;
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn scenario_names_are_unique() {
    let specification: Specification = serde_json::from_str(include_str!("scenarios.json")).unwrap();
    let mut names: Vec<_> = specification.scenarios.iter().map(|scenario| &scenario.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), specification.scenarios.len());
}

#[test]
fn refresh_window_opens_before_expiry_margin_for_every_lifetime() {
    for lifetime in (1..2_000).chain([3_600, 86_400, 250_000_000_000]) {
        for jitter in [0.0, 0.5, 1.0] {
            let received_at = time("0 s");
            let expires_on = received_at + Duration::from_secs(lifetime);
            let validity = Validity::new(received_at, expires_on, jitter).unwrap();
            let Validity { refresh_from, usable_until, .. } = validity;
            assert!(
                received_at < refresh_from && refresh_from < usable_until && usable_until < expires_on,
                "{validity:?}"
            );
        }
    }
}

#[test]
fn rules_do_not_panic_for_extreme_times() {
    let far = Duration::from_secs(250_000_000_000);
    let start = time("0 s");
    // The first and the last time that a `SystemTime` can represent, to the nearest second.
    let last = (0..63).rev().fold(start, |t, bit| t.checked_add(Duration::from_secs(1 << bit)).unwrap_or(t));
    let first = (0..63).rev().fold(start, |t, bit| t.checked_sub(Duration::from_secs(1 << bit)).unwrap_or(t));
    let times = [first, start - far, SystemTime::UNIX_EPOCH, start, start + far, last];
    for received_at in times {
        for expires_on in times {
            for now in times {
                for forced in [false, true] {
                    let validity = Validity::new(received_at, expires_on, 1.0);
                    let mut history = FetchHistory::default();
                    for candidate in [
                        None,
                        Some(Candidate { validity, is_known: false }),
                        Some(Candidate { validity, is_known: true }),
                    ] {
                        history.record(validity.as_ref(), candidate, forced, now, 1.0);
                        decide(validity.as_ref(), &history, now);
                        history.may_force(now);
                    }
                }
            }
        }
    }
}
