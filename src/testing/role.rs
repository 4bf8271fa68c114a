//! [`allows`]: the permissions of Azure's built-in roles.

use http::Method;
use wiremock::Request;

use crate::ServiceKind;

/// Returns `true` if `role` allows the request on `service`.
///
/// Follows Azure's table of built-in roles for health data: readers can read and search, and the other roles can also
/// write.
pub(super) fn allows(role: &str, service: ServiceKind, request: &Request) -> bool {
    match (service, role) {
        (ServiceKind::Fhir, "FHIR Data Reader") | (ServiceKind::Dicom, "DICOM Data Reader") => {
            is_read(request)
        }
        (ServiceKind::Fhir, "FHIR Data Writer" | "FHIR Data Contributor")
        | (ServiceKind::Dicom, "DICOM Data Owner") => true,
        _ => false,
    }
}

/// Returns `true` if the request only reads.
///
/// That includes a posted search, which sends its parameters in a form to keep them out of the URL.
fn is_read(request: &Request) -> bool {
    match request.method {
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        Method::POST => request.url.path().trim_end_matches('/').ends_with("/_search"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::response::request;

    #[test]
    fn reader_roles_cannot_write_and_roles_apply_to_one_service() {
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
