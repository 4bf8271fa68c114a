//! [`Feed`]: the change feed of the fake DICOM service.
//!
//! The real server assigns the timestamp of a change when its transaction starts and its sequence number when it is
//! inserted, and shows both once the transaction is committed (`dicom-server UpdateInstanceStatusV54.sql`,
//! `ChangeFeed.sql`). A change can therefore become visible after one with a higher sequence number or timestamp.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, SystemTime},
};

use azure_core::time::OffsetDateTime;
use serde_json::{Value, json};

use super::change::{Action, ChangeTiming, FakeChange};

/// The number of synthetic changes before a gap in the sequence numbers.
///
/// The gap is longer than a default page of `v1`, so one page is empty.
const BEFORE_GAP: u64 = 12;
const GAP: u64 = 20;

/// The time of the first synthetic change, 2024-01-01T08:00:00Z, in seconds since the Unix epoch.
const FIRST: u64 = 1_704_096_000;
/// The number of seconds between two synthetic changes.
const INTERVAL: u64 = 60;

/// The number of nanoseconds in a tick, the unit of the server's timestamps (`DATETIMEOFFSET(7)`).
const TICK: u32 = 100;

/// All changes, ordered by sequence number.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    changes: Vec<Recorded>,
    /// The sequence number of the last change, or of the end of a gap after it.
    last_sequence: u64,
    /// The timings of the next changes.
    timings: VecDeque<ChangeTiming>,
}

/// A change in the feed.
#[derive(Debug)]
struct Recorded {
    sequence: u64,
    timestamp: SystemTime,
    /// The time from which on the change is visible, or `None` if it never is.
    visible_from: Option<SystemTime>,
    change: FakeChange,
}

/// What a change is about.
type Key<'a> = (&'a str, &'a [String; 3]);

/// A visible change, together with the state of its instance.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    recorded: &'a Recorded,
    /// The last visible change of the same instance.
    last: &'a Recorded,
}

impl Feed {
    /// Adds a change that is made at `now`.
    pub(crate) fn record(&mut self, now: SystemTime, change: FakeChange) {
        let timing = self.timings.pop_front().unwrap_or_default();
        let timestamp = now.checked_sub(timing.started_before).unwrap_or(SystemTime::UNIX_EPOCH);
        let visible_from = now.checked_add(timing.visible_after);
        self.last_sequence = self.last_sequence.saturating_add(timing.skip_sequences);
        self.push(timestamp, visible_from, change);
    }

    /// Adds a synthetic change: they are a minute apart, and after the twelfth the sequence numbers skip 20.
    pub(crate) fn record_synthetic(&mut self, change: FakeChange) {
        let index = u64::try_from(self.changes.len()).unwrap_or(u64::MAX);
        if index == BEFORE_GAP {
            self.last_sequence += GAP;
        }
        let time = Duration::from_secs(FIRST.saturating_add(index.saturating_mul(INTERVAL)));
        self.push(SystemTime::UNIX_EPOCH + time, Some(SystemTime::UNIX_EPOCH), change);
    }

    fn push(&mut self, timestamp: SystemTime, visible_from: Option<SystemTime>, change: FakeChange) {
        self.last_sequence = self.last_sequence.saturating_add(1);
        let timestamp = round_down(timestamp);
        self.changes.push(Recorded { sequence: self.last_sequence, timestamp, visible_from, change });
    }

    /// Sets the timing of the next change, or of one after it if a timing is set already.
    pub(crate) fn set_next_timing(&mut self, timing: ChangeTiming) {
        self.timings.push_back(timing);
    }

    /// Returns the changes that are visible at `now`, ordered by sequence number.
    pub(super) fn visible(&self, now: SystemTime) -> Vec<Entry<'_>> {
        let visible = || self.changes.iter().filter(|change| change.is_visible(now));
        let last: HashMap<Key<'_>, &Recorded> =
            visible().map(|recorded| (recorded.key(), recorded)).collect();
        let entry = |recorded: &'_ Recorded| last.get(&recorded.key()).copied();
        visible().filter_map(|recorded| Some(Entry { recorded, last: entry(recorded)? })).collect()
    }
}

impl Recorded {
    fn is_visible(&self, now: SystemTime) -> bool {
        self.visible_from.is_some_and(|from| from <= now)
    }

    fn key(&self) -> Key<'_> {
        (&self.change.partition, &self.change.uids)
    }
}

impl Entry<'_> {
    pub(super) fn sequence(&self) -> u64 {
        self.recorded.sequence
    }

    pub(super) fn timestamp(&self) -> SystemTime {
        self.recorded.timestamp
    }

    /// Returns the entry as the server sends it. The metadata are those of the instance's current version.
    pub(super) fn to_json(self, metadata: bool) -> Value {
        let FakeChange { action, partition, uids: [study, series, sop], .. } = &self.recorded.change;
        let mut entry = json!({
            "sequence": self.recorded.sequence,
            "partitionName": partition,
            "studyInstanceUid": study,
            "seriesInstanceUid": series,
            "sopInstanceUid": sop,
            // The capitalization is that of the server (`ChangeFeedEntry.cs`). The documentation uses lower case.
            "action": action.name(),
            "timestamp": timestamp(self.recorded.timestamp),
            "state": self.state(),
        });
        if let (true, Some(metadata), Some(entry)) =
            (metadata, &self.last.change.metadata, entry.as_object_mut())
        {
            entry.insert("metadata".to_owned(), metadata.clone());
        }
        entry
    }

    /// Returns the state of the instance compared with that of this change (`ChangeFeed.sql`).
    fn state(&self) -> &'static str {
        if self.last.change.action == Action::Delete {
            "Deleted"
        } else if self.last.sequence == self.recorded.sequence {
            "Current"
        } else {
            "Replaced"
        }
    }
}

/// Rounds a time down to a tick of the server.
fn round_down(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_nanos() / TICK * TICK)
}

/// Formats a time as .NET does: with up to seven decimals and `+00:00`.
///
/// A client that sends the value back in a query must encode the `+`.
fn timestamp(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let decimals = format!(".{:07}", time.nanosecond() / TICK);
    let decimals = decimals.trim_end_matches('0').trim_end_matches('.');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{decimals}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UIDS: [&str; 3] = ["1.1", "1.2", "1.3"];

    fn at(nanos: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
    }

    /// Returns the sequence number, action and state of all changes that are visible at a time in nanoseconds.
    fn shown(feed: &Feed, now: u64) -> Vec<(u64, String, String)> {
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        let entries = feed.visible(at(now)).into_iter().map(|entry| entry.to_json(true));
        entries.map(|e| (e["sequence"].as_u64().unwrap(), text(&e, "action"), text(&e, "state"))).collect()
    }

    fn row(sequence: u64, action: &str, state: &str) -> (u64, String, String) {
        (sequence, action.to_owned(), state.to_owned())
    }

    #[test]
    fn entry_has_the_keys_of_the_real_service() {
        let mut feed = Feed::default();
        feed.record_synthetic(FakeChange::create(UIDS).metadata(&json!({"a": 1})));
        let mut expected = json!({
            "sequence": 1, "partitionName": "Microsoft.Default", "studyInstanceUid": "1.1",
            "seriesInstanceUid": "1.2", "sopInstanceUid": "1.3", "action": "Create",
            "timestamp": "2024-01-01T08:00:00+00:00", "state": "Current",
        });
        let entry = feed.visible(at(0))[0];
        assert_eq!(entry.to_json(false), expected);
        expected["metadata"] = json!({"a": 1});
        assert_eq!(entry.to_json(true), expected);
    }

    #[test]
    fn state_and_metadata_are_those_of_the_current_version() {
        let mut feed = Feed::default();
        let metadata = |feed: &Feed| -> Vec<Value> {
            feed.visible(at(9)).iter().map(|entry| entry.to_json(true)["metadata"].clone()).collect()
        };
        feed.record(at(1), FakeChange::create(UIDS).metadata(&json!(1)));
        feed.record(at(2), FakeChange::update(UIDS).metadata(&json!(2)));
        assert_eq!(shown(&feed, 9), [row(1, "Create", "Replaced"), row(2, "Update", "Current")]);
        assert_eq!(metadata(&feed), [json!(2), json!(2)]);

        feed.record(at(3), FakeChange::delete(UIDS));
        let states = ["Deleted"; 3].map(str::to_owned);
        assert_eq!(shown(&feed, 9).into_iter().map(|row| row.2).collect::<Vec<_>>(), states);
        assert_eq!(metadata(&feed), [json!(null), json!(null), json!(null)]);

        feed.record(at(4), FakeChange::create(UIDS).metadata(&json!(4)));
        let states = ["Replaced", "Replaced", "Replaced", "Current"].map(str::to_owned);
        assert_eq!(shown(&feed, 9).into_iter().map(|row| row.2).collect::<Vec<_>>(), states);

        feed.record(at(5), FakeChange::create(UIDS).partition("other"));
        assert_eq!(shown(&feed, 9)[3..], [row(4, "Create", "Current"), row(5, "Create", "Current")]);
    }

    #[test]
    fn change_is_hidden_until_it_is_visible_and_has_no_effect_before() {
        let mut feed = Feed::default();
        feed.record(at(1_000), FakeChange::create(UIDS));
        feed.set_next_timing(
            ChangeTiming::new()
                .started_before(Duration::from_nanos(500))
                .visible_after(Duration::from_nanos(500)),
        );
        feed.record(at(2_000), FakeChange::delete(UIDS));
        feed.record(at(2_100), FakeChange::create(["2", "3", "4"]));

        let before = [row(1, "Create", "Current"), row(3, "Create", "Current")];
        assert_eq!(shown(&feed, 2_499), before);
        let after = [row(1, "Create", "Deleted"), row(2, "Delete", "Deleted"), row(3, "Create", "Current")];
        assert_eq!(shown(&feed, 2_500), after);
        let timestamps: Vec<_> = feed.visible(at(9_999)).iter().map(Entry::timestamp).collect();
        assert_eq!(timestamps, [at(1_000), at(1_500), at(2_100)]);
    }

    #[test]
    fn timings_apply_to_one_change_each_in_order() {
        let mut feed = Feed::default();
        feed.set_next_timing(ChangeTiming::new().skip_sequences(1_200));
        feed.set_next_timing(ChangeTiming::new().skip_sequences(3));
        for _ in 0..3 {
            feed.record(at(0), FakeChange::create(UIDS));
        }
        let sequences: Vec<_> = feed.visible(at(0)).iter().map(Entry::sequence).collect();
        assert_eq!(sequences, [1_201, 1_205, 1_206]);
        feed.set_next_timing(ChangeTiming::new().skip_sequences(u64::MAX));
        feed.record(at(0), FakeChange::create(UIDS));
        assert_eq!(feed.visible(at(0)).last().unwrap().sequence(), u64::MAX);
        feed.set_next_timing(ChangeTiming::new().visible_after(Duration::MAX));
        feed.record(at(0), FakeChange::create(UIDS));
        assert_eq!(feed.visible(at(u64::MAX)).len(), 4);
    }

    #[test]
    fn synthetic_changes_have_a_gap_and_are_always_visible() {
        let mut feed = Feed::default();
        (0..14).for_each(|_| feed.record_synthetic(FakeChange::create(UIDS)));
        feed.record(at(0), FakeChange::create(UIDS));
        let sequences: Vec<_> = feed.visible(at(0)).iter().map(Entry::sequence).collect();
        assert_eq!(sequences, (1..=12).chain(33..=35).collect::<Vec<_>>());
    }

    #[test]
    fn timestamps_have_ticks_of_100_nanoseconds() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00+00:00"),
            (199, "1970-01-01T00:00:00.0000001+00:00"),
            (1_500_000_000, "1970-01-01T00:00:01.5+00:00"),
            (86_399_999_999_999, "1970-01-01T23:59:59.9999999+00:00"),
        ] {
            assert_eq!(timestamp(round_down(at(nanos))), expected);
        }
        assert_eq!(round_down(at(199)), round_down(at(100)));
    }
}
