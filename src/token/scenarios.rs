//! Plays the scenarios of `scenarios.json` by the rules of [`state`](super::state).
//!
//! Only what the rules leave open is added here: which tokens have which name, and that one call is under way at most.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::state::{Arrival, Arrived, Calls, Decision, Life, Phase, classify};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
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
    held: Option<String>,
    draw: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    event: String,
    expected: String,
    asked: u32,
}

struct Play {
    draw: f64,
    held: Option<(String, Life)>,
    /// The refused token that the held one took the place of.
    refused: Option<String>,
    calls: Calls,
    /// The call under way, and whether it was forced.
    call: Option<bool>,
    asked: u32,
}

impl Play {
    fn new(given: &Given) -> Self {
        let mut play = Self {
            draw: given.draw,
            held: None,
            refused: None,
            calls: Calls::default(),
            call: None,
            asked: 0,
        };
        if let Some(held) = &given.held {
            assert_eq!(play.land(time("0 s"), Some(held)), name(held));
        }
        play
    }

    fn step(&mut self, now: SystemTime, event: &str) -> String {
        match event.split_once(": ").map_or_else(|| event.split_at(event.len()), |(what, of)| (what, of)) {
            ("request", "") => self.request(now),
            ("401", refused) => self.refusal(now, refused),
            ("answer", "error") => self.land(now, None),
            ("answer", token) => self.land(now, Some(token)),
            ("clock", _) => String::new(),
            _ => panic!("no such event: {event}"),
        }
    }

    fn request(&mut self, now: SystemTime) -> String {
        let decision = classify(self.life(), &self.calls, now);
        match decision {
            Decision::Refuse { wait } if self.call.is_none() => told("error", Some(wait)),
            Decision::Serve => self.name(),
            Decision::ServeAndRefresh => {
                self.begin(false);
                self.name()
            }
            Decision::Fetch | Decision::Refuse { .. } => self.begin(false),
        }
    }

    fn refusal(&mut self, now: SystemTime, refused: &str) -> String {
        match &self.held {
            Some((_, life)) if life.phase(now) == Phase::Ended => self.request(now),
            None => self.request(now),
            Some((held, _)) if held != refused => self.name(),
            Some(_) if self.call.is_none() && !self.calls.may_force(now) => "nothing".to_owned(),
            Some(_) => self.begin(true),
        }
    }

    fn begin(&mut self, forced: bool) -> String {
        if self.call.is_none() {
            self.asked += 1;
        }
        match *self.call.get_or_insert(forced) {
            true => "waits, forced".to_owned(),
            false => "waits".to_owned(),
        }
    }

    /// What those who wait are told.
    fn land(&mut self, now: SystemTime, token: Option<&str>) -> String {
        let forced = self.call.take().unwrap_or_default();
        let arrived = token.map(|token| Arrived {
            life: Life::new(now, time(end(token)), self.draw),
            known: [&self.held.as_ref().map(|(held, _)| held.clone()), &self.refused]
                .into_iter()
                .any(|known| known.as_deref() == Some(name(token))),
        });
        let life = self.life().copied();
        match self.calls.landed(life.as_ref(), arrived, forced, now, self.draw) {
            Arrival::Taken(life) => {
                let before = self.held.replace((name(token.unwrap_or_default()).to_owned(), life));
                if forced {
                    self.refused = before.map(|(name, _)| name);
                }
                self.name()
            }
            Arrival::Kept if forced => "nothing".to_owned(),
            Arrival::Kept => self.name(),
            Arrival::Useless => told("error", self.calls.resting(now)),
        }
    }

    fn life(&self) -> Option<&Life> {
        self.held.as_ref().map(|(_, life)| life)
    }

    fn name(&self) -> String {
        self.held.as_ref().map(|(name, _)| name.clone()).unwrap_or_default()
    }
}

fn told(what: &str, wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!("{what}, again in {} s", wait.as_secs_f64()),
        None => what.to_owned(),
    }
}

/// Of `A until 1 h` the `A`.
fn name(token: &str) -> &str {
    token.split_once(" until ").unwrap_or_else(|| panic!("not a token: {token}")).0
}

/// Of `A until 1 h` the `1 h`.
fn end(token: &str) -> &str {
    token.split_once(" until ").unwrap_or_else(|| panic!("not a token: {token}")).1
}

/// `1 h 2 min 3.5 s` after the moment at which all scenarios begin, or before it: `-10 s`.
fn time(text: &str) -> SystemTime {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let (back, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
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
    if back { start - offset } else { start + offset }
}

#[test]
fn each_scenario_goes_as_it_is_written() {
    let page: Page = serde_json::from_str(include_str!("scenarios.json")).unwrap();
    let mut wrong = String::new();
    for scenario in &page.scenarios {
        let mut play = Play::new(&scenario.given);
        for Step { at, event, expected, asked } in &scenario.steps {
            let found = play.step(time(at), event);
            if (&found, play.asked) != (expected, *asked) {
                let Scenario { name, .. } = scenario;
                writeln!(wrong, "{name}\n  {at}, {event}: {expected:?} asked {asked}, and not").unwrap();
                writeln!(wrong, "  {found:?} asked {}", play.asked).unwrap();
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_scenario_stands_twice() {
    let page: Page = serde_json::from_str(include_str!("scenarios.json")).unwrap();
    let mut names: Vec<_> = page.scenarios.iter().map(|scenario| &scenario.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), page.scenarios.len());
}

#[test]
fn in_every_life_the_window_opens_first_then_serving_stops_then_it_ends() {
    for left in (1..2_000).chain([3_600, 86_400, 250_000_000_000]) {
        for draw in [0.0, 0.5, 1.0] {
            let (arrived, ends) = (time("0 s"), time("0 s") + Duration::from_secs(left));
            let life = Life::new(arrived, ends, draw).unwrap();
            let Life { refreshed_from, served_until, .. } = life;
            assert!(
                arrived < refreshed_from && refreshed_from < served_until && served_until < ends,
                "{life:?}"
            );
        }
    }
}

#[test]
fn no_time_makes_the_rules_panic() {
    let far = Duration::from_secs(250_000_000_000);
    let start = time("0 s");
    // The ends of what a `SystemTime` can hold, as near as powers of two come.
    let last = (0..63).rev().fold(start, |t, bit| t.checked_add(Duration::from_secs(1 << bit)).unwrap_or(t));
    let first = (0..63).rev().fold(start, |t, bit| t.checked_sub(Duration::from_secs(1 << bit)).unwrap_or(t));
    let times = [first, start - far, SystemTime::UNIX_EPOCH, start, start + far, last];
    for arrived in times {
        for ends in times {
            for now in times {
                for forced in [false, true] {
                    let life = Life::new(arrived, ends, 1.0);
                    let mut calls = Calls::default();
                    for arrived in
                        [None, Some(Arrived { life, known: false }), Some(Arrived { life, known: true })]
                    {
                        calls.landed(life.as_ref(), arrived, forced, now, 1.0);
                        classify(life.as_ref(), &calls, now);
                        calls.may_force(now);
                    }
                }
            }
        }
    }
}
