//! The selection of credentials by variables.

use super::super::{
    env::{EnvVars, check_unicode},
    selection::{CredentialConfig, select},
};

const T: (&str, &str) = ("AZURE_TENANT_ID", "tenant");
const C: (&str, &str) = ("AZURE_CLIENT_ID", "client");
const S: (&str, &str) = ("AZURE_CLIENT_SECRET", "canary");
const P: (&str, &str) = ("AZURE_CLIENT_CERTIFICATE_PATH", "/client.pfx");
const W: (&str, &str) = ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "canary");
const F: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/token");
const E: (&str, &str) = ("IDENTITY_ENDPOINT", "http://127.0.0.1:1");
const H: (&str, &str) = ("IDENTITY_HEADER", "canary");
const PROD: (&str, &str) = ("AZURE_TOKEN_CREDENTIALS", "prod");

fn only(name: &'static str) -> (&'static str, &'static str) {
    ("AZURE_TOKEN_CREDENTIALS", name)
}

/// Returns the selected credentials in short form, or the error.
fn selected(variables: &[(&str, &str)]) -> Result<String, String> {
    let read =
        |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
    let configs = select(&EnvVars::new(&read), None).map_err(|error| format!("{error} {error:?}"))?;
    let shown = format!("{configs:?}");
    assert!(!shown.contains("canary"), "{shown}");
    Ok(configs.iter().map(short_name).collect::<Vec<_>>().join(" "))
}

fn short_name(config: &CredentialConfig) -> String {
    match config {
        CredentialConfig::ClientSecret { app, secret } => {
            assert_eq!((&*app.tenant_id, &*app.client_id, secret.secret()), ("tenant", "client", "canary"));
            "secret".into()
        }
        #[cfg(feature = "client-certificate")]
        CredentialConfig::ClientCertificate { app, path, password } => {
            assert_eq!((&*app.tenant_id, &*app.client_id, &**path), ("tenant", "client", "/client.pfx"));
            if password.is_some() { "certificate+password".into() } else { "certificate".into() }
        }
        CredentialConfig::WorkloadIdentity { app, token_file } => {
            assert_eq!((&*app.tenant_id, &*app.client_id, &**token_file), ("tenant", "client", "/token"));
            "workload".into()
        }
        CredentialConfig::ManagedIdentity { client_id, uses_imds } => {
            let client_id = client_id.as_ref().map_or(String::new(), |id| format!("+{id}"));
            format!("{}{client_id}", if *uses_imds { "imds" } else { "managed" })
        }
        CredentialConfig::AzureCli => "az".into(),
        CredentialConfig::AzurePowerShell => "pwsh".into(),
        CredentialConfig::AzureDeveloperCli => "azd".into(),
    }
}

#[test]
fn credentials_are_selected_in_order_of_other_sdks() {
    for (variables, expected) in [
        (&[][..], "imds az pwsh azd"),
        (&[T, C, S], "secret imds+client az pwsh azd"),
        (&[T, C, F], "workload imds+client az pwsh azd"),
        (&[T, C, S, F], "secret workload imds+client az pwsh azd"),
        (&[T, C, S, P, W], "secret imds+client az pwsh azd"),
        (&[C], "imds+client az pwsh azd"),
        (&[T], "imds az pwsh azd"),
        (&[T, C], "imds+client az pwsh azd"),
        (&[E, H], "managed az pwsh azd"),
        (&[E, ("IMDS_ENDPOINT", "http://127.0.0.1:2")], "managed az pwsh azd"),
        (&[("MSI_ENDPOINT", "http://127.0.0.1:2")], "managed az pwsh azd"),
        // An empty variable counts as unset.
        (&[T, C, ("AZURE_CLIENT_SECRET", " "), ("AZURE_TOKEN_CREDENTIALS", "")], "imds+client az pwsh azd"),
        (&[PROD], "imds"),
        (&[PROD, T, C, S, F], "secret workload imds+client"),
        (&[only("dev"), T, C, S, F], "az pwsh azd"),
        (&[only(" Dev\n")], "az pwsh azd"),
        (&[only("EnvironmentCredential"), T, C, S, F], "secret"),
        (&[only("WorkloadIdentityCredential"), T, C, S, F], "workload"),
        (&[only("ManagedIdentityCredential"), T, C, S, F], "imds+client"),
        (&[only("managedidentitycredential"), E, H], "managed"),
        (&[only("AzureCliCredential"), T, C, S], "az"),
        (&[only("AZUREPOWERSHELLCREDENTIAL")], "pwsh"),
        (&[only("AzureDeveloperCliCredential")], "azd"),
        // The variables of other credentials are not checked.
        (&[only("dev"), S, F, H], "az pwsh azd"),
        (&[only("dev"), ("IDENTITY_ENDPOINT", "")], "az pwsh azd"),
        (&[only("AzureCliCredential"), ("AZURE_AUTHORITY_HOST", "nowhere")], "az"),
    ] {
        assert_eq!(selected(variables).as_deref(), Ok(expected), "{variables:?}");
    }
}

#[test]
fn incomplete_or_unknown_variable_is_an_error_that_names_it() {
    for (variables, expected) in [
        (&[S][..], "AZURE_CLIENT_SECRET is set but AZURE_TENANT_ID is not"),
        (&[S, C], "AZURE_CLIENT_SECRET is set but AZURE_TENANT_ID is not"),
        (&[S, T], "AZURE_CLIENT_SECRET is set but AZURE_CLIENT_ID is not"),
        (&[S, T, ("AZURE_CLIENT_ID", "")], "AZURE_CLIENT_SECRET is set but AZURE_CLIENT_ID is not"),
        (&[T, C, W], "AZURE_CLIENT_CERTIFICATE_PASSWORD is set but AZURE_CLIENT_CERTIFICATE_PATH is not"),
        (&[F, T], "AZURE_FEDERATED_TOKEN_FILE is set but AZURE_CLIENT_ID is not"),
        (&[F, C], "AZURE_FEDERATED_TOKEN_FILE is set but AZURE_TENANT_ID is not"),
        (&[H], "IDENTITY_HEADER is set but IDENTITY_ENDPOINT is not"),
        (&[E], "IDENTITY_ENDPOINT is set but IDENTITY_HEADER is not"),
        (&[("IDENTITY_ENDPOINT", "")], "IDENTITY_ENDPOINT is set but empty"),
        (&[PROD, E, ("IDENTITY_HEADER", " ")], "IDENTITY_HEADER is set but empty"),
        (&[E, H, ("IDENTITY_SERVER_THUMBPRINT", "")], "IDENTITY_SERVER_THUMBPRINT is set but empty"),
        (&[E, ("IMDS_ENDPOINT", "")], "IMDS_ENDPOINT is set but empty"),
        (&[("MSI_ENDPOINT", "")], "MSI_ENDPOINT is set but empty"),
        (&[("MSI_ENDPOINT", "http://127.0.0.1:2"), ("MSI_SECRET", "")], "MSI_SECRET is set but empty"),
        (
            &[only("EnvironmentCredential"), T, C],
            "requires AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH, but neither is set",
        ),
        (
            &[only("WorkloadIdentityCredential"), T, C, S],
            "requires AZURE_FEDERATED_TOKEN_FILE, which is not set",
        ),
        (&[T, C, S, ("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")], "AZURE_AUTHORITY_HOST must be"),
        (
            &[only("VisualStudioCredential")],
            "one of EnvironmentCredential, WorkloadIdentityCredential, Managed",
        ),
        (
            &[only("InteractiveBrowserCredential")],
            "unknown credential name in AZURE_TOKEN_CREDENTIALS (use prod, dev, or one of",
        ),
        (&[only("canary")], "unknown credential name in AZURE_TOKEN_CREDENTIALS (use prod, dev, or one of"),
    ] {
        let error = selected(variables).unwrap_err();
        assert!(error.contains(expected) && !error.contains("canary"), "{variables:?}: {error}");
    }
}

#[cfg(feature = "client-certificate")]
#[test]
fn certificate_is_selected_without_a_secret() {
    assert_eq!(selected(&[PROD, T, C, P]).as_deref(), Ok("certificate imds+client"));
    assert_eq!(selected(&[PROD, T, C, P, W]).as_deref(), Ok("certificate+password imds+client"));
    assert!(
        selected(&[P, C])
            .unwrap_err()
            .contains("AZURE_CLIENT_CERTIFICATE_PATH is set but AZURE_TENANT_ID is not")
    );
}

#[cfg(not(feature = "client-certificate"))]
#[test]
fn certificate_requires_feature() {
    assert!(selected(&[T, C, P]).unwrap_err().contains("requires the feature `client-certificate`"));
}

#[test]
fn name_in_code_overrides_variable() {
    let read = |name: &str| (name == "AZURE_TOKEN_CREDENTIALS").then(|| "prod".to_owned());
    for name in ["dev", " Dev\n"] {
        let configs = select(&EnvVars::new(&read), Some(name)).unwrap();
        assert_eq!(configs.iter().map(short_name).collect::<Vec<_>>(), ["az", "pwsh", "azd"]);
    }
    for name in ["VisualStudioCredential", "", " "] {
        let error = select(&EnvVars::new(&read), Some(name)).unwrap_err().to_string();
        assert!(error.starts_with("unknown credential name (use prod, dev, or one of"), "{name:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn variable_that_is_not_unicode_is_an_error() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

    let names = [T.0, C.0, S.0, P.0, W.0, F.0, E.0, H.0, PROD.0, "AZURE_AUTHORITY_HOST", "MSI_SECRET"];
    for name in names {
        let read = |other: &str| (other == name).then(|| OsString::from_vec(b"canary\xff".to_vec()));
        let error = check_unicode(read).unwrap_err().to_string();
        assert_eq!(error, format!("{name} is not valid Unicode"));
    }
    assert!(check_unicode(|_| Some("é".into())).is_ok() && check_unicode(|_| None).is_ok());
}
