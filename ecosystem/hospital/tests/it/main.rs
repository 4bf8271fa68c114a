//! Tests of the service against the fake FHIR and DICOM services.

mod archive;
mod denials;
mod exports;
mod images;
mod patients;
mod support;
