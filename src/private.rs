//! Files and folders for their owner alone: a journal holds what people said and wrote, a recording their voices.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a folder and those above it that are missing; one that is there stays as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Refuses what is there and is no file: a pipe would be waited for without end, also by who wants to end the program.
fn is_file_or_absent(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(known) if known.is_file() => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads a file that was made here.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    is_file_or_absent(path)?;
    fs::read(path)
}

/// Makes a file, or empties the one that is there.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    is_file_or_absent(path)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(file)
}

/// Opens a file to append, and makes it if there is none.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    is_file_or_absent(path)?;
    OpenOptions::new().create(true).append(true).mode(FILE).open(path)
}

/// Takes a file from all but its owner, if it is there.
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
        let (inner, file, log) =
            (folder.path().join("a/b"), folder.path().join("a/b/x"), folder.path().join("a/b/y"));
        create_folder(&inner).unwrap();
        drop((create_file(&file).unwrap(), open_to_append(&log).unwrap()));
        assert_eq!([&inner, &file, &log].map(|path| mode(path)), [0o700, 0o600, 0o600]);
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
