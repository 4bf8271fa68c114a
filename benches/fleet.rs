//! What a fleet of ten thousand processes brings down on Entra, by the very rules of `src/token/state.rs`.
//!
//! A simulation: nothing sleeps, and a seed makes each run the same. Every process has one slot, and one request each
//! second asks it for a value. A call is counted once, whatever the credential makes of it within. The processes know nothing of one another, so each is followed alone through all of its
//! time, from one moment at which something happens to the next.

#[path = "../src/token/state.rs"]
#[expect(dead_code, reason = "no process sees a refusal, so nothing is forced")]
mod state;

use std::time::{Duration, SystemTime};

use state::{Candidate, Decision, FetchHistory, FetchOutcome, Phase, Validity};

const FLEET: usize = 10_000;
const HOURS: usize = 24;
/// All times are in milliseconds from the start of the first process.
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const END: u64 = HOURS as u64 * 60 * MINUTE;
/// From a call to its answer, be it a token or an error.
const LATENCY: u64 = 200;
const LIFE: u64 = 60 * MINUTE;
/// How long the credentials of `azure_identity` hand out the token that they hold: until this much of it remains.
const CREDENTIAL_REFRESHES: u64 = 300 * SECOND;

#[derive(Clone, Copy)]
struct Scenario {
    /// The processes start evenly over this time.
    start_over: u64,
    /// Whether the credential keeps its tokens, as those of `azure_identity` do, or asks Entra at each call.
    credential_keeps: bool,
    jitter: bool,
    /// From when to when Entra answers with errors.
    outage: (u64, u64),
}

/// Small and good enough to spread load; seeded, so that a table can be printed again.
struct Chance(u64);

impl Chance {
    fn draw(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What happened in each second.
struct Record {
    calls: Vec<u32>,
    failed_requests: Vec<u32>,
    /// Processes whose last call before the end of the outage had brought nothing.
    backlog: u32,
}

impl Record {
    fn of(scenario: Scenario) -> Self {
        let seconds = (END / SECOND) as usize + 1;
        let mut record = Self { calls: vec![0; seconds], failed_requests: vec![0; seconds], backlog: 0 };
        let mut chance = Chance(1);
        for number in 0..FLEET as u64 {
            // Requests fall anywhere in a second, also where all processes start in the same one.
            let start = scenario.start_over * number / FLEET as u64 + (chance.draw() * SECOND as f64) as u64;
            Process {
                scenario,
                chance: &mut chance,
                record: &mut record,
                held: None,
                kept: None,
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
    ends: u64,
}

struct Process<'a> {
    scenario: Scenario,
    chance: &'a mut Chance,
    record: &'a mut Record,
    held: Option<(Token, Validity)>,
    /// What the credential itself keeps.
    kept: Option<Token>,
    next_value: u64,
}

impl Process<'_> {
    /// Follows the requests, one each second. Those of which it is known that they change nothing are counted only.
    fn run(mut self, start: u64) {
        let mut calls = FetchHistory::default();
        let mut request = start;
        let mut in_backlog = false;
        while request < END {
            let life = self.held.as_ref().map(|(_, life)| life);
            let next = match state::decide(life, &calls, at(request)) {
                Decision::UseCached => match (life, calls.backoff_remaining(at(request))) {
                    (Some(life), _) if life.phase(at(request)) == Phase::Fresh => {
                        since_start(life.refresh_from)
                    }
                    (Some(life), Some(rest)) => {
                        since_start(life.usable_until).min(request + rest.as_millis() as u64)
                    }
                    _ => unreachable!("what is served is held, and if it is due, the credential rests"),
                },
                Decision::UseCachedAndRefresh => {
                    in_backlog = !self.fetch(&mut calls, request);
                    request + 1
                }
                Decision::Fetch => {
                    in_backlog = !self.fetch(&mut calls, request);
                    self.record.failed_requests[second(request)] += u32::from(in_backlog);
                    request + 1
                }
                Decision::BackOff { remaining } => {
                    let until = request + remaining.as_millis() as u64 + 1;
                    for refused in (request..until.min(END)).step_by(SECOND as usize) {
                        self.record.failed_requests[second(refused)] += 1;
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

    /// One call to the credential, and what the slot makes of its answer. Tells whether it brought a token.
    fn fetch(&mut self, calls: &mut FetchHistory, now: u64) -> bool {
        let answer = self.ask(now);
        let now = at(now + LATENCY);
        let (window, rest) = (self.draw(), self.draw());
        let held = self.held.as_ref().map(|(_, life)| life);
        let arrived = answer.map(|token| Candidate {
            validity: Validity::new(now, at(token.ends), window),
            is_known: self.held.is_some_and(|(held, _)| held.value == token.value),
        });
        match (calls.record(held, arrived, false, now, rest), answer) {
            (FetchOutcome::Stored(life), Some(token)) => {
                self.held = Some((token, life));
                true
            }
            _ => false,
        }
    }

    /// What the credential answers. Only what it does not keep is a call to Entra.
    fn ask(&mut self, now: u64) -> Option<Token> {
        let kept = self.kept.filter(|_| self.scenario.credential_keeps);
        if let Some(kept) = kept.filter(|kept| kept.ends > now + CREDENTIAL_REFRESHES) {
            return Some(kept);
        }
        self.record.calls[second(now)] += 1;
        let (from, until) = self.scenario.outage;
        if (from..until).contains(&now) {
            return None;
        }
        self.next_value += 1;
        self.kept = Some(Token { value: self.next_value, ends: now + LIFE });
        self.kept
    }

    fn draw(&mut self) -> f64 {
        if self.scenario.jitter { self.chance.draw() } else { 1.0 }
    }
}

fn at(time: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(time)
}

/// Rounded up: a request a moment too early would be answered as the one before it.
fn since_start(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_micros().div_ceil(1_000) as u64)
}

fn second(time: u64) -> usize {
    (time / SECOND) as usize
}

/// The processes of a fleet are started in the same second, or evenly over ten minutes.
const STARTS: [(&str, u64); 2] = [("together", 0), ("over 10 min", 10 * MINUTE)];

fn well() {
    println!(
        "| {FLEET} processes started | credential | jitter | calls a day | peak a second | of the fleet |"
    );
    println!("|---|---|---|---|---|---|");
    for (start, start_over) in STARTS {
        for (credential, credential_keeps) in [("keeps its token", true), ("always a new one", false)] {
            for (word, jitter) in [("yes", true), ("no", false)] {
                let record = Record::of(Scenario { start_over, credential_keeps, jitter, outage: (0, 0) });
                // Without what starting costs: a call for each process, whatever the rules are.
                let (calls, peak) = (record.calls(0, END), record.peak(start_over + MINUTE, END));
                let share = FLEET / peak.max(1) as usize;
                println!("| {start} | {credential} | {word} | {calls} | {peak} | 1/{share} |");
                assert!(!jitter || share >= 50, "the fleet comes together");
            }
        }
    }
}

/// Where an outage hurts: it spans the first windows, or the end of the first tokens too, or the start itself; or it
/// comes when chance has spread the fleet for half a day.
const OUTAGES: [(&str, u64, u64); 5] = [
    ("2 min from 0:55", 55 * MINUTE, 57 * MINUTE),
    ("20 min from 0:50", 50 * MINUTE, 70 * MINUTE),
    ("2 min from 13:00", 780 * MINUTE, 782 * MINUTE),
    ("20 min from 13:00", 780 * MINUTE, 800 * MINUTE),
    ("2 min from 0:00", 0, 2 * MINUTE),
];

fn outages() {
    println!(
        "| started | outage | calls a second in it: mean | peak | no newer token at its end \
         | calls a second in the minute after: mean | peak | in the 2 h after that: peak \
         | requests failed in it | after it |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (start, start_over) in STARTS {
        for (outage, from, until) in OUTAGES {
            let scenario =
                Scenario { start_over, credential_keeps: true, jitter: true, outage: (from, until) };
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
    well();
    println!();
    outages();
}
