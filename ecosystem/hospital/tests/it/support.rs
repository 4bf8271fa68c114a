//! [`Hospital`]: the service with fakes of the services that it uses.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::{Authenticator, DicomVersion, HealthcareClient};
use azure_healthcare_auth_testing::{FakeClock, FakeServer, FakeServerBuilder, ReceivedRequest, dicom_file};
use hospital::{Services, Settings, Storage, Worker, hospital};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{task::yield_now, time::timeout};
use tower::ServiceExt;

/// The service waits for changes for this time.
pub const SETTLE: Duration = Duration::from_secs(30);

const STUDY: &str = "2.25.1";
const SERIES: &str = "2.25.2";
const INSTANCE: &str = "2.25.3";

pub struct Hospital {
    pub fake: FakeServer,
    /// The clock of the fakes and of the service.
    pub clock: FakeClock,
    pub api: Router,
    pub worker: Worker,
    folder: TempDir,
}

/// A response of the service.
#[derive(Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    /// JSON, or text as a string.
    pub body: Value,
}

impl Hospital {
    /// Starts the service with empty fakes.
    pub async fn new() -> Self {
        Self::with(FakeServer::builder().patients(0)).await
    }

    pub async fn with(fake: FakeServerBuilder) -> Self {
        let clock = FakeClock::new();
        let now = clock.clone();
        let fake = fake.changes(0).clock(move || now.now()).start().await;
        let folder = TempDir::new().unwrap();
        let (api, worker) = hospital(services(&fake, fake.credential(), &clock), settings(folder.path()));
        Self { fake, clock, api, worker, folder }
    }

    /// Replaces the process of the service, which keeps only its folder.
    pub fn restart(&mut self) {
        self.restart_as(self.fake.credential());
    }

    pub fn restart_as(&mut self, credential: Arc<dyn TokenCredential>) {
        self.restart_with(services(&self.fake, credential, &self.clock));
    }

    pub fn restart_with(&mut self, services: Services) {
        (self.api, self.worker) = hospital(services, settings(self.folder.path()));
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until all changes in the DICOM service have settled, and copies them.
    pub async fn copy(&self) {
        self.clock.advance(SETTLE + Duration::from_secs(1));
        self.worker.run_once().await.unwrap();
    }

    /// Returns the instances in the archive by their numbers.
    pub fn archived(&self) -> BTreeMap<usize, Vec<u8>> {
        let folder = self.folder().join("archive").join(STUDY).join(SERIES);
        let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().unwrap() == "dcm");
        let number = |path: &Path| path.file_stem()?.to_str()?.strip_prefix(INSTANCE)?.parse().ok();
        files.map(|path| (number(&path).unwrap(), std::fs::read(path).unwrap())).collect()
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), Value::Null).await
    }

    /// Sends a request such as `POST /patients` to the service, in memory.
    pub async fn send(&self, line: &str, body: Value) -> Reply {
        self.send_with(line, ("content-type", "application/json"), body.to_string()).await
    }

    pub async fn send_with(&self, line: &str, header: (&str, &str), body: impl Into<Body>) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).header(header.0, header.1);
        let response = self.api.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, retry_after, location) =
            (response.status().as_u16(), header("retry-after"), header("location"));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = || Value::String(String::from_utf8(body.to_vec()).unwrap());
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        Reply { status, retry_after, location, body }
    }

    /// Sends a request to the service until it responds as expected.
    pub async fn until(&self, path: &str, expected: impl Fn(&Reply) -> bool) {
        let responded = async {
            while !expected(&self.get(path).await) {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), responded)
            .await
            .unwrap_or_else(|_| panic!("{path} does not change"));
    }

    /// Returns the method and the path of the requests that the fakes received, and the status of the responses.
    pub fn received(&self) -> Vec<(String, u16)> {
        let line = |request: &ReceivedRequest| format!("{} {}", request.method(), request.url().path());
        self.fake.requests().iter().map(|request| (line(request), request.status().as_u16())).collect()
    }

    /// Returns the number of requests to paths that start like this, such as `GET /Patient`.
    pub fn count(&self, prefix: &str) -> usize {
        self.received().iter().filter(|(line, _)| line.starts_with(prefix)).count()
    }
}

/// Returns the study, the series and the instance with a number.
pub fn uids(number: usize) -> [String; 3] {
    [STUDY.to_owned(), SERIES.to_owned(), format!("{INSTANCE}{number}")]
}

/// Returns the data set of the instance with a number.
pub fn data_set(number: usize) -> Value {
    let [study, series, sop] = uids(number).map(|uid| json!({ "vr": "UI", "Value": [uid] }));
    json!({
        "00080016": { "vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"] },
        "00080018": sop,
        "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "Lovelace^Ada" }] },
        "00100020": { "vr": "LO", "Value": ["R4711"] },
        "0020000D": study,
        "0020000E": series,
    })
}

/// Returns the files of the instances with these numbers.
pub fn files(numbers: impl IntoIterator<Item = usize>) -> BTreeMap<usize, Vec<u8>> {
    numbers.into_iter().map(|number| (number, dicom_file(&data_set(number)))).collect()
}

/// Returns the clients of the service, as `main` creates them.
pub fn services(fake: &FakeServer, credential: Arc<dyn TokenCredential>, clock: &FakeClock) -> Services {
    let now = clock.clone();
    let auth = Authenticator::builder(fake.fhir(), credential.clone()).clock(move || now.now()).build();
    let fhir = HealthcareClient::from(auth);
    let dicom = fhir.for_audience(fake.dicom(DicomVersion::V2)).unwrap();
    let storage = Storage::new(fake.storage_origin().parse().unwrap(), credential).unwrap();
    Services { fhir, dicom, storage }
}

fn settings(folder: &Path) -> Settings {
    Settings { folder: folder.to_owned(), interval: Duration::ZERO, settle: SETTLE, page_size: 2 }
}
