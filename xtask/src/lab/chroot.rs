//! The lab as a process of its own in a chroot; it needs no mounts, so that stopping it leaves nothing behind.

use super::packages;
use super::place::{Place, files_below};
use super::ready::{self, POLL};
use crate::shell;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starts Asterisk in the background and records its process.
///
/// # Errors
/// When the packages cannot be had or the process cannot be started.
pub(crate) fn start(place: &Place) -> Result<()> {
    packages::unpack(place)?;
    let inside = format!("lab/configuration-{}", place.ports.sip);
    copy_configuration(place, &place.root().join(&inside))?;
    // The machine's own name must be known inside too, and may have changed since the last start.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    fs::write(place.root().join("etc/hosts"), format!("127.0.0.1 localhost {}\n", host.trim()))
        .context("could not write the lab's hosts file")?;
    let log = File::create(place.file("log")).context("could not create the lab's log")?;
    let errors = log.try_clone().context("could not share the lab's log")?;
    // `setsid` takes this child out of our terminal's reach and becomes, by way of chroot and start, Asterisk itself:
    // the number we record is Asterisk's own.
    let child = Command::new("setsid")
        .arg("chroot")
        .arg(place.root())
        .arg(format!("/{inside}/start"))
        .envs(place.ports.variables())
        .env("PATH", "/usr/sbin:/usr/bin")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .context("could not start the lab Asterisk")?;
    fs::write(place.file("pid"), child.id().to_string()).context("could not record the lab's process")
}

/// Returns the process of the lab, if it runs.
///
/// # Errors
/// When the record is not a number.
pub(crate) fn running(place: &Place) -> Result<Option<u32>> {
    let Ok(text) = fs::read_to_string(place.file("pid")) else { return Ok(None) };
    let pid: u32 = text.trim().parse().context("the record of the lab's process is not a number")?;
    Ok(is_ours(place, pid).then_some(pid))
}

/// Ends the lab's process, exactly that one; true when there was one.
///
/// # Errors
/// When it does not end.
pub(crate) fn stop(place: &Place) -> Result<bool> {
    let Some(pid) = running(place)? else { return Ok(false) };
    for (signal, patience) in [("-TERM", Duration::from_secs(5)), ("-KILL", Duration::from_secs(5))] {
        shell::quietly(Command::new("kill").args([signal, &pid.to_string()]))?;
        for _ in 0..patience.as_millis() / POLL.as_millis() {
            if !is_ours(place, pid) {
                fs::remove_file(place.file("pid"))
                    .context("could not remove the record of the lab's process")?;
                return Ok(true);
            }
            ready::pause();
        }
    }
    bail!("process {pid} does not end")
}

/// Returns the last lines of the lab's log.
pub(crate) fn log_tail(place: &Place) -> String {
    let text = fs::read_to_string(place.file("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().rev().take(15).rev().copied().collect::<Vec<_>>().join("\n  ")
}

/// Process numbers are reused, so the command line must be that of our instance too.
fn is_ours(place: &Place, pid: u32) -> bool {
    let ours = format!("/lab/{}/etc/asterisk.conf", place.ports.sip);
    let starting = format!("/lab/configuration-{}/start", place.ports.sip);
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|bytes| {
        let line = String::from_utf8_lossy(&bytes);
        line.contains(&ours) || line.contains(&starting)
    })
}

fn copy_configuration(place: &Place, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).context("could not remove the lab's earlier configuration")?;
    }
    for file in files_below(&place.configuration)? {
        let below = file.strip_prefix(&place.configuration).context("a file outside its own folder")?;
        let target = to.join(below);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
        }
        fs::copy(&file, &target).with_context(|| format!("could not copy {}", file.display()))?;
    }
    Ok(())
}
