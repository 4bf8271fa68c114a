//! [`StandInBuilder`]: what a stand-in holds, and its start.

use std::sync::Arc;

use wiremock::{Mock, MockServer, matchers::any};

use super::{
    StandIn, StandInCredential, Wording,
    desk::{Desk, Shared},
};
use crate::{Audience, DicomAudience, DicomVersion, FhirAudience, Result, Service};

/// Starts a [`StandIn`] that differs from the default.
#[derive(Clone, Debug)]
#[must_use = "a stand-in is started by `start()`"]
pub struct StandInBuilder {
    patients: usize,
    changes: usize,
    wording: Wording,
}

impl StandInBuilder {
    pub(super) fn new() -> Self {
        Self { patients: 25, changes: 25, wording: Wording::default() }
    }

    /// How many Patients the FHIR service holds. Default: 25.
    pub fn patients(mut self, count: usize) -> Self {
        self.patients = count;
        self
    }

    /// How many changes the DICOM service's change feed holds. Default: 25.
    pub fn changes(mut self, count: usize) -> Self {
        self.changes = count;
        self
    }

    /// How a 401 words its `WWW-Authenticate` header. Default: [`Wording::Managed`].
    pub fn wording(mut self, wording: Wording) -> Self {
        self.wording = wording;
        self
    }

    /// Starts both services.
    ///
    /// # Panics
    ///
    /// As [`StandIn::start`].
    pub async fn start(self) -> StandIn {
        // Not from wiremock's pool: there, a request that another test left under way could arrive here. Recording is
        // off because `Received` is the record of both services in one order.
        let server = || MockServer::builder().disable_request_recording().start();
        let servers = [server().await, server().await];
        let [fhir_server, dicom_server] = &servers;
        let (fhir_origin, dicom_origin) = (fhir_server.uri(), dicom_server.uri());

        let fhir = on_loopback(FhirAudience::endpoint(&fhir_origin).build());
        let dicom = [DicomVersion::V1, DicomVersion::V2]
            .map(|version| on_loopback(DicomAudience::endpoint(&dicom_origin).version(version).build()));
        let [dicom_v1, _] = &dicom;

        let shared = Arc::new(Shared::new(self.patients, self.changes));
        let desk = |service, audience: &dyn Audience| Desk {
            service,
            origin: audience.endpoint().origin().ascii_serialization(),
            audience: audience.resource().to_owned(),
            wording: self.wording,
            shared: shared.clone(),
        };
        let fhir_desk = desk(Service::Fhir, &fhir);
        let dicom_desk = desk(Service::Dicom, dicom_v1);
        Mock::given(any()).respond_with(fhir_desk).mount(fhir_server).await;
        Mock::given(any()).respond_with(dicom_desk).mount(dicom_server).await;

        StandIn {
            fhir,
            dicom,
            credential: Arc::new(StandInCredential::new()),
            shared,
            servers: Some(servers),
        }
    }
}

/// The audience of a server that was just started: always one that can be built.
fn on_loopback<A>(built: Result<A>) -> A {
    match built {
        Ok(audience) => audience,
        Err(error) => unreachable!("`http://127.0.0.1` and a port is a valid endpoint, but: {error}"),
    }
}
