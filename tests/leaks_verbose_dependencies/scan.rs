//! Runs the scan of `tests/leaks` while the dependencies log as much as they can: `azure_core` with its feature `debug`,
//! and the others with their logging features.

#[path = "../leaks/scan/mod.rs"]
mod scan;

use scan::allowed::{AllowedMarkers, DEFAULT};

/// The markers that dependencies log with these features in addition to [`DEFAULT`].
const VERBOSE: &[AllowedMarkers] = &[
    AllowedMarkers { source: "INFO typespec_client_core::http::policies::logging", markers: &["name"] },
    AllowedMarkers {
        source: "DEBUG typespec_client_core::http::policies::logging",
        markers: &["header", "name", "secret", "token"],
    },
    AllowedMarkers { source: "DEBUG typespec_client_core::http::policies::transport", markers: &["name"] },
    AllowedMarkers { source: "DEBUG typespec_client_core::http::clients::reqwest", markers: &["name"] },
    // The command line of a tool. The scan passes a token and a secret there, `azure_identity` and this crate do not.
    AllowedMarkers { source: "DEBUG process_wrap::tokio::process_group", markers: &["secret", "token"] },
];

/// Sources that log only with these features and may contain no marker.
const EXPECTED_SOURCES: &[&str] = &["TRACE hyper::", "TRACE rustls::"];

#[tokio::test]
async fn output_contains_no_secrets_or_patient_data_with_verbose_dependencies() {
    scan::run(&[DEFAULT, VERBOSE], EXPECTED_SOURCES).await;
}
