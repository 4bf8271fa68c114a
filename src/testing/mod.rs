//! A stand-in for the FHIR and DICOM services, and for what issues their tokens, to test a service of one's own.
//!
//! [`StandIn`] is both services on loopback; [`StandInCredential`] issues the tokens that they take, and on request
//! tokens that they refuse. Nothing leaves the machine, and nothing has to be set up.

mod answer;
mod builder;
mod credential;
mod desk;
mod dicom;
mod feed;
mod fhir;
mod gate;
mod received;
mod search;

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use tokio::task::unconstrained;
use wiremock::MockServer;

use crate::{Audience, DicomAudience, DicomVersion, FhirAudience};
use desk::Shared;

pub use builder::StandInBuilder;
pub use credential::StandInCredential;
pub use gate::Wording;
pub use received::Received;

/// A FHIR service and a DICOM service in this process, each on a port of its own on `127.0.0.1`.
///
/// They refuse as the services do. A request without a token, or with one that is not readable, ended, not valid yet,
/// for another audience or of another tenant (looked at in this order), is answered 401; a token without a role, 403.
/// The audience must be the right one character for character, and a token is over in the second that it names; the
/// services are believed to overlook a `/` at the end of the one and five minutes in the other, and a test should not
/// lean on that. The signature is not looked at: [`StandInCredential`]'s tokens have none.
///
/// What they serve is synthetic, and the same every time:
///
/// - FHIR: `GET Patient` and `POST Patient/_search` with `_count` (default 10, at most 1,000), `_total` and `next`
///   links; `GET Patient/{id}`; `POST Patient`; `GET metadata`, without a token. The ids are `example-0001` and so on.
///   Every other search parameter is refused, because to ignore it would be to answer another question.
/// - DICOM: `GET changefeed` and `GET changefeed/latest`, under `v1` and `v2`, each with its own way of paging. After
///   the twelfth change the sequence numbers leave a gap of 20, so that `v1` has an empty page in the middle.
///
/// With a good token another path is answered 404 and another method 405, and without one 401 as everywhere.
///
/// Both stop when the stand-in is dropped.
///
/// ```
/// use azure_healthcare_auth::{HealthcareClient, testing::StandIn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let stand_in = StandIn::start().await;
///
/// // What is under test gets the audience and the credential that it would get for the live service.
/// let fhir = HealthcareClient::new(stand_in.fhir(), stand_in.credential());
/// let patients: serde_json::Value = fhir.get("Patient").query("_count", "5").send().await?.json()?;
///
/// assert_eq!(patients["entry"].as_array().map(Vec::len), Some(5));
/// assert_eq!(stand_in.credential().calls(), 1);
/// assert_eq!(stand_in.received()[0].url().query(), Some("_count=5"));
/// # Ok(()) }
/// ```
pub struct StandIn {
    fhir: FhirAudience,
    dicom: [DicomAudience; 2],
    credential: Arc<StandInCredential>,
    shared: Arc<Shared>,
    servers: Option<[MockServer; 2]>,
}

impl StandIn {
    /// Starts both services with what they have by default: 25 Patients and 25 changes.
    ///
    /// Each gets a port that the system has free and a thread of its own.
    ///
    /// # Panics
    ///
    /// Where the system has no free port on `127.0.0.1`, or no thread.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A stand-in that differs from the default.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() {
    /// use azure_healthcare_auth::testing::{StandIn, Wording};
    ///
    /// let empty = StandIn::builder().patients(0).changes(0).wording(Wording::OpenSource).start().await;
    /// # }
    /// ```
    pub fn builder() -> StandInBuilder {
        StandInBuilder::new()
    }

    /// The FHIR service. Its tokens are for its own origin, `http://127.0.0.1:{port}`. Never panics.
    #[must_use]
    pub fn fhir(&self) -> FhirAudience {
        self.fhir.clone()
    }

    /// The DICOM service. Its tokens are for the audience that DICOM services have in the public cloud. Never panics.
    #[must_use]
    pub fn dicom(&self, version: DicomVersion) -> DicomAudience {
        let [v1, v2] = &self.dicom;
        match version {
            DicomVersion::V1 => v1.clone(),
            DicomVersion::V2 => v2.clone(),
        }
    }

    /// A credential whose tokens both services take. It is the same one every time, with one count of its calls.
    ///
    /// Tokens that they refuse come from a [`StandInCredential`] of one's own. Never panics.
    #[must_use]
    pub fn credential(&self) -> Arc<StandInCredential> {
        self.credential.clone()
    }

    /// Answers the next `requests` with 429 and the wait until the next try, whichever service they are for.
    ///
    /// The wait is told twice: in whole milliseconds (`x-ms-retry-after-ms`), and in seconds, rounded and at least 1
    /// unless it is zero (`Retry-After`). A request that is answered 401 does not count, as on the services. A second
    /// call replaces the first; `throttle(0, …)` ends it. Never panics.
    pub fn throttle(&self, requests: usize, wait: Duration) {
        self.shared.lock().throttle(requests, wait);
    }

    /// What both services have received until now, in the order of their answers.
    ///
    /// All of it is kept until the stand-in is dropped. Never panics.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().received().to_vec()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // At its end a server waits for a lock, in a loop. A task that has used up its share of the runtime would find
        // the lock taken for ever, so the share is not counted here.
        let mut end = pin!(unconstrained(async { drop(self.servers.take()) }));
        let _ = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// The addresses of both services. What they hold and what they received is not shown.
impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, dicom] = &self.dicom;
        f.debug_struct("StandIn")
            .field("fhir", &self.fhir.endpoint().as_str())
            .field("dicom", &dicom.endpoint().as_str())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::task::Poll;
    use std::time::Instant;

    use azure_core::credentials::TokenCredential;
    use tokio::task::coop;
    use url::Url;

    use super::*;
    use crate::Service;

    /// Sends a request over the wire and gives the whole answer.
    fn exchange(url: &Url, head: &str) -> String {
        let mut stream = TcpStream::connect(&*url.socket_addrs(|| None).unwrap()).unwrap();
        let target = &url[url::Position::BeforePath..];
        write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    async fn bearer(audience: &dyn Audience, credential: &StandInCredential) -> String {
        let token = credential.get_token(&[audience.scope()], None).await.unwrap();
        format!("authorization: Bearer {}\r\n", token.token.secret())
    }

    #[tokio::test]
    async fn each_service_takes_the_credentials_token_for_it_and_no_other() {
        let stand_in = StandIn::start().await;
        let (fhir, dicom) = (stand_in.fhir(), stand_in.dicom(DicomVersion::V1));
        assert_eq!(fhir.resource(), fhir.endpoint().as_str().trim_end_matches('/'));
        assert_eq!(dicom.resource(), "https://dicom.healthcareapis.azure.com");
        assert_ne!(fhir.endpoint().origin(), dicom.endpoint().origin());

        let good = stand_in.credential();
        let (for_fhir, for_dicom) = (bearer(&fhir, &good).await, bearer(&dicom, &good).await);
        let (patients, feed) = (fhir.url("Patient").unwrap(), dicom.url("changefeed").unwrap());
        let challenge =
            "www-authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"";
        for (url, head, status, header) in [
            (&patients, &for_fhir, "200", "content-type: application/fhir+json; charset=utf-8"),
            (&feed, &for_dicom, "200", "content-type: application/json; charset=utf-8"),
            (&patients, &for_dicom, "401", challenge),
            (&feed, &for_fhir, "401", challenge),
        ] {
            let answer = exchange(url, head);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            assert_eq!(answer.lines().filter(|line| *line == header).count(), 1, "{answer}");
        }
        assert_eq!(good.calls(), 2);
    }

    #[tokio::test]
    async fn requests_to_both_services_are_told_in_their_order() {
        let stand_in = StandIn::builder().patients(1).changes(1).start().await;
        let (fhir, dicom) = (stand_in.fhir(), stand_in.dicom(DicomVersion::V2));
        let (first, second) =
            (fhir.url("Patient?_count=3").unwrap(), dicom.url("changefeed/latest").unwrap());
        exchange(&first, "authorization: Bearer secret\r\n");
        exchange(&second, &bearer(&dicom, &stand_in.credential()).await);

        let received = stand_in.received();
        let seen: Vec<_> = received.iter().map(|r| (r.service(), r.url(), r.status().as_u16())).collect();
        assert_eq!(seen, [(Service::Fhir, &first, 401), (Service::Dicom, &second, 200)]);
        assert_eq!(received[0].headers()["authorization"], "Bearer secret");
        assert!(!format!("{received:?}").contains("secret"));
    }

    #[tokio::test]
    async fn what_is_set_is_what_is_served() {
        let builder = StandIn::builder().patients(11).changes(0).wording(Wording::OpenSource);
        let stand_in = builder.start().await;
        let (fhir, dicom) = (stand_in.fhir(), stand_in.dicom(DicomVersion::V1));
        let (patients, latest) = (fhir.url("Patient").unwrap(), dicom.url("changefeed/latest").unwrap());
        let (good, credential) = (bearer(&fhir, &stand_in.credential()).await, stand_in.credential());

        assert!(exchange(&patients, "").contains("www-authenticate: Bearer authorization_uri="));
        assert!(exchange(&patients, &good).contains("\"relation\":\"next\""));
        assert!(exchange(&latest, &bearer(&dicom, &credential).await).starts_with("HTTP/1.1 204"));

        stand_in.throttle(9, Duration::from_secs(3));
        assert!(exchange(&patients, &good).contains("retry-after: 3\r\n"));
        stand_in.throttle(0, Duration::ZERO);
        assert!(exchange(&patients, &good).starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_stand_in_can_be_dropped_by_a_task_that_has_used_up_its_share_of_the_runtime() {
        let mut stand_in = Some(StandIn::start().await);
        std::future::poll_fn(|cx| {
            while let Poll::Ready(used) = coop::poll_proceed(cx) {
                used.made_progress();
            }
            stand_in = None;
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_stand_in_that_is_dropped_answers_no_more() {
        let stand_in = StandIn::start().await;
        let address = stand_in.fhir().endpoint().socket_addrs(|| None).unwrap();
        drop(stand_in);
        let patience = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&*address).is_ok() {
            assert!(Instant::now() < patience);
            std::thread::yield_now();
        }
    }
}
