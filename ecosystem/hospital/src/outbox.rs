//! [`Outbox`]: images on their way to the DICOM service, on disk, so that none is lost in a restart.

use std::path::{Path, PathBuf};

use azure_healthcare_auth::{DicomAudience, HealthcareClient};
use bytes::Bytes;
use tokio::fs;
use uuid::Uuid;

use crate::{failure::Result, partial_file::PartialFile, stow};

/// No image is added to a request that has this number of images or bytes.
const MAX_IMAGES: usize = 20;
const MAX_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone)]
pub struct Outbox {
    waiting: PathBuf,
    rejected: PathBuf,
}

/// The numbers of images that have left the outbox.
#[derive(Default)]
pub struct Uploaded {
    pub stored: usize,
    pub rejected: usize,
}

impl Outbox {
    pub fn new(folder: &Path) -> Self {
        Self { waiting: folder.join("outbox"), rejected: folder.join("rejected") }
    }

    pub async fn add(&self, image: &[u8]) -> Result<()> {
        let name = format!("{}.dcm", Uuid::new_v4());
        Ok(PartialFile::write(&self.waiting.join(name), image).await?)
    }

    /// Uploads some images, or returns `None` if there are none.
    pub async fn upload_batch(&self, dicom: &HealthcareClient<DicomAudience>) -> Result<Option<Uploaded>> {
        let paths = self.next_batch().await?;
        if paths.is_empty() {
            return Ok(None);
        }
        let mut images = Vec::new();
        for path in &paths {
            images.push(Bytes::from(fs::read(path).await?));
        }
        let mut uploaded = Uploaded::default();
        let all_stored = stow::store(dicom, &images).await? == 0;
        for (path, image) in paths.iter().zip(images) {
            // The response does not assign its failures to files, but storing a file twice does no harm.
            if all_stored || stow::store(dicom, &[image]).await? == 0 {
                fs::remove_file(path).await?;
                uploaded.stored += 1;
            } else {
                fs::create_dir_all(&self.rejected).await?;
                fs::rename(path, self.rejected.join(path.file_name().unwrap_or_default())).await?;
                uploaded.rejected += 1;
            }
        }
        Ok(Some(uploaded))
    }

    /// Returns the paths of the images in the next batch.
    async fn next_batch(&self) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(&self.waiting).await?;
        let mut entries = fs::read_dir(&self.waiting).await?;
        let (mut paths, mut bytes) = (Vec::new(), 0);
        while paths.len() < MAX_IMAGES && bytes < MAX_BYTES {
            let Some(entry) = entries.next_entry().await? else { break };
            if entry.path().extension().is_some_and(|extension| extension == "dcm") {
                bytes += entry.metadata().await?.len();
                paths.push(entry.path());
            }
        }
        Ok(paths)
    }
}
