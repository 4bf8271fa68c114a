//! [`Store`]: what the FHIR service of the stand-in holds.

use serde_json::{Value, json};

use super::seed::Seeds;

/// When everything here was last changed.
pub(super) const CHANGED: &str = "2024-01-01T08:00:00+00:00";

/// Invented on sight, so that nobody takes a row of test data for a person.
const FAMILIES: [&str; 5] = ["Example", "Testperson", "Sample", "Placeholder", "Invented"];
const GIVEN: [&str; 4] = ["Alpha", "Bravo", "Charlie", "Delta"];
const GENDERS: [&str; 3] = ["female", "male", "other"];

/// What the service holds.
pub(super) struct Store {
    patients: Shelf,
    observations: Shelf,
}

/// The resources of one type, in the order in which a search finds them.
pub(super) struct Shelf {
    pub(super) kind: &'static str,
    pub(super) resources: Vec<Value>,
}

impl Store {
    /// Synthetic Patients, `example-0001` and so on, the same every time; and what a test has put in.
    pub(super) fn new(patients: usize, seeds: &Seeds) -> Self {
        let mut patients = Shelf { kind: "Patient", resources: (0..patients).map(patient).collect() };
        let mut observations = Shelf { kind: "Observation", resources: Vec::new() };
        seeds.patients.iter().for_each(|seed| patients.put(seed));
        seeds.observations.iter().for_each(|seed| observations.put(seed));
        Self { patients, observations }
    }

    /// The resources of this type, if there can be any.
    pub(super) fn shelf(&mut self, kind: &str) -> Option<&mut Shelf> {
        [&mut self.patients, &mut self.observations].into_iter().find(|shelf| shelf.kind == kind)
    }
}

impl Shelf {
    /// Adds a resource, in the place of one with its id.
    fn put(&mut self, resource: &Value) {
        match self.resources.iter_mut().find(|held| held.get("id") == resource.get("id")) {
            Some(held) => *held = resource.clone(),
            None => self.resources.push(resource.clone()),
        }
    }
}

pub(super) fn patient(index: usize) -> Value {
    let of = |list: &[&'static str]| list.get(index % list.len()).copied().unwrap_or_default();
    let (year, month, day) = (1950 + index * 7 % 60, 1 + index % 12, 1 + index % 28);
    json!({
        "resourceType": "Patient",
        "id": format!("example-{:04}", index + 1),
        "meta": {"versionId": "1", "lastUpdated": CHANGED},
        "name": [{"use": "official", "family": of(&FAMILIES), "given": [of(&GIVEN)]}],
        "gender": of(&GENDERS),
        "birthDate": format!("{year}-{month:02}-{day:02}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patients_are_born_on_days_that_there_are() {
        let born = [0, 13, 61].map(|index| patient(index)["birthDate"].clone());
        assert_eq!(born, ["1950-01-01", "1981-02-14", "1957-02-06"]);
        let ids = [0, 61].map(|index| patient(index)["id"].clone());
        assert_eq!(ids, ["example-0001", "example-0062"]);
    }

    #[test]
    fn the_patients_are_the_same_every_time_and_invented_on_sight() {
        let held = || Store::new(100, &Seeds::default()).patients.resources;
        let (first, second) = (held(), held());
        assert_eq!(first, second);
        for patient in first {
            assert!(FAMILIES.contains(&patient["name"][0]["family"].as_str().unwrap()));
            assert_eq!(patient["birthDate"].as_str().unwrap().len(), 10);
        }
    }
}
