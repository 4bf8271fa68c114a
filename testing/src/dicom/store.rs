//! [`Store`]: the instances of the fake DICOM service and its change feed.

use std::time::SystemTime;

use serde_json::Value;

use super::{
    change::{DEFAULT_PARTITION, FakeChange},
    feed::Feed,
    instance::{Instance, synthetic_uids},
};

/// The content of the DICOM service.
pub(crate) struct Store {
    pub(crate) feed: Feed,
    /// The instances, in the order in which they were created.
    instances: Vec<Stored>,
    /// The version of the last change of an instance.
    last_version: u64,
    partitions: Vec<Partition>,
}

/// A stored instance.
pub(super) struct Stored {
    partition: String,
    /// A number that no other version of an instance has.
    pub(super) version: u64,
    pub(super) instance: Instance,
}

/// A data partition.
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) created: SystemTime,
}

/// An instance with the same UIDs exists.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AlreadyExists;

impl Store {
    pub(crate) fn new(now: SystemTime) -> Self {
        let default = Partition { name: DEFAULT_PARTITION.to_owned(), created: now };
        Self { feed: Feed::default(), instances: Vec::new(), last_version: 0, partitions: vec![default] }
    }

    /// Adds synthetic changes to the start of the change feed.
    ///
    /// Every tenth change updates the instance of an earlier one, and every tenth deletes another one.
    pub(crate) fn add_synthetic(&mut self, changes: usize) {
        for index in 0..changes {
            let change = match index % 10 {
                7 => FakeChange::update(synthetic_uids(index - 4).each_ref().map(String::as_str)),
                9 => FakeChange::delete(synthetic_uids(index - 5).each_ref().map(String::as_str)),
                _ => FakeChange::create(synthetic_uids(index).each_ref().map(String::as_str)),
            };
            let metadata = match index % 10 {
                7 => self.touch(&synthetic_uids(index - 4)),
                9 => {
                    self.remove(DEFAULT_PARTITION, &synthetic_uids(index - 5));
                    None
                }
                _ => Instance::synthetic(index).map(|instance| self.push(DEFAULT_PARTITION, instance)),
            };
            self.feed.record_synthetic(FakeChange { metadata, ..change });
        }
    }

    /// Stores a new instance.
    pub(super) fn create(
        &mut self,
        now: SystemTime,
        partition: &str,
        instance: Instance,
    ) -> Result<(), AlreadyExists> {
        if self.find(partition, &instance.uids).next().is_some() {
            return Err(AlreadyExists);
        }
        let change = FakeChange::create(instance.uids.each_ref().map(String::as_str)).partition(partition);
        let metadata = Some(self.push(partition, instance));
        self.feed.record(now, FakeChange { metadata, ..change });
        Ok(())
    }

    /// Stores an instance, or updates the one with the same UIDs. Creates the partition if it does not exist.
    pub(crate) fn put(&mut self, now: SystemTime, partition: &str, instance: Instance) {
        self.add_partition(now, partition);
        let uids = instance.uids.clone();
        let uids = uids.each_ref().map(String::as_str);
        let exists = self.remove(partition, &instance.uids);
        let change = if exists { FakeChange::update(uids) } else { FakeChange::create(uids) };
        let metadata = Some(self.push(partition, instance));
        self.feed.record(now, FakeChange { metadata, ..change.partition(partition) });
    }

    /// Deletes all instances of a study, a series or an instance. Returns `false` if there are none.
    pub(crate) fn delete(&mut self, now: SystemTime, partition: &str, uids: &[String]) -> bool {
        let deleted: Vec<_> = self.find(partition, uids).map(|stored| stored.instance.uids.clone()).collect();
        for uids in &deleted {
            self.remove(partition, uids);
            let change = FakeChange::delete(uids.each_ref().map(String::as_str)).partition(partition);
            self.feed.record(now, change);
        }
        !deleted.is_empty()
    }

    /// Returns the instances of a study, a series or an instance, or all instances if there are no UIDs.
    pub(super) fn find<'a>(
        &'a self,
        partition: &'a str,
        uids: &'a [String],
    ) -> impl Iterator<Item = &'a Stored> {
        self.instances.iter().filter(move |stored| stored.is_part_of(partition, uids))
    }

    /// Creates a partition if it does not exist.
    pub(super) fn add_partition(&mut self, now: SystemTime, name: &str) {
        if !self.has_partition(name) {
            self.partitions.push(Partition { name: name.to_owned(), created: now });
        }
    }

    pub(super) fn has_partition(&self, name: &str) -> bool {
        self.partitions.iter().any(|partition| partition.name == name)
    }

    pub(super) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Adds an instance with a new version and returns its metadata.
    fn push(&mut self, partition: &str, instance: Instance) -> Value {
        self.last_version += 1;
        let metadata = Value::Object(instance.metadata.clone());
        self.instances.push(Stored { partition: partition.to_owned(), version: self.last_version, instance });
        metadata
    }

    /// Gives an instance in the default partition a new version and returns its metadata.
    fn touch(&mut self, uids: &[String]) -> Option<Value> {
        let stored = self.instances.iter_mut().find(|stored| stored.is_part_of(DEFAULT_PARTITION, uids))?;
        self.last_version += 1;
        stored.version = self.last_version;
        Some(Value::Object(stored.instance.metadata.clone()))
    }

    fn remove(&mut self, partition: &str, uids: &[String]) -> bool {
        let count = self.instances.len();
        self.instances.retain(|stored| !stored.is_part_of(partition, uids));
        self.instances.len() < count
    }
}

impl Stored {
    fn is_part_of(&self, partition: &str, uids: &[String]) -> bool {
        self.partition == partition && self.instance.uids.starts_with(uids)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn entries(store: &Store) -> Vec<(String, String)> {
        let entries = store.feed.visible(NOW).into_iter().map(|entry| entry.to_json(true));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        entries.map(|entry| (text(&entry["action"]), text(&entry["state"]))).collect()
    }

    #[test]
    fn every_current_synthetic_change_has_an_instance_with_its_metadata() {
        let mut store = Store::new(NOW);
        store.add_synthetic(25);
        let mut current = 0;
        for entry in store.feed.visible(NOW).into_iter().map(|entry| entry.to_json(true)) {
            let uids = ["studyInstanceUid", "seriesInstanceUid", "sopInstanceUid"];
            let uids = uids.map(|name| entry[name].as_str().unwrap().to_owned());
            let stored: Vec<_> = store.find(DEFAULT_PARTITION, &uids).collect();
            let metadata = stored.first().map(|stored| Value::Object(stored.instance.metadata.clone()));
            match entry["state"].as_str() {
                Some("Deleted") => assert!(stored.is_empty() && entry.get("metadata").is_none()),
                _ => assert_eq!(Some(&entry["metadata"]), metadata.as_ref()),
            }
            current += usize::from(entry["state"] == "Current");
        }
        assert_eq!((current, store.find(DEFAULT_PARTITION, &[]).count()), (19, 19));
        let versions: BTreeSet<_> = store.find(DEFAULT_PARTITION, &[]).map(|stored| stored.version).collect();
        assert_eq!((versions.len(), versions.last()), (19, Some(&23)));
    }

    #[test]
    fn every_change_of_an_instance_is_in_the_feed() {
        let mut store = Store::new(NOW);
        let instance = || Instance::synthetic(0).unwrap();
        let uids = instance().uids;
        assert_eq!(store.create(NOW, DEFAULT_PARTITION, instance()), Ok(()));
        assert_eq!(store.create(NOW, DEFAULT_PARTITION, instance()), Err(AlreadyExists));
        assert_eq!(store.create(NOW, "other", instance()), Ok(()));
        store.put(NOW, DEFAULT_PARTITION, instance());
        store.put(NOW, "new", instance());
        assert!(store.has_partition("new"));
        assert!(!store.delete(NOW, DEFAULT_PARTITION, &["1".to_owned()]));
        assert!(store.delete(NOW, DEFAULT_PARTITION, &uids[..1]));
        assert!(!store.delete(NOW, DEFAULT_PARTITION, &uids));
        assert_eq!(store.find("other", &uids).count(), 1);
        let row = |action: &str, state: &str| (action.to_owned(), state.to_owned());
        let expected = [
            row("Create", "Deleted"),
            row("Create", "Current"),
            row("Update", "Deleted"),
            row("Create", "Current"),
            row("Delete", "Deleted"),
        ];
        assert_eq!(entries(&store), expected);
    }
}
