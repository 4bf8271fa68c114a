//! Tests of the service against the fake FHIR and DICOM services.

mod exports;
mod patients;
mod support;
