//! `policy` and `openapi`: what the policies say, without a server.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use gatewright_core::document;
use gatewright_core::gate::Coherence;
use gatewright_core::policy::RouteTable;
use gatewright_issuer::SealingKey;
use gatewright_sqlx::SqliteOptions;

use crate::app::App;
use crate::failure::Failure;
use crate::idp_hosts::IdpHosts;
use crate::mail::Mailer;
use crate::start::Foundation;
use crate::{output, routes};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Fail unless every route is as this file says, and list those that are not
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    check: Option<PathBuf>,
    /// Write the routes to this file, for reviews and for --check
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Prints the route table, writes it down, or holds it against what was written down.
pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let (foundation, _, table) = routed(None).await?;
    foundation.close().await;
    if let Some(file) = options.write {
        return replace(&file, &document::snapshot(&table)).map_err(|error| {
            Failure::new(format!("cannot write {}", file.display())).because(error)
        });
    }
    let Some(file) = options.check else {
        output::print(&table.to_string());
        return Ok(());
    };
    let known = std::fs::read_to_string(&file).map_err(|error| {
        let file = file.display();
        Failure::new(format!(
            "cannot read {file}, which `policy --write {file}` makes"
        ))
        .because(error)
    })?;
    let differences = document::drift(&known, &table);
    if differences.is_empty() {
        return Ok(());
    }
    for difference in &differences {
        output::print(&format!("{difference}\n"));
    }
    let (count, file) = (differences.len(), file.display());
    Err(Failure::new(format!(
        "differences from {file}: {count}; if they are meant, run `policy --write {file}`"
    )))
}

/// The file has this text, or stays as it was.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // What a link names is replaced, and not the link.
    let file = match file.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => file.to_owned(),
        named => named?,
    };
    let known = file.metadata().ok();
    // There is nothing to lose: a link to what isn't there yet, a pipe, a terminal.
    if file.is_symlink() || known.as_ref().is_some_and(|known| !known.is_file()) {
        return std::fs::write(file, text);
    }
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // As any new file; less what the umask takes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut new = builder.tempfile_in(directory)?;
    // Before anything is in it that not everybody may read.
    if let Some(known) = known {
        new.as_file().set_permissions(known.permissions())?;
    }
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(&file)?;
    Ok(())
}

/// Prints the OpenAPI document of a server that is reached at `public_url`.
pub(super) async fn openapi(public_url: Option<String>) -> Result<(), Failure> {
    let (foundation, app, table) = routed(public_url).await?;
    foundation.close().await;
    let document = routes::openapi_document(&table, &app)
        .map_err(|mistakes| Failure::new(format!("the document is wrong:\n{mistakes}")))?;
    output::print(&format!("{document:#}\n"));
    Ok(())
}

/// The table of the very router that would serve, made over a database in memory.
async fn routed(public_url: Option<String>) -> Result<(Foundation, App, RouteTable), Failure> {
    let foundation = Foundation::open(
        &SqliteOptions::in_memory(),
        Path::new("in memory"),
        Coherence::SingleProcess,
    )
    .await?;
    // It seals a key that is never used and gone in a moment.
    let sealing = SealingKey::new(&[0; SealingKey::LEN])?;
    let url = public_url.as_deref().unwrap_or("http://127.0.0.1:8080");
    let app = foundation
        .app(
            sealing,
            url,
            true,
            IdpHosts::default(),
            // Nobody is served, so nothing is mailed.
            Arc::new(Mailer::new().0),
        )
        .await?;
    let (_, table) = routes::router(app.clone())?;
    Ok((foundation, app, table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.snapshot");
        replace(&file, "one\n").unwrap();
        // Whoever has it open reads on in what they opened.
        let mut opened = std::fs::File::open(&file).unwrap();
        replace(&file, "two\n").unwrap();
        assert_eq!(io::read_to_string(&mut opened).unwrap(), "one\n");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two\n");
        // Nothing is left beside it.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/policy.snapshot"), "").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        symlink(&file, &link).unwrap();
        replace(&link, "one").unwrap();
        assert!(
            link.is_symlink() && file.is_file(),
            "it led to nothing so far"
        );
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        replace(&link, "two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }

    /// None that anybody else uses: as root, a mistake would leave a file in its place.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_written_to() {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::net::UnixListener;

        let (hears, said) = io::pipe().unwrap();
        let pipe = format!("/dev/fd/{}", said.as_raw_fd());
        replace(Path::new(&pipe), "two").unwrap();
        drop(said);
        assert_eq!(io::read_to_string(hears).unwrap(), "two");

        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _bound = UnixListener::bind(&socket).unwrap();
        assert!(replace(&socket, "two").is_err());
        assert!(!socket.is_file());
    }
}
