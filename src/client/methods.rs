//! A request of each method, from a [`HealthcareClient`].

use http::Method;

use super::{HealthcareClient, RequestBuilder};
use crate::Audience;

impl<A: Audience> HealthcareClient<A> {
    /// A request to a path below the base, or to an absolute URL there, as [`Audience::url`] reads it: check an id that
    /// somebody typed before you put it there.
    ///
    /// What cannot be sent, a foreign URL above all, is told by [`send`](RequestBuilder::send) before anything is.
    /// `CONNECT`, `TRACE` and `TRACK` cannot: the first is not for a service, the others show the token.
    ///
    /// The life of a record, by this and its companions:
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient, testing::FakeCredential};
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let server = MockServer::start().await;
    /// # let answer = ResponseTemplate::new(200).insert_header("etag", "W/\"1\"");
    /// # let answer = answer.set_body_json(serde_json::json!({ "resourceType": "Patient", "id": "p1" }));
    /// # Mock::given(any()).respond_with(answer).mount(&server).await;
    /// # let audience: FhirAudience = server.uri().parse()?;
    /// # let fhir = HealthcareClient::new(audience, std::sync::Arc::new(FakeCredential::new()));
    /// use serde_json::{Value, json};
    /// let read = fhir.get("Patient/p1").send().await?;
    /// let mut patient: Value = read.json()?;
    /// // Written back, unless somebody else has changed it since: that is answered with 412.
    /// patient["active"] = json!(true);
    /// let version = read.headers().get("etag").map_or("*", |etag| etag.to_str().unwrap_or("*"));
    /// fhir.put("Patient/p1").header("if-match", version).json(&patient).send().await?.error_for_status()?;
    /// // There are several types of patches: say which.
    /// let patch = json!([{ "op": "replace", "path": "/active", "value": false }]);
    /// let patch = fhir.patch("Patient/p1").header("content-type", "application/json-patch+json").json(&patch);
    /// patch.send().await?.error_for_status()?;
    ///
    /// fhir.delete("Patient/p1").send().await?.error_for_status()?;
    /// // What a gateway in front of the service may answer:
    /// fhir.head("metadata").send().await?;
    /// fhir.request(http::Method::OPTIONS, "Patient").send().await?;
    /// # let seen: Vec<_> = server.received_requests().await.unwrap().iter().map(|r| r.method.to_string()).collect();
    /// # assert_eq!(seen, ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
    /// # Ok(()) }
    /// ```
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> RequestBuilder<A> {
        RequestBuilder::new(self.clone(), method, path.as_ref())
    }

    /// `GET`, as by [`request`](Self::request).
    ///
    /// A URL that the service hands out is absolute, and taken as it is: the `next` link of a page, the
    /// `Content-Location` of an export.
    ///
    /// ```
    /// # use azure_healthcare_auth::{HealthcareClient, testing::FakeServer};
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
    /// The *files* of an export lie in blob storage, on another host: they are refused here, because the token must not
    /// go there. Fetch them by a client without one, whose right to read them comes from elsewhere (a shared access
    /// signature in the URL, say):
    ///
    /// ```no_run
    /// # async fn files(output: &serde_json::Value) -> Result<(), reqwest::Error> {
    /// let blobs = reqwest::Client::new();
    /// for file in output.as_array().into_iter().flatten().filter_map(|file| file["url"].as_str()) {
    ///     let lines = blobs.get(file).send().await?.error_for_status()?.bytes().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn get(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::GET, path)
    }

    /// `POST`, as by [`request`](Self::request).
    pub fn post(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::POST, path)
    }

    /// `PUT`, as by [`request`](Self::request).
    pub fn put(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::PUT, path)
    }

    /// `PATCH`, as by [`request`](Self::request). The type of its body has to be named: there are several.
    pub fn patch(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::PATCH, path)
    }

    /// `DELETE`, as by [`request`](Self::request).
    pub fn delete(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::DELETE, path)
    }

    /// `HEAD`, as by [`request`](Self::request).
    pub fn head(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::HEAD, path)
    }
}
