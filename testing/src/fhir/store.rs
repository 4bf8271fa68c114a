//! [`Store`]: the content of the fake FHIR service.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use azure_core::time::OffsetDateTime;
use http::Method;
use serde_json::{Value, json};

use super::resource::{Draft, Resource, Revision};

/// Names that are obviously invented, so that test data is never mistaken for a real person's.
const FAMILIES: [&str; 5] = ["Example", "Testperson", "Sample", "Placeholder", "Invented"];
const GIVEN: [&str; 4] = ["Alpha", "Bravo", "Charlie", "Delta"];
const GENDERS: [&str; 3] = ["female", "male", "other"];

/// All versions of all resources. A clone shares their content.
#[derive(Clone, Default)]
pub(crate) struct Store {
    collections: BTreeMap<String, Collection>,
    /// The number of changes so far.
    sequence: u64,
}

/// The resources of one type.
#[derive(Clone, Default)]
struct Collection {
    /// The versions of each resource, oldest first.
    versions: HashMap<String, Vec<Resource>>,
    /// The ids of the resources that are not deleted, by the sequence of their last change.
    current: BTreeMap<u64, String>,
}

/// The effect of [`Store::write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    /// A new version of an existing or deleted resource, or the same version if the content is equal.
    Updated,
}

impl Store {
    /// Creates the synthetic Patients `example-0001` and so on, always the same except for their time.
    pub(crate) fn new(patients: usize, now: OffsetDateTime) -> Self {
        let mut store = Self::default();
        for draft in (0..patients).filter_map(|index| Draft::of(&patient(index)).ok()) {
            store.put(draft, now);
        }
        store
    }

    /// Adds or replaces a resource for a test, and assigns an id if it has none. Returns the new version.
    pub(crate) fn put(&mut self, draft: Draft, now: OffsetDateTime) -> Resource {
        let id = draft.id().map_or_else(new_id, str::to_owned);
        self.write(&draft, &id, &Method::PUT, now).0
    }

    /// Deletes a resource for a test, as a soft delete does. Returns `false` if there is none.
    pub(crate) fn delete(&mut self, resource_type: &str, id: &str, now: OffsetDateTime) -> bool {
        self.mark_deleted(resource_type, id, now).is_some()
    }

    /// Returns the content of a resource that is not deleted.
    pub(crate) fn get(&self, resource_type: &str, id: &str) -> Option<Value> {
        self.read(resource_type, id).map(|resource| resource.value().clone())
    }

    /// Returns the content of all resources of a type that are not deleted, in the order of their last change.
    pub(crate) fn all(&self, resource_type: &str) -> Vec<Value> {
        self.current(resource_type).map(|resource| resource.value().clone()).collect()
    }

    /// Returns the types of which there are or were resources, in alphabetical order.
    pub(crate) fn types(&self) -> impl Iterator<Item = &str> {
        self.collections.keys().map(String::as_str)
    }

    /// Returns the resources of a type that are not deleted, in the order of their last change, which is the order in
    /// which the real server returns them (`fhir-server SqlServerSearchService.cs`: by surrogate id).
    pub(crate) fn current(&self, resource_type: &str) -> impl Iterator<Item = &Resource> {
        self.current_after(resource_type, None)
    }

    /// Returns those of [`current`](Self::current) whose [`sequence`](Resource::sequence) is higher than `sequence`.
    pub(crate) fn current_after(
        &self,
        resource_type: &str,
        sequence: Option<u64>,
    ) -> impl Iterator<Item = &Resource> {
        let start = sequence.map_or(0, |sequence| sequence.saturating_add(1));
        let collection = self.collections.get(resource_type).into_iter();
        collection.flat_map(move |collection| {
            let ids = collection.current.range(start..).map(|(_, id)| id);
            ids.filter_map(|id| collection.versions.get(id)?.last())
        })
    }

    /// Returns a resource that is not deleted.
    pub(crate) fn read(&self, resource_type: &str, id: &str) -> Option<&Resource> {
        self.versions(resource_type, id).last().filter(|resource| !resource.is_deleted())
    }

    /// Returns the versions of a resource, oldest first. Empty if it never existed or was deleted with its history.
    pub(crate) fn versions(&self, resource_type: &str, id: &str) -> &[Resource] {
        let versions = self.collections.get(resource_type).and_then(|all| all.versions.get(id));
        versions.map_or(&[], Vec::as_slice)
    }

    /// Returns all versions of the resources of one type, or of all types, in no particular order.
    pub(crate) fn history(&self, resource_type: Option<&str>) -> impl Iterator<Item = &Resource> {
        let collections = self.collections.iter();
        collections
            .filter(move |(name, _)| resource_type.is_none_or(|only| only == name.as_str()))
            .flat_map(|(_, collection)| collection.versions.values().flatten())
    }

    /// Adds a version to a resource, or creates it.
    ///
    /// Equal content adds no version, apart from the order of fields (`fhir-server SqlServerFhirDataStore.cs`).
    pub(crate) fn write(
        &mut self,
        draft: &Draft,
        id: &str,
        method: &Method,
        now: OffsetDateTime,
    ) -> (Resource, Change) {
        let latest = self.versions(draft.resource_type(), id).last();
        if let Some(same) = latest.filter(|latest| {
            !latest.is_deleted()
                && latest.to_draft().is_some_and(|latest| latest.content() == draft.content())
        }) {
            return (same.clone(), Change::Updated);
        }
        let change = if latest.is_none() { Change::Created } else { Change::Updated };
        let revision = self.next_revision(draft.resource_type(), id, method, now);
        let resource = Resource::new(draft, id, revision);
        self.add(resource.clone());
        (resource, change)
    }

    /// Marks a resource as deleted and keeps its history. Returns the new version, or `None` if there is nothing to
    /// delete.
    pub(crate) fn mark_deleted(
        &mut self,
        resource_type: &str,
        id: &str,
        now: OffsetDateTime,
    ) -> Option<Resource> {
        self.read(resource_type, id)?;
        let revision = self.next_revision(resource_type, id, &Method::DELETE, now);
        let resource = Resource::deleted(resource_type, id, revision);
        self.add(resource.clone());
        Some(resource)
    }

    /// Deletes a resource with all its versions.
    pub(crate) fn hard_delete(&mut self, resource_type: &str, id: &str) {
        if let Some(collection) = self.collections.get_mut(resource_type) {
            let versions = collection.versions.remove(id).unwrap_or_default();
            versions.iter().for_each(|version| drop(collection.current.remove(&version.sequence())));
        }
    }

    /// Deletes all versions of a resource but the latest.
    pub(crate) fn purge_history(&mut self, resource_type: &str, id: &str) {
        let versions = self.collections.get_mut(resource_type).and_then(|all| all.versions.get_mut(id));
        if let Some(versions) = versions {
            versions.drain(..versions.len().saturating_sub(1));
        }
    }

    fn next_revision(
        &mut self,
        resource_type: &str,
        id: &str,
        method: &Method,
        now: OffsetDateTime,
    ) -> Revision {
        let version = self.versions(resource_type, id).last().map_or(0, Resource::version) + 1;
        self.sequence += 1;
        Revision { version, last_updated: now, sequence: self.sequence, method: method.clone() }
    }

    fn add(&mut self, resource: Resource) {
        let collection = self.collections.entry(resource.resource_type().to_owned()).or_default();
        let versions = collection.versions.entry(resource.id().to_owned()).or_default();
        if let Some(previous) = versions.last() {
            collection.current.remove(&previous.sequence());
        }
        if !resource.is_deleted() {
            collection.current.insert(resource.sequence(), resource.id().to_owned());
        }
        versions.push(resource);
    }
}

/// Returns an id that no other resource of this process has: a GUID, as the real server assigns.
pub(crate) fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("0a1b2c3d-0000-4000-9000-{:012x}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Returns the synthetic Patient at `index`.
fn patient(index: usize) -> Value {
    let pick = |list: &[&'static str]| list.get(index % list.len()).copied().unwrap_or_default();
    let (year, month, day) = (1950 + index * 7 % 60, 1 + index % 12, 1 + index % 28);
    json!({
        "resourceType": "Patient",
        "id": format!("example-{:04}", index + 1),
        "name": [{"use": "official", "family": pick(&FAMILIES), "given": [pick(&GIVEN)]}],
        "gender": pick(&GENDERS),
        "birthDate": format!("{year}-{month:02}-{day:02}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn draft(id: &str, active: bool) -> Draft {
        Draft::of(&json!({"resourceType": "Patient", "id": id, "active": active})).unwrap()
    }

    fn ids(store: &Store) -> Vec<&str> {
        store.current("Patient").map(Resource::id).collect()
    }

    #[test]
    fn birth_dates_are_valid() {
        let born = [0, 13, 61].map(|index| patient(index)["birthDate"].clone());
        assert_eq!(born, ["1950-01-01", "1981-02-14", "1957-02-06"]);
        let ids = [0, 61].map(|index| patient(index)["id"].clone());
        assert_eq!(ids, ["example-0001", "example-0062"]);
    }

    #[test]
    fn synthetic_patients_are_reproducible_and_obviously_invented() {
        let create = || Store::new(100, NOW).all("Patient");
        let (first, second) = (create(), create());
        assert_eq!(first, second);
        for patient in first {
            assert!(FAMILIES.contains(&patient["name"][0]["family"].as_str().unwrap()));
            assert_eq!(patient["birthDate"].as_str().unwrap().len(), 10);
            assert_eq!(
                patient["meta"],
                json!({"versionId": "1", "lastUpdated": "1970-01-01T00:00:00+00:00"})
            );
        }
    }

    #[test]
    fn resources_are_in_the_order_of_their_last_change() {
        let mut store = Store::new(3, NOW);
        store.put(draft("mine", true), NOW);
        assert_eq!(ids(&store), ["example-0001", "example-0002", "example-0003", "mine"]);
        store.put(draft("example-0002", true), NOW);
        assert!(store.delete("Patient", "example-0001", NOW));
        assert!(!store.delete("Patient", "example-0001", NOW) && !store.delete("Person", "mine", NOW));
        assert_eq!(ids(&store), ["example-0003", "mine", "example-0002"]);
        let after = store.read("Patient", "example-0003").unwrap().sequence();
        let rest: Vec<_> = store.current_after("Patient", Some(after)).map(Resource::id).collect();
        assert_eq!(rest, ["mine", "example-0002"]);
        assert_eq!(store.types().collect::<Vec<_>>(), ["Patient"]);
    }

    #[test]
    fn each_change_adds_a_version_and_equal_content_does_not() {
        let mut store = Store::default();
        let mut write = |active| {
            let (resource, change) = store.write(&draft("a", active), "a", &Method::PUT, NOW);
            (resource.version(), change)
        };
        assert_eq!(write(true), (1, Change::Created));
        assert_eq!(write(true), (1, Change::Updated));
        assert_eq!(write(false), (2, Change::Updated));
        assert_eq!(store.mark_deleted("Patient", "a", NOW).unwrap().version(), 3);
        assert_eq!((store.get("Patient", "a"), store.all("Patient").len()), (None, 0));
        let (resource, change) = store.write(&draft("a", false), "a", &Method::PUT, NOW);
        assert_eq!((resource.version(), change), (4, Change::Updated));
        assert_eq!(store.get("Patient", "a").unwrap()["active"], false);
        let deleted: Vec<_> = store.versions("Patient", "a").iter().map(Resource::is_deleted).collect();
        assert_eq!(deleted, [false, false, true, false]);
        assert_eq!(store.history(None).count(), 4);
        assert_eq!(store.history(Some("Person")).count(), 0);
    }

    #[test]
    fn hard_delete_and_purge_remove_versions() {
        let mut store = Store::default();
        for id in ["a", "b"] {
            store.put(draft(id, true), NOW);
            store.put(draft(id, false), NOW);
        }
        store.purge_history("Patient", "a");
        store.purge_history("Patient", "unknown");
        store.hard_delete("Patient", "b");
        store.hard_delete("Person", "a");
        assert_eq!((store.versions("Patient", "a").len(), store.versions("Patient", "b").len()), (1, 0));
        assert_eq!(ids(&store), ["a"]);
        assert_eq!(store.put(draft("b", true), NOW).version(), 1);
    }

    #[test]
    fn assigned_ids_are_distinct_and_shared_by_no_two_stores() {
        let patient = Draft::of(&json!({"resourceType": "Patient"})).unwrap();
        let mut stores = [Store::default(), Store::default()];
        let mut ids: Vec<_> = stores
            .iter_mut()
            .flat_map(|store| [(); 2].map(|()| store.put(patient.clone(), NOW).id().to_owned()))
            .collect();
        assert!(ids.iter().all(|id| id.len() == 36));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn change_of_a_clone_leaves_the_original_unchanged() {
        let mut store = Store::new(1, NOW);
        let original = store.clone();
        store.put(draft("example-0001", true), NOW);
        store.put(draft("b", true), NOW);
        assert_eq!((ids(&original).len(), ids(&store).len()), (1, 2));
        assert_eq!(original.read("Patient", "example-0001").unwrap().version(), 1);
    }
}
