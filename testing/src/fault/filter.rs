//! [`RequestFilter`]: selects the requests to which a fault applies.

use std::fmt;

use http::Method;

use crate::service::FakeService;

/// Selects requests to a [`FakeServer`](crate::FakeServer), for [`FakeServer::inject_fault`](crate::FakeServer::inject_fault).
///
/// It starts from a number of requests and can be restricted to a service, a method and a path. Only requests that match
/// all restrictions are counted. A number converts to [`next`](Self::next).
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::HealthcareClient;
/// use azure_healthcare_auth_testing::{FakeServer, FakeService, Fault, RequestFilter};
/// use http::{Method, StatusCode};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::start().await;
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
///
/// // The second update of a Patient fails.
/// let updates = RequestFilter::nth(2).service(FakeService::Fhir).method(Method::PUT).path_prefix("/Patient/");
/// fake_server.inject_fault(updates, Fault::Status(StatusCode::CONFLICT));
///
/// let patient = json!({ "resourceType": "Patient", "id": "p1" });
/// let mut statuses = Vec::new();
/// for _ in 0..3 {
///     assert_eq!(fhir.get("Patient").send().await?.status(), 200);
///     statuses.push(fhir.put("Patient/p1").json(&patient).send().await?.status().as_u16());
/// }
/// assert_eq!(statuses, [201, 409, 200]);
///
/// // A number selects the next requests, as `next` does. `all` selects every request until the faults are cleared.
/// assert_eq!(RequestFilter::from(3), RequestFilter::next(3));
/// fake_server.inject_fault(RequestFilter::all(), Fault::Status(StatusCode::NOT_IMPLEMENTED));
/// assert_eq!(fhir.get("Patient").send().await?.status(), 501);
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a filter does nothing until it is passed to `FakeServer::inject_fault`"]
pub struct RequestFilter {
    /// The number of matching requests that are left out first.
    skip: usize,
    /// The number of matching requests that are selected after those.
    count: usize,
    service: Option<FakeService>,
    method: Option<Method>,
    path_prefix: Option<String>,
    in_bundle: bool,
}

impl RequestFilter {
    const fn new(skip: usize, count: usize) -> Self {
        Self { skip, count, service: None, method: None, path_prefix: None, in_bundle: false }
    }

    /// Selects the next `count` requests.
    pub const fn next(count: usize) -> Self {
        Self::new(0, count)
    }

    /// Selects only the `n`-th request from now on. The next one is the first; 0 selects none.
    pub const fn nth(n: usize) -> Self {
        match n.checked_sub(1) {
            Some(skip) => Self::new(skip, 1),
            None => Self::new(0, 0),
        }
    }

    /// Selects all requests, until [`FakeServer::clear_faults`](crate::FakeServer::clear_faults).
    pub const fn all() -> Self {
        Self::new(0, usize::MAX)
    }

    /// Selects only requests to this service (default: all services).
    pub fn service(mut self, service: FakeService) -> Self {
        self.service = Some(service);
        self
    }

    /// Selects only requests with this method (default: all methods).
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Selects only requests whose path starts with this text, such as `/Patient/` (default: all paths).
    ///
    /// The path is compared as it arrived, with its percent-encoding and without the query.
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.path_prefix = Some(prefix.into());
        self
    }

    /// Selects entries of a FHIR `batch` or `transaction` instead of whole requests.
    ///
    /// [`Fault::Delay`](crate::Fault::Delay) and [`Fault::TruncatedBody`](crate::Fault::TruncatedBody) have no effect on an
    /// entry.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// use azure_healthcare_auth_testing::{FakeServer, Fault, RequestFilter};
    /// use serde_json::{Value, json};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::start().await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// fake_server.inject_fault(RequestFilter::nth(2).in_bundle(), Fault::Throttled(Duration::from_secs(1)));
    ///
    /// let read = |id| json!({ "request": { "method": "GET", "url": format!("Patient/{id}") } });
    /// let entries = ["example-0001", "example-0002"].map(read);
    /// let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": entries });
    /// let response = fhir.post("").json(&batch).send().await?;
    /// assert_eq!(response.status(), 200);
    /// let bundle: Value = response.json()?;
    /// assert_eq!(bundle["entry"][0]["response"]["status"], "200");
    /// assert_eq!(bundle["entry"][1]["response"]["status"], "429");
    /// # Ok(()) }
    /// ```
    pub fn in_bundle(mut self) -> Self {
        self.in_bundle = true;
        self
    }

    /// Returns `true` if the request matches all restrictions. Does not count it.
    fn matches(&self, request: &RequestLine<'_>) -> bool {
        self.in_bundle == request.in_bundle
            && self.service.is_none_or(|service| service == request.service)
            && self.method.as_ref().is_none_or(|method| method == request.method)
            && self.path_prefix.as_ref().is_none_or(|prefix| request.path.starts_with(&**prefix))
    }

    /// Counts the request if it matches, and returns `true` if it is one of the selected ones.
    pub(crate) fn select(&mut self, request: &RequestLine<'_>) -> bool {
        if self.count == 0 || !self.matches(request) {
            return false;
        }
        if let Some(skip) = self.skip.checked_sub(1) {
            self.skip = skip;
            return false;
        }
        self.count -= 1;
        true
    }

    /// Returns `true` if the filter will select no further request.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.count == 0
    }
}

/// Shows everything but the path, which can name a patient.
impl fmt::Debug for RequestFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFilter")
            .field("skip", &self.skip)
            .field("count", &self.count)
            .field("service", &self.service)
            .field("method", &self.method)
            .field("in_bundle", &self.in_bundle)
            .finish_non_exhaustive()
    }
}

impl From<usize> for RequestFilter {
    fn from(count: usize) -> Self {
        Self::next(count)
    }
}

/// The properties of a request by which a [`RequestFilter`] selects it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine<'a> {
    pub(crate) service: FakeService,
    pub(crate) method: &'a Method,
    /// The path as it arrived, without the query.
    pub(crate) path: &'a str,
    /// Set for an entry of a `batch` or `transaction`.
    pub(crate) in_bundle: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENTS: RequestLine<'static> = RequestLine {
        service: FakeService::Fhir,
        method: &Method::GET,
        path: "/Patient/1",
        in_bundle: false,
    };

    fn selected(mut filter: RequestFilter, requests: usize) -> Vec<bool> {
        (0..requests).map(|_| filter.select(&PATIENTS)).collect()
    }

    #[test]
    fn filter_selects_by_number() {
        for (filter, expected) in [
            (RequestFilter::next(2), [true, true, false]),
            (RequestFilter::from(1), [true, false, false]),
            (RequestFilter::next(0), [false; 3]),
            (RequestFilter::nth(0), [false; 3]),
            (RequestFilter::nth(1), [true, false, false]),
            (RequestFilter::nth(2), [false, true, false]),
            (RequestFilter::all(), [true; 3]),
        ] {
            assert_eq!(selected(filter.clone(), 3), expected, "{filter:?}");
        }
    }

    #[test]
    fn filter_counts_only_requests_that_match_every_restriction() {
        let all = RequestFilter::all;
        for (filter, expected) in [
            (all().service(FakeService::Fhir).method(Method::GET).path_prefix("/Patient"), true),
            (all().service(FakeService::Dicom), false),
            (all().method(Method::POST), false),
            (all().path_prefix("/Observation"), false),
            (all().in_bundle(), false),
        ] {
            assert_eq!(selected(filter.clone(), 1), [expected], "{filter:?}");
        }
        let mut second_post = RequestFilter::nth(2).method(Method::POST);
        let post = RequestLine { method: &Method::POST, ..PATIENTS };
        let results = [post, PATIENTS, post, post].map(|request| second_post.select(&request));
        assert_eq!(results, [false, false, true, false]);
        assert!(second_post.is_exhausted());
    }
}
