//! [`allows`]: which role may do what on which service.

use http::Method;
use wiremock::Request;

use crate::ServiceKind;

/// Whether `role` allows the request on `service`.
///
/// By the table of Azure's built-in roles for health data: readers read and search, and the others write too.
pub(super) fn allows(role: &str, service: ServiceKind, request: &Request) -> bool {
    match (service, role) {
        (ServiceKind::Fhir, "FHIR Data Reader") | (ServiceKind::Dicom, "DICOM Data Reader") => reads(request),
        (ServiceKind::Fhir, "FHIR Data Writer" | "FHIR Data Contributor")
        | (ServiceKind::Dicom, "DICOM Data Owner") => true,
        _ => false,
    }
}

/// A search that is posted only reads: its form keeps what is searched for out of the URL.
fn reads(request: &Request) -> bool {
    match request.method {
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        Method::POST => request.url.path().trim_end_matches('/').ends_with("/_search"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer::request;

    #[test]
    fn a_reader_reads_and_a_role_is_good_for_its_own_service() {
        use ServiceKind::{Dicom, Fhir};
        let lines = ["GET /Patient", "POST /Patient/_search", "POST /Patient", "DELETE /Patient/_search"];
        for (role, service, expected) in [
            ("FHIR Data Reader", Fhir, [true, true, false, false]),
            ("FHIR Data Writer", Fhir, [true; 4]),
            ("FHIR Data Contributor", Fhir, [true; 4]),
            ("FHIR Data Exporter", Fhir, [false; 4]),
            ("DICOM Data Reader", Dicom, [true, true, false, false]),
            ("DICOM Data Owner", Dicom, [true; 4]),
            ("DICOM Data Owner", Fhir, [false; 4]),
            ("FHIR Data Contributor", Dicom, [false; 4]),
        ] {
            let allowed = lines.map(|line| allows(role, service, &request(line, "")));
            assert_eq!(allowed, expected, "{role} on {service}");
        }
    }
}
