//! Files named by users or clients: read as a whole, up to a size limit, and only if they are
//! regular files.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Most bytes of a settings file or scenario.
pub(crate) const LARGEST_TEXT: u64 = 8 << 20;

/// Reads a file; blocks while it does.
///
/// Reading a pipe could block forever, even a process that is to end, and a device has no end.
///
/// # Errors
/// It is not a regular file ([`io::ErrorKind::InvalidInput`]), is too large
/// ([`io::ErrorKind::FileTooLarge`]), or cannot be read.
pub(crate) fn read_given(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let known = std::fs::metadata(path)?;
    if !known.is_file() {
        let what = if known.is_dir() { "it is a folder" } else { "it is no regular file" };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let too_large = || {
        let sentence = format!("it has more than {} MiB", most >> 20);
        io::Error::new(io::ErrorKind::FileTooLarge, sentence)
    };
    if known.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed: the file may grow while it is read.
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// Reads a text file like [`read_given`].
///
/// # Errors
/// As there, or it is not UTF-8.
pub(crate) fn read_given_text(path: &Path) -> io::Result<String> {
    let bytes = read_given(path, LARGEST_TEXT)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let huge = folder.path().join("huge");
        // A sparse file, which takes no space on disk.
        File::create(&huge).unwrap().set_len(1 << 40).unwrap();
        let why = |path: &Path| read_given(path, 16).unwrap_err().kind();
        assert_eq!(why(&pipe), io::ErrorKind::InvalidInput);
        assert_eq!(why(Path::new("/dev/zero")), io::ErrorKind::InvalidInput);
        assert_eq!(why(folder.path()), io::ErrorKind::InvalidInput);
        assert_eq!(why(&huge), io::ErrorKind::FileTooLarge);
        assert_eq!(why(&folder.path().join("absent")), io::ErrorKind::NotFound);
        let fine = folder.path().join("fine");
        std::fs::write(&fine, [b'x'; 16]).unwrap();
        assert_eq!(read_given(&fine, 16).unwrap(), [b'x'; 16]);
    }
}
