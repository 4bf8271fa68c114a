//! Simulates the load that a fleet of 10,000 processes causes on Entra with the rules of `src/token/state.rs`.
//!
//! Nothing sleeps, and a seed makes all runs equal. Each process has one cache entry and sends one request per second that
//! needs a token. A call that the credential cannot serve from its own cache counts as one call to Entra, even if it would
//! retry internally. The processes are independent, so the simulation follows them one after another, from event to event.

#[path = "../src/token/state.rs"]
#[expect(dead_code, reason = "no token is rejected, so that no refresh is forced")]
mod state;

use std::time::{Duration, SystemTime};

use state::{Candidate, Decision, FetchHistory, FetchOutcome, Phase, Validity};

const FLEET: usize = 10_000;
const HOURS: usize = 24;
/// Times are in milliseconds since the start of the first process.
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const END: u64 = HOURS as u64 * 60 * MINUTE;
/// The time from a call to its token or error.
const LATENCY: u64 = 200;
const LIFETIME: u64 = 60 * MINUTE;
/// The remaining lifetime at which the credentials of `azure_identity` stop returning their cached token.
const CREDENTIAL_REFRESH_THRESHOLD: u64 = 300 * SECOND;

#[derive(Clone, Copy)]
struct Scenario {
    /// The processes start evenly spread over this time.
    start_over: u64,
    /// `true` if the credential caches tokens, as those of `azure_identity` do. Otherwise each call goes to Entra.
    credential_caches: bool,
    jitter: bool,
    /// The start and end of the time in which Entra responds with errors.
    outage: (u64, u64),
}

/// A seeded random number generator, so that each run prints the same tables.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The calls and failed requests in each second.
struct Record {
    calls: Vec<u32>,
    failed_requests: Vec<u32>,
    /// The number of processes whose last call before the end of the outage failed.
    backlog: u32,
}

impl Record {
    fn of(scenario: Scenario) -> Self {
        let seconds = (END / SECOND) as usize + 1;
        let mut record = Self { calls: vec![0; seconds], failed_requests: vec![0; seconds], backlog: 0 };
        let mut random = Random(1);
        for number in 0..FLEET as u64 {
            // Spreads requests over a second even if all processes start in the same one.
            let start = scenario.start_over * number / FLEET as u64 + (random.next() * SECOND as f64) as u64;
            Process {
                scenario,
                random: &mut random,
                record: &mut record,
                cached: None,
                credential_cache: None,
                next_value: 0,
            }
            .run(start);
        }
        record
    }

    fn peak(&self, from: u64, to: u64) -> u32 {
        self.calls[second(from)..second(to)].iter().copied().max().unwrap_or(0)
    }

    fn calls(&self, from: u64, to: u64) -> u32 {
        self.calls[second(from)..second(to)].iter().sum()
    }

    fn mean(&self, from: u64, to: u64) -> u64 {
        u64::from(self.calls(from, to)) * SECOND / (to - from)
    }

    fn failed_requests(&self, from: u64, to: u64) -> u32 {
        self.failed_requests[second(from)..second(to)].iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Token {
    value: u64,
    expires_on: u64,
}

struct Process<'a> {
    scenario: Scenario,
    random: &'a mut Random,
    record: &'a mut Record,
    cached: Option<(Token, Validity)>,
    /// The token that the credential itself caches.
    credential_cache: Option<Token>,
    next_value: u64,
}

impl Process<'_> {
    /// Simulates one request per second. Skips requests that cannot change the state, but counts them.
    fn run(mut self, start: u64) {
        let mut history = FetchHistory::default();
        let mut request = start;
        let mut in_backlog = false;
        while request < END {
            let validity = self.cached.as_ref().map(|(_, validity)| validity);
            let next = match state::decide(validity, &history, at(request)) {
                Decision::UseCached => match (validity, history.backoff_remaining(at(request))) {
                    (Some(validity), _) if validity.phase(at(request)) == Phase::Fresh => {
                        since_start(validity.refresh_from)
                    }
                    (Some(validity), Some(backoff)) => {
                        since_start(validity.usable_until).min(request + backoff.as_millis() as u64)
                    }
                    _ => unreachable!("a served token is cached, and is fresh or backing off"),
                },
                Decision::UseCachedAndRefresh => {
                    in_backlog = !self.fetch(&mut history, request);
                    request + 1
                }
                Decision::Fetch => {
                    in_backlog = !self.fetch(&mut history, request);
                    self.record.failed_requests[second(request)] += u32::from(in_backlog);
                    request + 1
                }
                Decision::BackOff { remaining } => {
                    let until = request + remaining.as_millis() as u64 + 1;
                    for failed in (request..until.min(END)).step_by(SECOND as usize) {
                        self.record.failed_requests[second(failed)] += 1;
                    }
                    until
                }
            };
            let next = request + (next.max(request + 1) - request).next_multiple_of(SECOND);
            if in_backlog && (request..next).contains(&self.scenario.outage.1) {
                self.record.backlog += 1;
            }
            request = next;
        }
    }

    /// Calls the credential and updates the cache entry. Returns `true` if the entry has a new token.
    fn fetch(&mut self, history: &mut FetchHistory, now: u64) -> bool {
        let response = self.call_credential(now);
        let now = at(now + LATENCY);
        let (window_jitter, backoff_jitter) = (self.jitter(), self.jitter());
        let cached = self.cached.as_ref().map(|(_, validity)| validity);
        let candidate = response.map(|token| Candidate {
            validity: Validity::new(now, at(token.expires_on), window_jitter),
            is_known: self.cached.is_some_and(|(cached, _)| cached.value == token.value),
        });
        match (history.record(cached, candidate, false, now, backoff_jitter), response) {
            (FetchOutcome::Stored(validity), Some(token)) => {
                self.cached = Some((token, validity));
                true
            }
            _ => false,
        }
    }

    /// Returns the credential's token. Counts a call to Entra unless the credential has it in its own cache.
    fn call_credential(&mut self, now: u64) -> Option<Token> {
        let cached = self.credential_cache.filter(|_| self.scenario.credential_caches);
        if let Some(cached) = cached.filter(|cached| cached.expires_on > now + CREDENTIAL_REFRESH_THRESHOLD) {
            return Some(cached);
        }
        self.record.calls[second(now)] += 1;
        let (from, until) = self.scenario.outage;
        if (from..until).contains(&now) {
            return None;
        }
        self.next_value += 1;
        self.credential_cache = Some(Token { value: self.next_value, expires_on: now + LIFETIME });
        self.credential_cache
    }

    fn jitter(&mut self) -> f64 {
        if self.scenario.jitter { self.random.next() } else { 1.0 }
    }
}

fn at(time: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(time)
}

/// Rounds up, because a request that is a fraction of a millisecond too early would not change the state.
fn since_start(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_micros().div_ceil(1_000) as u64)
}

fn second(time: u64) -> usize {
    (time / SECOND) as usize
}

/// Start times of the fleet: all in the same second, or evenly spread over 10 minutes.
const STARTS: [(&str, u64); 2] = [("together", 0), ("over 10 min", 10 * MINUTE)];

fn print_normal_operation() {
    println!(
        "| {FLEET} processes started | credential | jitter | calls per day | peak per second | share of the fleet |"
    );
    println!("|---|---|---|---|---|---|");
    for (start, start_over) in STARTS {
        for (credential, credential_caches) in [("caches its token", true), ("no cache", false)] {
            for (label, jitter) in [("yes", true), ("no", false)] {
                let record = Record::of(Scenario { start_over, credential_caches, jitter, outage: (0, 0) });
                // Excludes the start from the peak, because each process makes one call then under any rules.
                let (calls, peak) = (record.calls(0, END), record.peak(start_over + MINUTE, END));
                let share = FLEET / peak.max(1) as usize;
                println!("| {start} | {credential} | {label} | {calls} | {peak} | 1/{share} |");
                assert!(!jitter || share >= 50, "processes refresh at the same time");
            }
        }
    }
}

/// Outages that cover the first refresh windows, the expiry of the first tokens, and the start, and outages after half a
/// day, when jitter has spread the fleet.
const OUTAGES: [(&str, u64, u64); 5] = [
    ("2 min from 0:55", 55 * MINUTE, 57 * MINUTE),
    ("20 min from 0:50", 50 * MINUTE, 70 * MINUTE),
    ("2 min from 13:00", 780 * MINUTE, 782 * MINUTE),
    ("20 min from 13:00", 780 * MINUTE, 800 * MINUTE),
    ("2 min from 0:00", 0, 2 * MINUTE),
];

fn print_outages() {
    println!(
        "| started | outage | calls per second during it: mean | peak | processes without a new token at its end \
         | calls per second in the next minute: mean | peak | in the 2 h after that: peak \
         | failed requests during it | after it |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (start, start_over) in STARTS {
        for (outage, from, until) in OUTAGES {
            let scenario =
                Scenario { start_over, credential_caches: true, jitter: true, outage: (from, until) };
            let record = Record::of(scenario);
            let (minute, later) = (until + MINUTE, until + 121 * MINUTE);
            println!(
                "| {start} | {outage} | {} | {} | {} | {} | {} | {} | {} | {} |",
                record.mean(from, until),
                record.peak(from, until),
                record.backlog,
                record.mean(until, minute),
                record.peak(until, minute),
                record.peak(minute, later),
                record.failed_requests(from, until),
                record.failed_requests(until, END),
            );
        }
    }
}

fn main() {
    print_normal_operation();
    println!();
    print_outages();
}
