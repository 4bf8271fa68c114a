//! [`build_chain`]: builds the selected credentials.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    cloud::CustomConfiguration,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
    AzureDeveloperCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::{
    authority::Authority,
    http_policy,
    imds::ImdsProbe,
    rebuildable::Rebuildable,
    selection::{AppRegistration, CredentialConfig},
    timeout::{TOOL_TIMEOUT, TimeoutCredential},
};
use crate::{
    Result,
    credentials::{AzurePowerShellCredential, ChainedTokenCredential, ProcessExecutor},
};

type CredentialResult = azure_core::Result<Arc<dyn TokenCredential>>;

/// Builds the chain of the selected credentials. `transport` replaces the default HTTP client.
pub(super) fn build_chain(
    configs: Vec<CredentialConfig>,
    transport: Option<&Transport>,
) -> Result<Arc<ChainedTokenCredential>> {
    let is_only = configs.len() == 1;
    let chain = configs.into_iter().try_fold(ChainedTokenCredential::new(), |chain, config| {
        Ok::<_, crate::Error>(chain.with(config.name(), config.build(transport.cloned(), is_only)?))
    })?;
    Ok(Arc::new(chain))
}

impl CredentialConfig {
    fn name(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "client secret",
            #[cfg(feature = "client-certificate")]
            Self::ClientCertificate { .. } => "client certificate",
            Self::WorkloadIdentity { .. } => "workload identity",
            Self::ManagedIdentity { .. } => "managed identity",
            Self::AzureCli => "Azure CLI",
            Self::AzurePowerShell => "Azure PowerShell",
            Self::AzureDeveloperCli => "Azure Developer CLI",
        }
    }

    fn build(self, transport: Option<Transport>, is_only: bool) -> Result<Arc<dyn TokenCredential>> {
        let executor = Some(Arc::new(ProcessExecutor::new()) as _);
        Ok(match self {
            Self::ClientSecret { app, secret } => {
                app_credential(app, transport, move |app, client_options| {
                    let options = ClientSecretCredentialOptions { client_options };
                    let (client_id, secret) = (app.client_id.clone(), secret.clone());
                    Ok(ClientSecretCredential::new(&app.tenant_id, client_id, secret, Some(options))?)
                })
            }
            #[cfg(feature = "client-certificate")]
            Self::ClientCertificate { app, path, password } => {
                app_credential(app, transport, move |app, options| {
                    super::certificate::credential(app, &path, password.clone(), options)
                })
            }
            Self::WorkloadIdentity { app, token_file } => {
                app_credential(app, transport, move |app, client_options| {
                    let options = WorkloadIdentityCredentialOptions {
                        credential_options: ClientAssertionCredentialOptions { client_options },
                        client_id: Some(app.client_id.clone()),
                        tenant_id: Some(app.tenant_id.clone()),
                        token_file_path: Some((&token_file).into()),
                    };
                    Ok(WorkloadIdentityCredential::new(Some(options))?)
                })
            }
            Self::ManagedIdentity { client_id, uses_imds } => {
                let probe_transport = transport.clone();
                let credential = Arc::new(Rebuildable::new(move || {
                    let options = ManagedIdentityCredentialOptions {
                        user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                        client_options: http_policy::client_options(transport.clone()),
                    };
                    Ok(ManagedIdentityCredential::new(Some(options))?)
                }));
                match uses_imds && is_only {
                    true => credential,
                    // If the environment names an endpoint, the identity is known to exist.
                    false => Arc::new(ImdsProbe::new(credential, probe_transport, !uses_imds)),
                }
            }
            Self::AzureCli => {
                let options = AzureCliCredentialOptions { executor, ..Default::default() };
                let credential = AzureCliCredential::new(Some(options))?;
                Arc::new(TimeoutCredential { tool: "az", credential })
            }
            Self::AzurePowerShell => Arc::new(AzurePowerShellCredential::new().with_timeout(TOOL_TIMEOUT)),
            Self::AzureDeveloperCli => {
                let options = AzureDeveloperCliCredentialOptions { executor, ..Default::default() };
                let credential = AzureDeveloperCliCredential::new(Some(options))?;
                Arc::new(TimeoutCredential { tool: "azd", credential })
            }
        })
    }
}

/// The credential of an app registration. It requests tokens only for services in the authority's cloud.
struct AppCredential {
    authority: Authority,
    credential: Rebuildable,
}

fn app_credential(
    app: AppRegistration,
    transport: Option<Transport>,
    build: impl Fn(&AppRegistration, ClientOptions) -> CredentialResult + Send + Sync + 'static,
) -> Arc<dyn TokenCredential> {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = app.authority.url().to_owned();
    let cloud = Arc::new(cloud.into());
    let authority = app.authority.clone();
    let credential = Rebuildable::new(move || {
        let mut options = http_policy::client_options(transport.clone());
        options.cloud = Some(Arc::clone(&cloud));
        build(&app, options)
    });
    Arc::new(AppCredential { authority, credential })
}

#[async_trait]
impl TokenCredential for AppCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        scopes.iter().try_for_each(|scope| self.authority.check_scope(scope))?;
        self.credential.get_token(scopes, options).await
    }
}

impl fmt::Debug for AppCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredential").field("authority", &self.authority).finish_non_exhaustive()
    }
}
