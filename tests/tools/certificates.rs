//! The client on a machine without CA certificates. Its own process, because of the environment.

use std::{env, process::Command};

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
use azure_healthcare_auth_testing::FakeServer;

use crate::{rerun::run_test, support::TempDir};

/// Set only in the subprocess.
const NO_CERTIFICATES: &str = "TEST_NO_CERTIFICATES";

#[test]
fn without_ca_certificates_plain_loopback_works_and_https_names_the_cause() {
    if env::var_os(NO_CERTIFICATES).is_none() {
        let empty = TempDir::new();
        let mut command = Command::new(env::current_exe().unwrap());
        command.env(NO_CERTIFICATES, "1").env("SSL_CERT_DIR", &*empty).env_remove("SSL_CERT_FILE");
        run_test(command, without_ca_certificates_plain_loopback_works_and_https_names_the_cause).unwrap();
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fake_server = FakeServer::start().await;
        let plain = HealthcareClient::builder(fake_server.fhir(), fake_server.credential());
        let plain = plain.configure_http(|http| http.user_agent("configured")).build().unwrap();
        assert_eq!(plain.get("Patient").send().await.unwrap().status(), 200);

        for endpoint in ["https://127.0.0.1:1", "https://records.contoso.example"] {
            let audience: FhirAudience = endpoint.parse().unwrap();
            let error = plain.for_audience(audience).unwrap().get("Patient").send().await.unwrap_err();
            assert!(error.to_string().contains("no CA certificates were loaded"), "{error}");
            assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Request);
        }
    });
}
