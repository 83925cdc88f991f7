//! Arguments of every verb whose phones can be captured.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use crate::{
    artifact::{ArtifactFolder, ArtifactKind},
    capture::{CaptureForm, CaptureFormat},
};

/// Environment variable for the captures folder as a container's host sees it; the name is the one
/// that users of per-phone tools already set.
const HOST_CAPTURES: &str = "PJSUA_MCP_HOST_CAPTURES_DIR";
/// Environment variable for the captures folder.
const CAPTURES: &str = "OFFHOOK_CAPTURES";

/// How phones are captured.
#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// Format of captures: pcap, or pcapng with the phone as interface and the call of each packet as its comment.
    #[arg(long = "capture-format", value_enum, value_name = "pcap|pcapng", default_value = "pcap")]
    format: Format,
    /// Size at which a capture goes on in another file, of at least 64KB.
    #[arg(long = "capture-size", value_name = "SIZE", default_value = "100MB", value_parser = size)]
    most_bytes: u64,
    /// How many files of that size the captures of a phone may take, at least 2; the oldest are removed.
    #[arg(long = "capture-files", value_name = "N", default_value = "10", value_parser = files)]
    most_files: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Pcap,
    Pcapng,
}

impl CaptureArgs {
    /// Returns format and size of captures.
    pub(super) const fn form(&self) -> CaptureForm {
        CaptureForm {
            format: match self.format {
                Format::Pcap => CaptureFormat::Pcap,
                Format::Pcapng => CaptureFormat::Pcapng,
            },
            most_bytes: self.most_bytes,
            most_files: self.most_files,
        }
    }
}

/// Returns the folder that was asked for, or that the environment names, if any was.
pub(super) fn captures_folder(asked: Option<&Path>) -> Option<PathBuf> {
    asked.map(Path::to_owned).or_else(|| folder_from(CAPTURES))
}

/// Returns the captures folder of this process.
pub(super) fn captures(asked: Option<&Path>, data: Option<&Path>) -> ArtifactFolder {
    let folder = ArtifactFolder::of_process(ArtifactKind::Captures, captures_folder(asked).as_deref(), data);
    folder.shown_under(folder_from(HOST_CAPTURES))
}

/// Returns the folder that an environment variable names, if it does.
pub(super) fn folder_from(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

fn size(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 64_000;
    let wrong = || format!("'{text}' is not a size of at least 64KB, such as 500KB, 100MB or 2GB");
    let units = [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];
    let read = units.iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*bytes)
    });
    read.filter(|bytes| *bytes >= LEAST).ok_or_else(wrong)
}

fn files(text: &str) -> Result<usize, String> {
    let wrong = || format!("'{text}' is not a number of at least 2");
    text.parse().ok().filter(|number| *number >= 2).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_and_room_for_packets() {
        for (text, bytes) in [("64KB", 64_000), ("100MB", 100_000_000), ("2 GB", 2_000_000_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "100", "1KB", "-1MB", "99999999999GB", "1.5MB", "MB"] {
            assert!(size(text).unwrap_err().contains("is not a size of at least 64KB"), "{text}");
        }
        assert_eq!((files("2"), files("1").is_err(), files("many").is_err()), (Ok(2), true, true));
    }
}
