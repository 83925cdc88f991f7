//! Child processes: one way to run, to ask and to say what was run.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Returns the root of the repository.
///
/// # Errors
/// When the manifest of this task runner has no parent folder.
pub(crate) fn repository() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask has no parent folder")?.to_owned())
}

/// Returns a cargo command at the repository's root.
///
/// # Errors
/// As [`repository`].
pub(crate) fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(repository()?);
    Ok(command)
}

/// Runs a command with its output on the terminal, and says first what it runs.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a command as [`run`] does, and leaves the judgement of how it ended to the caller.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    eprintln!("+ {}", line(command));
    command.status().with_context(|| format!("could not start `{}`", line(command)))
}

/// Runs a command without showing its output unless it goes wrong.
///
/// # Errors
/// When it cannot be started or does not succeed; the error carries the end of what it printed.
pub(crate) fn quietly(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let printed = format!("{stdout}{stderr}");
        let lines: Vec<&str> = printed.lines().collect();
        let tail = lines.iter().rev().take(12).rev().copied().collect::<Vec<_>>().join("\n  ");
        bail!("`{}` ended with {}:\n  {tail}", line(command), output.status);
    }
    Ok(stdout)
}

/// Tells whether a command can be started and succeeds; shows nothing.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Tells whether a program is on the search path.
pub(crate) fn installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Tells whether this process runs as root.
pub(crate) fn is_root() -> bool {
    quietly(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// Installs the Debian packages whose program is missing; `wanted` pairs program and package.
///
/// # Errors
/// When one is missing and this is not a Debian with root, or when apt fails.
pub(crate) fn install_packages(wanted: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(program, _)| !installed(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install {}", missing.join(" "));
    if !is_root() || !installed("apt-get") {
        bail!("missing: {}; as root on Debian: {by_hand}", missing.join(" "));
    }
    eprintln!("xtask: installing {}", missing.join(" "));
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "-y", "--no-install-recommends"]).args(&missing);
        quietly(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    if install().is_ok() {
        return Ok(());
    }
    // Fresh images come without package lists, and old lists name files that are gone.
    quietly(Command::new("apt-get").arg("update"))?;
    install().with_context(|| format!("`{by_hand}` failed"))?;
    Ok(())
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    std::iter::once(program.to_string_lossy().into_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
