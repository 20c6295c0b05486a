//! Files that are whole or not there: write beside, sync, rename, sync the directory.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use bytes::Bytes;

/// Tells one state of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }

    /// Size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that differ where stamps do.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.inode, self.bytes].map(u64::to_le_bytes).concat();
        bytes.extend([self.modified_s, self.modified_ns].map(i64::to_le_bytes).concat());
        bytes
    }
}

/// The stamp of a file; `None` when there is none.
pub(super) fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Regular files of a directory in order of their names, without those that are still being made.
pub(super) fn list(directory: &Path, count_max: usize) -> io::Result<Vec<(OsString, Stamp)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_bytes().starts_with(b".") || name.as_bytes().ends_with(b".tmp") {
            continue;
        }
        // A file may vanish between the listing and the look at it.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            files.push((name, Stamp::of(&metadata)));
        }
        if files.len() == count_max {
            break;
        }
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(files)
}

/// A file's content; `None` when it is larger than `bytes_max`.
pub(super) fn read(file: File, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let mut content = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    Ok((content.len() <= bytes_max).then(|| content.into()))
}

/// Writes a file that is whole or not there, durably.
pub(super) fn write(directory: &Path, name: &OsStr, content: &[u8]) -> io::Result<()> {
    write_without_directory_sync(directory, name, content)?;
    sync_directory(directory)
}

/// As [`write`], but its name is durable only after [`sync_directory`].
pub(super) fn write_without_directory_sync(
    directory: &Path,
    name: &OsStr,
    content: &[u8],
) -> io::Result<()> {
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".tmp");
    let beside = directory.join(beside);
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&beside, directory.join(name))
}

/// Makes names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
