//! [`Patients`]: lists and changes the Patients of the FHIR service.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{StatusCode, header};
use azure_healthcare_auth::{FhirAudience, HealthcareClient};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::sync::Mutex;
use url::form_urlencoded;

use crate::{
    failure::{Failure, Result},
    pages::Pages,
};

/// The namespace of the record numbers of this hospital.
const RECORD_NUMBERS: &str = "https://hospital.example/record-number";

/// The number of attempts if others change the Patient at the same time.
const MAX_ATTEMPTS: usize = 4;

#[derive(Clone)]
pub struct Patients {
    fhir: HealthcareClient<FhirAudience>,
    admitting: Arc<Mutex<()>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    record_number: String,
    family: String,
    given: Vec<String>,
    birth_date: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    line: Vec<String>,
    city: String,
    postal_code: String,
}

#[derive(Deserialize, Serialize)]
pub struct Patient {
    id: String,
    #[serde(default)]
    name: Value,
}

impl Patients {
    pub fn new(fhir: HealthcareClient<FhirAudience>) -> Self {
        Self { fhir, admitting: Arc::default() }
    }

    /// Returns all Patients.
    pub async fn list(&self) -> Result<Vec<Patient>> {
        let mut pages = Pages::new(&self.fhir, "Patient?_count=100");
        let mut patients = Vec::new();
        while let Some(page) = pages.try_next().await? {
            patients.extend(page);
        }
        Ok(patients)
    }

    /// Returns the Patient with this record number, and `true` if it did not exist before.
    pub async fn admit(&self, admission: &Admission) -> Result<(Patient, bool)> {
        let Admission { record_number, family, given, birth_date } = admission;
        let is_valid = record_number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_valid || !(1..=20).contains(&record_number.len()) {
            return Err(Failure::Invalid("a record number has 1 to 20 letters and digits"));
        }
        let mut patient = json!({
            "resourceType": "Patient",
            "identifier": [{ "system": RECORD_NUMBERS, "value": record_number }],
            "name": [{ "family": family, "given": given }],
        });
        if let Some(birth_date) = birth_date {
            patient["birthDate"] = json!(birth_date);
        }
        let token = format!("{RECORD_NUMBERS}|{record_number}");
        let criteria =
            form_urlencoded::Serializer::new(String::new()).append_pair("identifier", &token).finish();

        // The service searches before it creates, so two requests at the same time could both create.
        let _one_at_a_time = self.admitting.lock().await;
        let request = self.fhir.post("Patient").header("if-none-exist", criteria).json(&patient);
        // `If-None-Exist` makes a retry safe, even if the first response was lost.
        let response = request.idempotent().send().await?;
        match response.status() {
            StatusCode::PRECONDITION_FAILED => {
                Err(Failure::Conflict("several Patients have this record number"))
            }
            status => Ok((response.json()?, status == StatusCode::CREATED)),
        }
    }

    /// Replaces the address of a Patient, without overwriting changes that others make at the same time.
    pub async fn change_address(&self, id: &str, address: &Address) -> Result<()> {
        if !is_id(id) {
            return Err(Failure::NotFound("Patient"));
        }
        let path = format!("Patient/{id}");
        for _ in 0..MAX_ATTEMPTS {
            let current = self.fhir.get(&path).send().await?;
            if matches!(current.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
                return Err(Failure::NotFound("Patient"));
            }
            let version = current.headers().get(header::ETAG).cloned();
            // Raw values leave everything else unchanged, including the digits of decimals.
            let mut patient: BTreeMap<String, Box<RawValue>> = current.json()?;
            let version = version.ok_or(Failure::Unexpected("the FHIR service sent no ETag"))?;
            let address =
                to_raw_value(&[address]).map_err(|_| Failure::Invalid("the address is not JSON"))?;
            patient.insert("address".to_owned(), address);

            let saved = self.fhir.put(&path).header("if-match", version).json(&patient).send().await?;
            // Also the response if the client retried because the response to its first attempt was lost.
            if saved.status() != StatusCode::PRECONDITION_FAILED {
                saved.error_for_status()?;
                return Ok(());
            }
        }
        Err(Failure::Conflict("others are changing this Patient, try again later"))
    }
}

/// Returns `true` if the text is an id that can be a segment of a path.
fn is_id(text: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_valid) && !matches!(text, "." | "..")
}
