//! The methods of [`HealthcareClient`] that start a request.

use http::Method;

use super::{HealthcareClient, RequestBuilder};
use crate::Audience;

impl<A: Audience> HealthcareClient<A> {
    /// Starts a request with any method to a path below the base URL, or to an absolute URL that is below it.
    ///
    /// `path` is resolved by [`Audience::url`]. It may contain a query, so validate an id from user input before you
    /// insert it.
    ///
    /// If the URL is outside the audience or the request is invalid, [`RequestBuilder::send`] returns the error. The
    /// methods `CONNECT`, `TRACE` and `TRACK` are invalid: `CONNECT` is for proxies, and the others return the request
    /// headers, including the token, in the response.
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient};
    /// # use azure_healthcare_auth_testing::FakeCredential;
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let server = MockServer::start().await;
    /// # let response = ResponseTemplate::new(200).insert_header("etag", "W/\"1\"");
    /// # let response = response.set_body_json(serde_json::json!({ "resourceType": "Patient", "id": "p1" }));
    /// # Mock::given(any()).respond_with(response).mount(&server).await;
    /// # let audience: FhirAudience = server.uri().parse()?;
    /// # let fhir = HealthcareClient::new(audience, std::sync::Arc::new(FakeCredential::new()));
    /// use serde_json::{Value, json};
    ///
    /// let response = fhir.get("Patient/p1").send().await?;
    /// let mut patient: Value = response.json()?;
    ///
    /// // Update the patient. The service returns 412 if it has changed since it was read.
    /// patient["active"] = json!(true);
    /// let etag = &response.headers()["etag"];
    /// fhir.put("Patient/p1").header("if-match", etag).json(&patient).send().await?.error_for_status()?;
    ///
    /// // A PATCH needs a content type, because there are several patch formats.
    /// let patch = json!([{ "op": "replace", "path": "/active", "value": false }]);
    /// let request = fhir.patch("Patient/p1").header("content-type", "application/json-patch+json").json(&patch);
    /// request.send().await?.error_for_status()?;
    ///
    /// fhir.delete("Patient/p1").send().await?.error_for_status()?;
    /// fhir.head("metadata").send().await?;
    /// fhir.request(http::Method::OPTIONS, "Patient").send().await?;
    /// # let seen: Vec<_> = server.received_requests().await.unwrap().iter().map(|r| r.method.to_string()).collect();
    /// # assert_eq!(seen, ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
    /// # Ok(()) }
    /// ```
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> RequestBuilder<A> {
        RequestBuilder::new(self.clone(), method, path.as_ref())
    }

    /// Starts a `GET` request. See [`request`](Self::request).
    ///
    /// `path` may be an absolute URL that the service returned, such as the `next` link of a page or the
    /// `Content-Location` of an export.
    ///
    /// # Examples
    ///
    /// Reading all pages of a search:
    ///
    /// ```
    /// # use azure_healthcare_auth::HealthcareClient;
    /// # use azure_healthcare_auth_testing::FakeServer;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// let mut patients = 0;
    /// let mut next = Some("Patient?_count=10".to_owned());
    /// while let Some(url) = next {
    ///     let page: serde_json::Value = fhir.get(url).send().await?.json()?;
    ///     patients += page["entry"].as_array().map_or(0, Vec::len);
    ///     let links = page["link"].as_array().into_iter().flatten();
    ///     let url = links.filter(|link| link["relation"] == "next").find_map(|link| link["url"].as_str());
    ///     next = url.map(str::to_owned);
    /// }
    /// assert_eq!(patients, 25);
    /// # Ok(()) }
    /// ```
    ///
    /// The files of an export are in blob storage. This client rejects their URLs, because the FHIR token must not be
    /// sent to another host. Use a client that sends no token, and authorize it in another way, for example with a shared
    /// access signature in the URL:
    ///
    /// ```no_run
    /// # async fn files(output: &serde_json::Value) -> Result<(), reqwest::Error> {
    /// let storage = reqwest::Client::new();
    /// for file in output.as_array().into_iter().flatten().filter_map(|file| file["url"].as_str()) {
    ///     let lines = storage.get(file).send().await?.error_for_status()?.bytes().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn get(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::GET, path)
    }

    /// Starts a `POST` request. See [`request`](Self::request).
    pub fn post(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::POST, path)
    }

    /// Starts a `PUT` request. See [`request`](Self::request).
    pub fn put(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::PUT, path)
    }

    /// Starts a `PATCH` request. See [`request`](Self::request).
    ///
    /// A JSON body needs the header `content-type`, because there are several patch formats.
    pub fn patch(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::PATCH, path)
    }

    /// Starts a `DELETE` request. See [`request`](Self::request).
    pub fn delete(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::DELETE, path)
    }

    /// Starts a `HEAD` request. See [`request`](Self::request).
    pub fn head(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::HEAD, path)
    }
}
