//! The credential for a client certificate in a file.

use std::sync::Arc;

use azure_core::{
    credentials::{Secret, SecretBytes, TokenCredential},
    error::{Error, ErrorKind},
    http::ClientOptions,
};
use azure_identity::{ClientCertificateCredential, ClientCertificateCredentialOptions};

use super::selection::AppRegistration;

pub(super) fn credential(
    app: &AppRegistration,
    path: &str,
    password: Option<Secret>,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let invalid = |reason: String| {
        let message = format!("cannot load the certificate from AZURE_CLIENT_CERTIFICATE_PATH: {reason}");
        Error::with_message(ErrorKind::Credential, message)
    };
    let certificate = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
    let options = ClientCertificateCredentialOptions { client_options, password };
    let (tenant, client) = (app.tenant_id.clone(), app.client_id.clone());
    let credential =
        ClientCertificateCredential::new(tenant, client, SecretBytes::new(certificate), Some(options))
            .map_err(|error| {
                // OpenSSL's own message does not explain what to do.
                invalid(format!(
                    "{error} (the file must be PKCS #12 with an RSA key; check \
                     AZURE_CLIENT_CERTIFICATE_PASSWORD)"
                ))
            })?;
    Ok(credential)
}
