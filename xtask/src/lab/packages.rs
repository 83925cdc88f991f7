//! Asterisk from Debian's packages, unpacked into a folder.
//!
//! Debian 12 and 13 have no Asterisk; the suite after them has Asterisk 22. apt resolves and verifies the packages
//! against an empty system of its own, and `dpkg-deb` unpacks them: no maintainer script runs, the host is untouched,
//! and it takes a quarter of the time of a full debootstrap.

use super::place::Place;
use crate::shell;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SUITE: &str = "forky";
/// Asterisk, and what `docker/asterisk/start` uses.
const PACKAGES: [&str; 5] = ["asterisk", "base-files", "coreutils", "dash", "sed"];
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];
const MIRROR: &str = "OFFHOOK_DEBIAN_MIRROR";

/// Tells whether the chroot lab can be run here.
pub(crate) fn possible(place: &Place) -> bool {
    shell::is_root() && (unpacked(place) || (shell::installed("apt-get") && shell::installed("dpkg-deb")))
}

/// Tells whether the packages are there from an earlier run.
pub(crate) fn unpacked(place: &Place) -> bool {
    place.root().join("usr/sbin/asterisk").is_file()
}

/// Downloads and unpacks Asterisk once; later calls return at once.
///
/// # Errors
/// When apt cannot reach its mirror or a package does not unpack.
pub(crate) fn unpack(place: &Place) -> Result<()> {
    if unpacked(place) {
        return Ok(());
    }
    eprintln!("xtask: unpacking Asterisk from Debian {SUITE} into {}", place.root().display());
    let downloads = place.downloads();
    let partial = place.root().with_extension("partial");
    for folder in [&downloads, &partial] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("could not empty {}", folder.display()))?;
        }
    }
    download(&downloads)?;
    let archives = archives(&downloads)?;
    // The links from /bin to /usr/bin must be there before anything is unpacked through them.
    let (first, rest): (Vec<_>, Vec<_>) = archives.iter().partition(|path| named(path, "base-files_"));
    for archive in first.into_iter().chain(rest) {
        extract(archive, &partial)?;
    }
    furnish(&partial)?;
    if place.root().exists() {
        fs::remove_dir_all(place.root()).context("could not remove an incomplete root folder")?;
    }
    fs::rename(&partial, place.root()).context("could not move the root folder into place")?;
    fs::remove_dir_all(&downloads).context("could not remove the downloads")
}

fn download(folder: &Path) -> Result<()> {
    for below in ["lists/partial", "archives/partial", "etc"] {
        fs::create_dir_all(folder.join(below)).context("could not create the download folders")?;
    }
    let Some(keyring) = KEYRINGS.iter().find(|path| Path::new(path).is_file()) else {
        bail!("Debian's archive keys are missing; as root: apt-get install debian-archive-keyring");
    };
    let sources = folder.join("etc/sources.list");
    fs::write(&sources, format!("deb [signed-by={keyring}] {} {SUITE} main\n", mirror()?))
        .context("could not write the package sources")?;
    fs::write(folder.join("status"), "").context("could not write the package state")?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .arg(format!("-oDir::Etc::sourcelist={}", sources.display()))
            .args([
                "-oDir::Etc::sourceparts=-",
                "-oDir::Etc::preferencesparts=-",
                "-oDir::Etc::preferences=-",
            ])
            .arg(format!("-oDir::State::lists={}", folder.join("lists").display()))
            .arg(format!("-oDir::State::status={}", folder.join("status").display()))
            .arg(format!("-oDir::State::extended_states={}", folder.join("extended").display()))
            .arg(format!("-oDir::Cache::archives={}", folder.join("archives").display()))
            .args(["-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="])
            .args(["-oAcquire::Languages=none", "-oAcquire::Retries=3", "-oAPT::Sandbox::User=root"])
            .args(arguments);
        shell::quietly(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update"]).context("could not read the package lists")?;
    let mut install = vec!["install", "-y", "--no-install-recommends", "--download-only"];
    install.extend(PACKAGES);
    apt(&install).context("could not download Asterisk")?;
    Ok(())
}

/// Returns the mirror that this system itself uses, or the one of the environment.
fn mirror() -> Result<String> {
    if let Ok(mirror) = std::env::var(MIRROR) {
        return Ok(mirror);
    }
    let mut texts = vec![fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let active = |path: &&PathBuf| path.extension().is_some_and(|end| end == "sources" || end == "list");
        texts.extend(paths.iter().filter(active).filter_map(|path| fs::read_to_string(path).ok()));
    }
    debian_mirror(&texts.join("\n")).with_context(|| {
        format!("found no Debian mirror in /etc/apt; set {MIRROR} to one (a URL that ends in /debian)")
    })
}

/// Finds the first Debian archive in the text of apt's source files of either format.
fn debian_mirror(sources: &str) -> Option<String> {
    sources
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"))
        .flat_map(str::split_whitespace)
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

fn archives(downloads: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(downloads.join("archives")).context("could not list the downloads")?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "deb"));
    found.sort();
    Ok(found)
}

fn named(path: &Path, start: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(start))
}

fn extract(archive: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(root).context("could not create the root folder")?;
    // Not `dpkg-deb -x`: it would replace the links of base-files where an old package still ships /lib as a folder.
    let script = "dpkg-deb --fsys-tarfile \"$1\" | tar -x -C \"$2\" --keep-directory-symlink";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(archive).arg(root);
    shell::quietly(&mut command).with_context(|| format!("could not unpack {}", archive.display()))?;
    Ok(())
}

/// Adds what maintainer scripts would have made and Asterisk looks for.
fn furnish(root: &Path) -> Result<()> {
    let write = |name: &str, text: &str| {
        fs::write(root.join(name), text).with_context(|| format!("could not write {name} of the lab"))
    };
    fs::create_dir_all(root.join("etc")).context("could not create etc of the lab")?;
    write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
    write("etc/group", "root:x:0:\n")?;
    // No name server to ask: one that does not answer would block Asterisk.
    write("etc/resolv.conf", "")?;
    write("etc/nsswitch.conf", "hosts: files\n")?;
    for (name, minor) in [("null", "3"), ("zero", "5"), ("random", "8"), ("urandom", "9")] {
        let path = root.join("dev").join(name);
        // Refused in some containers; Asterisk then falls back to its own sources.
        if shell::quietly(Command::new("mknod").args(["-m", "666"]).arg(&path).args(["c", "1", minor]))
            .is_err()
        {
            eprintln!("xtask: the lab has no /dev/{name}");
        }
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))
        .context("could not open tmp of the lab")
}

#[cfg(test)]
mod tests {
    use super::debian_mirror;

    #[test]
    fn the_mirror_is_read_from_both_formats_of_apt() {
        let old = "# deb http://old.example/debian bookworm main\ndeb [arch=amd64] http://a.example/debian bookworm main\n";
        assert_eq!(debian_mirror(old).as_deref(), Some("http://a.example/debian"));
        let deb822 = "Types: deb\nURIs: http://b.example/debian/\nSuites: trixie\n";
        assert_eq!(debian_mirror(deb822).as_deref(), Some("http://b.example/debian/"));
    }

    #[test]
    fn a_system_without_a_debian_archive_has_no_mirror() {
        assert_eq!(debian_mirror("deb http://a.example/ubuntu noble main\n"), None);
        assert_eq!(debian_mirror("URIs: http://a.example/debian-security\n"), None);
    }
}
