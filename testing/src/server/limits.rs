//! The size limits of the web server in front of the services.
//!
//! Both services run on Kestrel, the web server of ASP.NET Core, and the source of neither changes its defaults
//! (`KestrelServerLimits`). The managed services may have further limits in front of it.

use http::{StatusCode, request::Parts};

use crate::service::FakeService;

/// The request line with its line break: method, target and version.
const MAX_REQUEST_LINE: usize = 8 * 1024;
/// All header lines together.
const MAX_HEADERS: usize = 32 * 1024;
const MAX_HEADER_COUNT: usize = 100;
/// The body of a request to the FHIR service. The DICOM service accepts instances of up to 4 GB (Azure documentation
/// `dicom-services-conformance-statement-v2.md`), so the fake does not limit them.
const MAX_FHIR_BODY: usize = 30_000_000;

/// Returns the status for a request whose head exceeds a limit.
pub(super) fn check_head(head: &Parts) -> Option<StatusCode> {
    let target = head.uri.path_and_query().map_or(1, |target| target.as_str().len());
    if head.method.as_str().len() + target + "  HTTP/1.1\r\n".len() > MAX_REQUEST_LINE {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let lines = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let too_large = lines.sum::<usize>() > MAX_HEADERS || head.headers.len() > MAX_HEADER_COUNT;
    too_large.then_some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// Returns the status for a request whose body exceeds a limit.
pub(super) fn check_body(service: FakeService, length: usize) -> Option<StatusCode> {
    (service == FakeService::Fhir && length > MAX_FHIR_BODY).then_some(StatusCode::PAYLOAD_TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn head(target: usize, headers: &[usize]) -> Parts {
        let mut request = Request::get(format!("/{}", "a".repeat(target - 1)));
        for length in headers {
            request = request.header("x", HeaderValue::from_str(&"v".repeat(*length)).unwrap());
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn head_that_exceeds_a_limit_has_a_status() {
        let line = MAX_REQUEST_LINE - "GET  HTTP/1.1\r\n".len();
        for (target, headers, status) in [
            (line, vec![], None),
            (line + 1, vec![], Some(414)),
            (1, vec![MAX_HEADERS - 5], None),
            (1, vec![MAX_HEADERS - 4], Some(431)),
            (1, vec![1; 100], None),
            (1, vec![1; 101], Some(431)),
        ] {
            let actual = check_head(&head(target, &headers)).map(|status| status.as_u16());
            assert_eq!(actual, status, "{target} {headers:?}");
        }
    }

    #[test]
    fn only_fhir_bodies_are_limited() {
        assert_eq!(check_body(FakeService::Fhir, MAX_FHIR_BODY), None);
        assert_eq!(check_body(FakeService::Fhir, MAX_FHIR_BODY + 1), Some(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(check_body(FakeService::Dicom, MAX_FHIR_BODY + 1), None);
    }
}
