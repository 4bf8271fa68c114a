//! [`Storage`]: the storage account that contains the files of exports.

use std::{path::Path, sync::Arc};

use azure_core::credentials::TokenCredential;
use reqwest::redirect::Policy;
use tokio::{fs::File, io::AsyncWriteExt};
use url::Url;

use crate::failure::{Failure, Result};

/// The scope of all storage accounts. A token of the FHIR service must never be sent to one.
const SCOPE: &str = "https://storage.azure.com/.default";
/// Tokens need a version of 2017-11-09 or later.
const VERSION: (&str, &str) = ("x-ms-version", "2020-10-02");

#[derive(Clone)]
pub struct Storage {
    http: reqwest::Client,
    credential: Arc<dyn TokenCredential>,
    endpoint: Url,
}

impl Storage {
    /// Creates a client for an account such as `https://hospital.blob.core.windows.net`.
    pub fn new(endpoint: Url, credential: Arc<dyn TokenCredential>) -> reqwest::Result<Self> {
        // A redirect could lead to another host.
        let http = reqwest::Client::builder().redirect(Policy::none()).build()?;
        Ok(Self { http, credential, endpoint })
    }

    /// Downloads a file of this account.
    pub async fn download(&self, url: &str, path: &Path) -> Result<()> {
        let url = Url::parse(url).map_err(|_| Failure::Unexpected("the URL of a file is invalid"))?;
        if url.origin() != self.endpoint.origin() {
            return Err(Failure::Unexpected("a file is not in the storage account of this service"));
        }
        // The error of a credential may contain a part of its configuration.
        let no_token = |_| Failure::Unexpected("the credential returned no token for the storage");
        let token = self.credential.get_token(&[SCOPE], None).await.map_err(no_token)?;
        let request = self.http.get(url).bearer_auth(token.token.secret()).header(VERSION.0, VERSION.1);
        let broken = |_| Failure::Unexpected("a file could not be downloaded");
        let mut response = request.send().await.map_err(broken)?;
        if !response.status().is_success() {
            tracing::warn!(status = response.status().as_u16(), "the storage rejected a download");
            return Err(Failure::Unexpected("the storage rejected a download"));
        }
        let mut file = File::create(path).await?;
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            file.write_all(&chunk).await?;
        }
        Ok(file.sync_all().await?)
    }
}
