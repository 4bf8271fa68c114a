//! The credential of a client certificate in a file.

use std::sync::Arc;

use azure_core::{
    credentials::{Secret, SecretBytes, TokenCredential},
    error::{Error, ErrorKind},
    http::ClientOptions,
};
use azure_identity::{ClientCertificateCredential, ClientCertificateCredentialOptions};

use super::plan::App;

pub(super) fn credential(
    app: &App,
    path: &str,
    password: Option<Secret>,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let wrong = |what: String| {
        let message = format!("the certificate at AZURE_CLIENT_CERTIFICATE_PATH cannot be used: {what}");
        Error::with_message(ErrorKind::Credential, message)
    };
    let certificate = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let options = ClientCertificateCredentialOptions { client_options, password };
    let (tenant, client) = (app.tenant.clone(), app.client.clone());
    // What is wrong with the file, OpenSSL says in words that are of no use to a reader.
    let credential =
        ClientCertificateCredential::new(tenant, client, SecretBytes::new(certificate), Some(options))
            .map_err(|error| {
                wrong(format!("{error}; it has to be PKCS #12 with an RSA key, and its password right"))
            })?;
    Ok(credential)
}
