//! [`Store`]: the content of the fake FHIR service.

use serde_json::{Value, json};

use crate::seed::Seeds;

/// The `lastUpdated` time of every resource.
pub(crate) const CHANGED: &str = "2024-01-01T08:00:00+00:00";

/// Names that are obviously invented, so that test data is never mistaken for a real person's.
const FAMILIES: [&str; 5] = ["Example", "Testperson", "Sample", "Placeholder", "Invented"];
const GIVEN: [&str; 4] = ["Alpha", "Bravo", "Charlie", "Delta"];
const GENDERS: [&str; 3] = ["female", "male", "other"];

/// The content of the FHIR service.
pub(crate) struct Store {
    patients: Collection,
    observations: Collection,
}

/// The resources of one type, in the order in which a search returns them.
pub(crate) struct Collection {
    pub(crate) resource_type: &'static str,
    pub(crate) resources: Vec<Value>,
}

impl Store {
    /// Creates the synthetic Patients `example-0001` and so on, always the same, and adds the resources of a test.
    pub(crate) fn new(patients: usize, seeds: &Seeds) -> Self {
        let mut patients =
            Collection { resource_type: "Patient", resources: (0..patients).map(patient).collect() };
        let mut observations = Collection { resource_type: "Observation", resources: Vec::new() };
        for seed in &seeds.resources {
            let is_patient = seed.get("resourceType") == Some(&json!("Patient"));
            if is_patient { patients.put(seed) } else { observations.put(seed) }
        }
        Self { patients, observations }
    }

    /// Returns the resources of this type, or `None` if the service does not support the type.
    pub(crate) fn collection(&mut self, resource_type: &str) -> Option<&mut Collection> {
        [&mut self.patients, &mut self.observations]
            .into_iter()
            .find(|collection| collection.resource_type == resource_type)
    }
}

impl Collection {
    /// Adds a resource or replaces the one with the same id.
    fn put(&mut self, resource: &Value) {
        match self.resources.iter_mut().find(|existing| existing.get("id") == resource.get("id")) {
            Some(existing) => *existing = resource.clone(),
            None => self.resources.push(resource.clone()),
        }
    }
}

/// Returns the synthetic Patient at `index`.
pub(crate) fn patient(index: usize) -> Value {
    let pick = |list: &[&'static str]| list.get(index % list.len()).copied().unwrap_or_default();
    let (year, month, day) = (1950 + index * 7 % 60, 1 + index % 12, 1 + index % 28);
    json!({
        "resourceType": "Patient",
        "id": format!("example-{:04}", index + 1),
        "meta": {"versionId": "1", "lastUpdated": CHANGED},
        "name": [{"use": "official", "family": pick(&FAMILIES), "given": [pick(&GIVEN)]}],
        "gender": pick(&GENDERS),
        "birthDate": format!("{year}-{month:02}-{day:02}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birth_dates_are_valid() {
        let born = [0, 13, 61].map(|index| patient(index)["birthDate"].clone());
        assert_eq!(born, ["1950-01-01", "1981-02-14", "1957-02-06"]);
        let ids = [0, 61].map(|index| patient(index)["id"].clone());
        assert_eq!(ids, ["example-0001", "example-0062"]);
    }

    #[test]
    fn synthetic_patients_are_reproducible_and_obviously_invented() {
        let create = || Store::new(100, &Seeds::default()).patients.resources;
        let (first, second) = (create(), create());
        assert_eq!(first, second);
        for patient in first {
            assert!(FAMILIES.contains(&patient["name"][0]["family"].as_str().unwrap()));
            assert_eq!(patient["birthDate"].as_str().unwrap().len(), 10);
        }
    }
}
