//! [`Pages`]: all pages of a search.

use azure_healthcare_auth::{FhirAudience, HealthcareClient};
use serde::{Deserialize, de::DeserializeOwned};

use crate::failure::Result;

/// The pages of a search, in order.
pub struct Pages {
    fhir: HealthcareClient<FhirAudience>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Bundle<R> {
    #[serde(default = "Vec::new")]
    link: Vec<Link>,
    #[serde(default = "Vec::new")]
    entry: Vec<Entry<R>>,
}

#[derive(Deserialize)]
struct Link {
    relation: String,
    url: String,
}

#[derive(Deserialize)]
struct Entry<R> {
    resource: R,
}

impl Pages {
    /// Starts a search such as `Patient?_count=100`.
    pub fn new(fhir: &HealthcareClient<FhirAudience>, search: &str) -> Self {
        Self { fhir: fhir.clone(), next: Some(search.to_owned()) }
    }

    /// Returns the resources of the next page, or `None` after the last one.
    pub async fn try_next<R: DeserializeOwned>(&mut self) -> Result<Option<Vec<R>>> {
        let Some(url) = &self.next else { return Ok(None) };
        let page: Bundle<R> = self.fhir.get(url).send().await?.json()?;
        self.next = page.link.into_iter().find(|link| link.relation == "next").map(|link| link.url);
        Ok(Some(page.entry.into_iter().map(|entry| entry.resource).collect()))
    }
}
