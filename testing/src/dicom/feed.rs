//! [`Feed`]: the change feed of the fake DICOM service.

use azure_core::time::{OffsetDateTime, to_rfc3339};
use serde_json::{Value, json};

use crate::seed::Instance;

/// The number of changes before a gap in the sequence numbers.
///
/// The gap is longer than a default page of `v1`, so one page is empty.
const BEFORE_GAP: usize = 12;
const GAP: usize = 20;

/// The time of the first change, 2024-01-01T08:00:00Z, in seconds since the Unix epoch.
const FIRST: i64 = 1_704_096_000;
/// The number of seconds between two changes.
const INTERVAL: i64 = 60;

/// The change feed, ordered by sequence number and by time.
///
/// Every tenth change from the 8th on updates the instance that was created 4 changes earlier. Every tenth change
/// from the 10th on deletes the one that was created 5 changes earlier. All others create an instance. The instances
/// of a test are created last.
pub(crate) struct Feed {
    changes: usize,
    seeded: Vec<Instance>,
}

impl Feed {
    pub(crate) fn new(changes: usize, seeded: Vec<Instance>) -> Self {
        Self { changes, seeded }
    }

    pub(crate) fn len(&self) -> usize {
        self.changes + self.seeded.len()
    }

    /// Returns the metadata of the instance with these study, series and instance UIDs after its last change.
    pub(crate) fn metadata(&self, [study, series, sop]: [&str; 3]) -> Option<Value> {
        let mut entries = (0..self.len()).rev().map(|index| self.entry(index, true));
        let mut last = entries.find(|entry| {
            entry["studyInstanceUid"] == study
                && entry["seriesInstanceUid"] == series
                && entry["sopInstanceUid"] == sop
        })?;
        Some(last.get_mut("metadata")?.take())
    }

    /// Returns the entry at `index`, which must be less than [`len`](Self::len).
    pub(crate) fn entry(&self, index: usize, metadata: bool) -> Value {
        let seeded = index.checked_sub(self.changes).and_then(|index| self.seeded.get(index));
        let (action, state, instance) = match seeded {
            Some(instance) => ("Create", "Current", instance.clone()),
            None => self.synthetic(index),
        };
        let [study, series, sop] = instance.uids;
        let mut entry = json!({
            "sequence": sequence(index),
            "partitionName": "Microsoft.Default",
            "studyInstanceUid": study,
            "seriesInstanceUid": series,
            "sopInstanceUid": sop,
            "action": action,
            "timestamp": timestamp(index),
            "state": state,
        });
        // A deleted instance has no metadata.
        if let (true, Some(entry)) = (metadata && state != "Deleted", entry.as_object_mut()) {
            entry.insert("metadata".to_owned(), instance.metadata);
        }
        entry
    }

    /// Returns the action, the state and the instance of a synthetic change.
    fn synthetic(&self, index: usize) -> (&'static str, &'static str, Instance) {
        // The capitalization is that of the server. The documentation uses lower case.
        let (action, instance) = match index % 10 {
            7 => ("Update", index - 4),
            9 => ("Delete", index - 5),
            _ => ("Create", index),
        };
        let state = match index % 10 {
            3 if index + 4 < self.changes => "Replaced",
            4 if index + 5 < self.changes => "Deleted",
            9 => "Deleted",
            _ => "Current",
        };
        (action, state, Instance { uids: uids(instance), metadata: instance_metadata(instance) })
    }
}

/// Returns the sequence number of the change at `index`.
pub(crate) fn sequence(index: usize) -> usize {
    if index < BEFORE_GAP { index + 1 } else { index + 1 + GAP }
}

/// Returns the time of the change at `index`, in seconds since the Unix epoch.
pub(crate) fn seconds(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(INTERVAL).saturating_add(FIRST)
}

/// Returns the time of the change at `index`, with `+00:00` as .NET writes it.
///
/// A client that sends the value back in a query must encode the `+`.
fn timestamp(index: usize) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds(index)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    to_rfc3339(&time).replace('Z', "+00:00")
}

/// Returns the study, series and instance UIDs. A series has three instances, and a study two series.
fn uids(instance: usize) -> [String; 3] {
    [(1, instance / 6), (2, instance / 3), (3, instance)]
        .map(|(level, number)| format!("2.25.{level}{number:06}"))
}

fn instance_metadata(instance: usize) -> Value {
    let [study, series, sop] = uids(instance);
    let element = |vr: &str, value: Value| json!({"vr": vr, "Value": [value]});
    json!({
        "00080018": element("UI", json!(sop)),
        "00080060": element("CS", json!("OT")),
        "00100010": element("PN", json!({"Alphabetic": "Testperson^Example"})),
        "00100020": element("LO", json!(format!("example-{:04}", instance / 6 + 1))),
        "0020000D": element("UI", json!(study)),
        "0020000E": element("UI", json!(series)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_has_the_keys_of_the_real_service() {
        let [study, series, sop] = ["2.25.1000000", "2.25.2000000", "2.25.3000000"];
        let mut expected = json!({
            "sequence": 1, "partitionName": "Microsoft.Default", "studyInstanceUid": study,
            "seriesInstanceUid": series, "sopInstanceUid": sop, "action": "Create",
            "timestamp": "2024-01-01T08:00:00+00:00", "state": "Current",
        });
        assert_eq!(Feed::new(1, Vec::new()).entry(0, false), expected);
        expected["metadata"] = instance_metadata(0);
        assert_eq!(Feed::new(1, Vec::new()).entry(0, true), expected);
        assert_eq!(expected["metadata"]["00080018"], json!({"vr": "UI", "Value": [sop]}));
    }

    #[test]
    fn state_reflects_later_updates_and_deletions() {
        let states = |changes| -> Vec<_> {
            let feed = Feed::new(changes, Vec::new());
            (0..changes).map(|index| feed.entry(index, true)).collect()
        };
        let early = states(7);
        assert!(early.iter().all(|entry| entry["state"] == "Current" && entry["action"] == "Create"));
        let at = |changes: usize, index: usize| states(changes)[index]["state"].clone();
        assert_eq!([at(7, 3), at(8, 3), at(9, 4), at(10, 4)], ["Current", "Replaced", "Current", "Deleted"]);
        let late = states(10);
        for (index, action, state, of) in [
            (3, "Create", "Replaced", 3),
            (7, "Update", "Current", 3),
            (4, "Create", "Deleted", 4),
            (9, "Delete", "Deleted", 4),
        ] {
            let entry = &late[index];
            assert_eq!((entry["action"].as_str(), entry["state"].as_str()), (Some(action), Some(state)));
            assert_eq!(entry["sopInstanceUid"], late[of]["sopInstanceUid"]);
            assert_eq!(entry.get("metadata").is_none(), state == "Deleted");
        }
    }

    #[test]
    fn series_has_three_instances_and_study_has_two_series() {
        let of = |instance| uids(instance).map(|uid| uid["2.25.".len()..].parse::<u32>().unwrap());
        assert_eq!((of(2), of(3)), ([1_000_000, 2_000_000, 3_000_002], [1_000_000, 2_000_001, 3_000_003]));
        assert_eq!((of(5), of(6)), ([1_000_000, 2_000_001, 3_000_005], [1_000_001, 2_000_002, 3_000_006]));
    }

    #[test]
    fn added_instances_are_the_last_changes() {
        let added = Instance { uids: ["1", "2", "3"].map(str::to_owned), metadata: json!({"added": true}) };
        let feed = Feed::new(10, vec![added]);
        let entry = feed.entry(10, true);
        assert_eq!(
            (feed.len(), &entry["action"], &entry["state"]),
            (11, &json!("Create"), &json!("Current"))
        );
        assert_eq!((&entry["sequence"], &entry["metadata"]), (&json!(11), &json!({"added": true})));
        assert_eq!(feed.metadata(["1", "2", "3"]), Some(json!({"added": true})));
    }

    #[test]
    fn metadata_is_that_of_the_last_change() {
        let added = Instance { uids: uids(1), metadata: json!({"added": true}) };
        let feed = Feed::new(10, vec![added]);
        let of = |instance| {
            let [study, series, sop] = uids(instance);
            feed.metadata([&study, &series, &sop])
        };
        assert_eq!((of(3), of(4), of(1)), (Some(instance_metadata(3)), None, Some(json!({"added": true}))));
    }
}
