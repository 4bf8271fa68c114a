//! The commands for a FHIR service.

use azure_healthcare_auth::{FhirAudience, HealthcareClient, Result};
use serde_json::{Value, json};

use crate::Outcome;

pub type Client = HealthcareClient<FhirAudience>;

/// The header that makes `parts/fhir.cjs` delay its response, in seconds.
const RESPONSE_DELAY: &str = "x-response-delay";

pub async fn get(client: &Client, path: &str, seconds: Option<&str>) -> Result<String> {
    let mut request = client.get(path);
    if let Some(seconds) = seconds {
        request = request.header(RESPONSE_DELAY, seconds);
    }
    Ok(request.send().await?.status().as_str().to_owned())
}

/// Follows the `next` links verbatim and returns the ids of all resources.
pub async fn pages(client: &Client, path: &str) -> Outcome {
    let (mut pages, mut ids) = (0, String::new());
    let mut next = Some(path.to_owned());
    while let Some(url) = next {
        let page: Value = client.get(url).send().await?.json()?;
        pages += 1;
        if pages > 100 {
            return Err("more than 100 pages".into());
        }
        for entry in page["entry"].as_array().into_iter().flatten() {
            ids = ids + " " + entry["resource"]["id"].as_str().ok_or("the resource has no id")?;
        }
        let links = page["link"].as_array().into_iter().flatten();
        let mut urls =
            links.filter(|link| link["relation"] == "next").filter_map(|link| link["url"].as_str());
        next = urls.next().map(str::to_owned);
    }
    Ok(format!("{pages} pages:{ids}"))
}

/// Creates a Patient. Without `ifNoneExist`, so that a request that is sent twice creates two.
pub async fn create(client: &Client, identifier: &str, seconds: &str) -> Outcome {
    let patient = json!({ "resourceType": "Patient", "identifier": [{ "value": identifier }] });
    let entry = json!({ "request": { "method": "POST", "url": "Patient" }, "resource": patient });
    let transaction = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] });
    let response = client.post("").header(RESPONSE_DELAY, seconds).json(&transaction).send().await?;
    Ok(response.status().as_str().to_owned())
}
