//! [`resources`]: the resources that an export contains.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use azure_core::time::OffsetDateTime;
use http::StatusCode;
use serde_json::Value;

use super::request::{ExportRequest, Level};
use crate::fhir::{
    outcome::Outcome,
    resource::Resource,
    search::{Period, Reference, matching, values_at},
    store::Store,
};

const COMPARTMENT: &str = include_str!("compartment.txt");

/// Returns the exported resources of each type, in the order in which they are in the files.
pub(super) fn resources<'a>(
    request: &ExportRequest,
    store: &'a Store,
    origin: &str,
    now: OffsetDateTime,
) -> Result<BTreeMap<&'a str, Vec<&'a Resource>>, Outcome> {
    let of_type =
        |name| store.current(name).filter(|resource| request.includes_time(resource.last_updated()));
    let mut exported: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    let patients: Vec<_> = match &request.level {
        Level::All => {
            for name in store.types().filter(|name| request.includes_type(name)) {
                let filters: Vec<_> =
                    request.filters.iter().filter(|(filtered, _)| filtered == name).collect();
                let mut resources: Vec<_> = of_type(name).filter(|_| filters.is_empty()).collect();
                // A resource that several filters select occurs once for each (`fhir-server ExportJobTask.cs`).
                for (_, query) in filters {
                    let selected = matching(store, name, query, origin)?.into_iter();
                    resources
                        .extend(selected.filter(|resource| request.includes_time(resource.last_updated())));
                }
                exported.insert(name, resources);
            }
            Vec::new()
        }
        Level::Patients => of_type("Patient").collect(),
        Level::Group(id) => {
            let ids = members(store, id, origin, now)?;
            of_type("Patient").filter(|patient| ids.contains(patient.id())).collect()
        }
    };
    // As in the real service, the times apply to the Patients too: what refers to a Patient who did not change since
    // then is left out (`fhir-server ExportJobTask.cs`).
    let ids: BTreeSet<_> = patients.iter().map(|patient| patient.id()).collect();
    for resource in compartments(request, store, origin, &ids) {
        exported.entry(resource.resource_type()).or_default().push(resource);
    }
    if request.includes_type("Patient") {
        exported.entry("Patient").or_default().extend(patients);
    }
    exported.retain(|_, resources| !resources.is_empty());
    Ok(exported)
}

/// Returns the resources in the compartments of the Patients. One that is in several of them occurs once for each (Azure
/// documentation `export-data.md`).
fn compartments<'a>(
    request: &ExportRequest,
    store: &'a Store,
    origin: &str,
    patients: &BTreeSet<&str>,
) -> Vec<&'a Resource> {
    let mut all = Vec::new();
    if patients.is_empty() {
        return all;
    }
    for line in COMPARTMENT.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let name = words.next().filter(|name| request.includes_type(name)).unwrap_or_default();
        let paths: Vec<_> = words.collect();
        for resource in store.current(name).filter(|resource| request.includes_time(resource.last_updated()))
        {
            let references = paths.iter().flat_map(|path| values_at(resource.value(), path, false));
            let ids: BTreeSet<_> = references.filter_map(|value| patient_id(value, origin)).collect();
            let count = ids.iter().filter(|id| patients.contains(id.as_str())).count();
            all.extend(iter::repeat_n(resource, count));
        }
    }
    all
}

fn patient_id(reference: &Value, origin: &str) -> Option<String> {
    let reference = Reference::of_resource(reference.get("reference")?.as_str()?, origin)?;
    (reference.resource_type() == Some("Patient")).then(|| reference.id().to_owned())
}

/// Returns the ids of the Patients in a Group and in the Groups in it (`fhir-server GroupMemberExtractor.cs`).
fn members(store: &Store, id: &str, origin: &str, now: OffsetDateTime) -> Result<BTreeSet<String>, Outcome> {
    let mut patients = BTreeSet::new();
    let (mut seen, mut groups) = (BTreeSet::from([id.to_owned()]), vec![id.to_owned()]);
    while let Some(id) = groups.pop() {
        let group = store.read("Group", &id);
        // `fhir-server ExportJobTask.cs`, `OperationFailedException.cs`.
        let unknown = || {
            let diagnostics = "The export failed because the Group does not exist.";
            Outcome::new(StatusCode::BAD_REQUEST, "processing", diagnostics)
        };
        let group = group.ok_or_else(unknown)?;
        for member in
            values_at(group.value(), "member", false).into_iter().filter(|member| is_active(member, now))
        {
            let reference = member.pointer("/entity/reference").and_then(Value::as_str);
            let Some(reference) = reference.map(|reference| Reference::parse(reference, origin)) else {
                continue;
            };
            match reference.resource_type() {
                Some("Patient") => drop(patients.insert(reference.id().to_owned())),
                Some("Group") if seen.insert(reference.id().to_owned()) => {
                    groups.push(reference.id().to_owned())
                }
                _ => {}
            }
        }
    }
    Ok(patients)
}

fn is_active(member: &Value, now: OffsetDateTime) -> bool {
    let now = Period::at(now).start;
    let time = |pointer| member.pointer(pointer).and_then(Value::as_str).and_then(Period::parse);
    member.get("inactive") != Some(&Value::Bool(true))
        && time("/period/start").is_none_or(|start| start.start < now)
        && time("/period/end").is_none_or(|end| end.end > now)
}

impl ExportRequest {
    fn includes_type(&self, name: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|included| included == name)
    }

    /// Returns `true` if the time is from `_since` on and before `_till`, so that the next export can start at the same
    /// time (`fhir-server SqlExportOrchestratorJob.cs`).
    ///
    /// Exports of Groups and with filters are searches, which include `_till` (`fhir-server ExportJobTask.cs`).
    fn includes_time(&self, time: OffsetDateTime) -> bool {
        let is_search = matches!(self.level, Level::Group(_)) || !self.filters.is_empty();
        let moment = Period::at(time).start;
        self.since.is_none_or(|since| time >= since)
            && self.till.is_none_or(|till| if is_search { moment <= till.end } else { moment < till.start })
    }
}
