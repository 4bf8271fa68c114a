//! The change feed of the stand-in's DICOM service: what has happened to which instance.

use azure_core::time::{OffsetDateTime, to_rfc3339};
use serde_json::{Value, json};

/// After so many changes the sequence numbers leave a gap: longer than a page of `v1`, which is therefore empty.
const BEFORE_GAP: usize = 12;
const GAP: usize = 20;

/// The time of the first change, 2024-01-01T08:00:00Z; the others follow at a minute's distance.
const FIRST: i64 = 1_704_096_000;
const APART: i64 = 60;

/// The changes that the service holds, in the order of their sequence and of their time.
///
/// Every tenth one from the eighth on updates the instance of four changes ago, every tenth one from the tenth on
/// deletes the one of five changes ago, and all others create one.
pub(super) struct Feed {
    pub(super) changes: usize,
}

impl Feed {
    pub(super) fn new(changes: usize) -> Self {
        Self { changes }
    }

    /// The entry at `index`, which must be one of the feed's.
    pub(super) fn entry(&self, index: usize, metadata: bool) -> Value {
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
        let [study, series, sop] = uids(instance);
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
            entry.insert("metadata".to_owned(), instance_metadata(instance));
        }
        entry
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
        assert_eq!(Feed::new(1).entry(0, false), expected);
        expected["metadata"] = instance_metadata(0);
        assert_eq!(Feed::new(1).entry(0, true), expected);
        assert_eq!(expected["metadata"]["00080018"], json!({"vr": "UI", "Value": [sop]}));
    }

    #[test]
    fn what_happens_to_an_instance_later_shows_in_its_state() {
        let states = |changes| -> Vec<_> {
            let feed = Feed::new(changes);
            (0..changes).map(|index| feed.entry(index, true)).collect()
        };
        let early = states(7);
        assert!(early.iter().all(|entry| entry["state"] == "Current" && entry["action"] == "Create"));
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
}
