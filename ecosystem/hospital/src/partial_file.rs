//! [`PartialFile`]: a file that other tasks and later processes see only once it is complete.

use std::{
    io::Result,
    path::{Path, PathBuf},
};

use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};

/// A file that gets its name once it is complete.
pub struct PartialFile {
    pub content: File,
    path: PathBuf,
}

impl PartialFile {
    /// Creates the file and its folder.
    pub async fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        let content = File::create(path.with_extension("part")).await?;
        Ok(Self { content, path: path.to_owned() })
    }

    /// Replaces an earlier file with the same name.
    pub async fn complete(self) -> Result<()> {
        self.content.sync_all().await?;
        fs::rename(self.path.with_extension("part"), &self.path).await
    }

    /// Writes a complete file.
    pub async fn write(path: &Path, content: &[u8]) -> Result<()> {
        let mut file = Self::create(path).await?;
        file.content.write_all(content).await?;
        file.complete().await
    }
}
