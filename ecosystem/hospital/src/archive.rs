//! [`Archive`]: a folder with a copy of all instances, and the cursor up to which it is complete.

use std::{io::ErrorKind, path::PathBuf};

use azure_healthcare_auth::StreamedResponse;
use tokio::{fs, io::AsyncWriteExt};

use crate::{
    change_feed::Cursor,
    failure::{Failure, Result},
    instance::Instance,
    partial_file::PartialFile,
};

pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the stored cursor, or `None` if the archive is new.
    pub async fn cursor(&self) -> Result<Option<Cursor>> {
        match fs::read(self.cursor_path()).await {
            // A damaged file must not start a new copy of everything.
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|_| Failure::Unexpected("the stored cursor is damaged"))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub async fn store_cursor(&self, cursor: &Cursor) -> Result<()> {
        let text = serde_json::to_vec(cursor).map_err(std::io::Error::from)?;
        Ok(PartialFile::write(&self.cursor_path(), &text).await?)
    }

    /// Stores an instance while it is received. Replaces an earlier version.
    pub async fn store(&self, instance: &Instance, mut content: StreamedResponse) -> Result<()> {
        let mut file = PartialFile::create(&self.folder.join(instance.file_path())).await?;
        while let Some(chunk) = content.chunk().await? {
            file.content.write_all(&chunk).await?;
        }
        Ok(file.complete().await?)
    }

    /// Removes an instance. Returns `false` if there is none.
    pub async fn remove(&self, instance: &Instance) -> Result<bool> {
        match fs::remove_file(self.folder.join(instance.file_path())).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn cursor_path(&self) -> PathBuf {
        self.folder.join("cursor.json")
    }
}
