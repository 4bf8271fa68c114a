//! The change feed of the stand-in's DICOM service: what has happened to which instance.

use azure_core::time::{OffsetDateTime, to_rfc3339};
use serde_json::{Value, json};

use super::seed::Instance;

/// After so many changes the sequence numbers leave a gap: longer than a page of `v1`, which is therefore empty.
const BEFORE_GAP: usize = 12;
const GAP: usize = 20;

/// The time of the first change, 2024-01-01T08:00:00Z; the others follow at a minute's distance.
const FIRST: i64 = 1_704_096_000;
const APART: i64 = 60;

/// The changes that the service holds, in the order of their sequence and of their time.
///
/// Every tenth one from the eighth on updates the instance of four changes ago, every tenth one from the tenth on
/// deletes the one of five changes ago, and all others create one. Those of a test's own are created last.
pub(super) struct Feed {
    changes: usize,
    own: Vec<Instance>,
}

impl Feed {
    pub(super) fn new(changes: usize, own: Vec<Instance>) -> Self {
        Self { changes, own }
    }

    pub(super) fn len(&self) -> usize {
        self.changes + self.own.len()
    }

    /// The metadata of the instance with these UIDs of study, series and instance, as its last change left them.
    pub(super) fn metadata(&self, [study, series, sop]: [&str; 3]) -> Option<Value> {
        let mut entries = (0..self.len()).rev().map(|index| self.entry(index, true));
        let mut last = entries.find(|entry| {
            entry["studyInstanceUid"] == study
                && entry["seriesInstanceUid"] == series
                && entry["sopInstanceUid"] == sop
        })?;
        Some(last.get_mut("metadata")?.take())
    }

    /// The entry at `index`, which must be one of the feed's.
    pub(super) fn entry(&self, index: usize, metadata: bool) -> Value {
        let own = index.checked_sub(self.changes).and_then(|index| self.own.get(index));
        let (action, state, instance) = match own {
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
        // Of what is deleted there is nothing left to tell.
        if let (true, Some(entry)) = (metadata && state != "Deleted", entry.as_object_mut()) {
            entry.insert("metadata".to_owned(), instance.metadata);
        }
        entry
    }

    /// Action, state and instance of a change that no test has put in.
    fn synthetic(&self, index: usize) -> (&'static str, &'static str, Instance) {
        // The spelling of the values is the server's, the documentation's is in lower case.
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

/// The number of the change at `index`.
pub(super) fn sequence(index: usize) -> usize {
    if index < BEFORE_GAP { index + 1 } else { index + 1 + GAP }
}

/// The time of the change at `index`, in seconds since 1970.
pub(super) fn seconds(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(APART).saturating_add(FIRST)
}

/// With `+00:00`, as .NET writes it: whoever sends it back in a query has to encode the `+`.
fn timestamp(index: usize) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds(index)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    to_rfc3339(&time).replace('Z', "+00:00")
}

/// The UIDs of a study, a series and an instance: three instances to a series, two series to a study.
fn uids(instance: usize) -> [String; 3] {
    [(1, instance / 6), (2, instance / 3), (3, instance)].map(|(kind, of)| format!("2.25.{kind}{of:06}"))
}

fn instance_metadata(instance: usize) -> Value {
    let [study, series, sop] = uids(instance);
    let one = |vr: &str, value: Value| json!({"vr": vr, "Value": [value]});
    json!({
        "00080018": one("UI", json!(sop)),
        "00080060": one("CS", json!("OT")),
        "00100010": one("PN", json!({"Alphabetic": "Testperson^Example"})),
        "00100020": one("LO", json!(format!("example-{:04}", instance / 6 + 1))),
        "0020000D": one("UI", json!(study)),
        "0020000E": one("UI", json!(series)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_servers_keys() {
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
    fn what_happens_to_an_instance_later_shows_in_its_state() {
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
    fn three_instances_make_a_series_and_two_series_a_study() {
        let of = |instance| uids(instance).map(|uid| uid["2.25.".len()..].parse::<u32>().unwrap());
        assert_eq!((of(2), of(3)), ([1_000_000, 2_000_000, 3_000_002], [1_000_000, 2_000_001, 3_000_003]));
        assert_eq!((of(5), of(6)), ([1_000_000, 2_000_001, 3_000_005], [1_000_001, 2_000_002, 3_000_006]));
    }

    #[test]
    fn a_tests_own_instances_are_the_last_changes() {
        let own = Instance { uids: ["1", "2", "3"].map(str::to_owned), metadata: json!({"own": true}) };
        let feed = Feed::new(10, vec![own]);
        let entry = feed.entry(10, true);
        assert_eq!(
            (feed.len(), &entry["action"], &entry["state"]),
            (11, &json!("Create"), &json!("Current"))
        );
        assert_eq!((&entry["sequence"], &entry["metadata"]), (&json!(11), &json!({"own": true})));
        assert_eq!(feed.metadata(["1", "2", "3"]), Some(json!({"own": true})));
    }

    #[test]
    fn the_last_change_of_an_instance_decides_on_its_metadata() {
        let own = Instance { uids: uids(1), metadata: json!({"own": true}) };
        let feed = Feed::new(10, vec![own]);
        let of = |instance| {
            let [study, series, sop] = uids(instance);
            feed.metadata([&study, &series, &sop])
        };
        assert_eq!((of(3), of(4), of(1)), (Some(instance_metadata(3)), None, Some(json!({"own": true}))));
    }
}
