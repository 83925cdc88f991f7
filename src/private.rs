//! Files and folders that only their owner can read: a journal holds what people said and wrote, a
//! recording their voices.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Creates a folder and any missing ones above it; an existing one stays as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Refuses anything but a regular file: opening a pipe could block for good, even while the program
/// ends.
fn is_file_or_absent(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(known) if known.is_file() => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads a file of ours.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    is_file_or_absent(path)?;
    fs::read(path)
}

/// Creates a file, or empties an existing one.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    is_file_or_absent(path)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(file)
}

/// Opens a file to append, creating it if necessary.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    is_file_or_absent(path)?;
    OpenOptions::new().create(true).append(true).mode(FILE).open(path)
}

/// Opens a file for reading and writing, creating it if needed; its content stays.
pub(crate) fn open_to_change(path: &Path) -> io::Result<File> {
    is_file_or_absent(path)?;
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(FILE).open(path)
}

/// Restricts a file, if it exists, to its owner.
pub(crate) fn close_to_others(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(known) if known.permissions().mode() & 0o077 != 0 => {
            fs::set_permissions(path, Permissions::from_mode(FILE))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_reads_what_is_made_here() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let [file, log, lock] = ["x", "y", "z"].map(|name| inner.join(name));
        create_folder(&inner).unwrap();
        drop((create_file(&file).unwrap(), open_to_append(&log).unwrap(), open_to_change(&lock).unwrap()));
        assert_eq!([&inner, &file, &log, &lock].map(|path| mode(path)), [0o700, 0o600, 0o600, 0o600]);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        close_to_others(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        close_to_others(&folder.path().join("absent")).unwrap();
    }

    #[test]
    fn what_is_there_and_no_file_is_neither_read_nor_written() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, folder.path(), Path::new("/dev/full")] {
            let refused = [read(path).err(), create_file(path).err(), open_to_append(path).err()];
            let kinds = refused.map(|error| error.map(|error| error.kind()));
            assert_eq!(kinds, [Some(io::ErrorKind::InvalidInput); 3], "{}", path.display());
        }
    }
}
