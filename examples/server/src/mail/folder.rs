//! Letters written into a folder, for development: whoever opens one finds the link in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_core::credential::{IdAlphabet, random_id};

use super::carrier::{Carrier, Undelivered};
use super::letter::{Coding, Letter};

/// Of the part of a file's name that keeps two of one moment apart.
const ID_LENGTH: usize = 12;

/// A folder of `.eml` files, each its owner's alone.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder, made if it is missing.
    ///
    /// # Errors
    /// The system's, where it cannot be made.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Carrier for Folder {
    const CODING: Coding = Coding::Plain;

    async fn carry(&self, letter: &Arc<Letter>) -> Result<(), Undelivered> {
        let (folder, letter) = (self.0.clone(), Arc::clone(letter));
        let written = tokio::task::spawn_blocking(move || write(&folder, &letter)).await;
        written
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| Undelivered::NotNow(format!("no file can be written: {error}")))
    }
}

/// The file appears whole or not at all. Names sort by time.
fn write(folder: &Path, letter: &Letter) -> io::Result<()> {
    use std::io::Write as _;

    let id = random_id(IdAlphabet::Alphanumeric, ID_LENGTH).map_err(io::Error::other)?;
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
    // Its mode is 0600 from the start.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&letter.bytes)?;
    file.persist_noclobber(folder.join(format!("{now}-{id}.eml")))
        .map(drop)
        .map_err(|failed| failed.error)
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::{composer, verify};
    use super::*;

    #[tokio::test]
    async fn every_letter_is_a_file_that_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db.mail");
        let folder = Folder::open(&path).unwrap();
        let mail = verify("you@example.org");
        let letter = Arc::new(composer().compose(&mail, Folder::CODING).unwrap());
        for _ in 0..3 {
            folder.carry(&letter).await.unwrap();
        }
        // What was there before stays there.
        Folder::open(&path).unwrap();
        let mut files = 0;
        for file in std::fs::read_dir(&path).unwrap() {
            let file = file.unwrap();
            assert!(file.file_name().to_str().unwrap().ends_with(".eml"));
            assert_eq!(std::fs::read(file.path()).unwrap(), *letter.bytes);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                let folder = std::fs::metadata(&path).unwrap();
                assert_eq!(folder.permissions().mode() & 0o777, 0o700);
            }
            files += 1;
        }
        assert_eq!(files, 3);
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_told_of_and_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail");
        let folder = Folder::open(&path).unwrap();
        let mail = verify("you@example.org");
        let letter = Arc::new(composer().compose(&mail, Folder::CODING).unwrap());
        std::fs::remove_dir(&path).unwrap();
        let told = folder.carry(&letter).await.unwrap_err();
        assert!(matches!(&told, Undelivered::NotNow(_)), "{told}");
        std::fs::create_dir(&path).unwrap();
        folder.carry(&letter).await.unwrap();
    }
}
