//! The real disk for looking only: what a tool uses on the files of a node that may be running.
//!
//! Files are opened for reading; every call that would change something is refused with
//! `PermissionDenied` and changes nothing.

use super::{DiskFile, DiskVfs, Vfs, VfsFile};
use std::fs::File;
use std::io;
use std::path::Path;

/// The real disk, without writing.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOnlyVfs;

struct ReadFile(DiskFile);

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::PermissionDenied.into())
}

impl Vfs for ReadOnlyVfs {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn VfsFile>> {
        if create { refused() } else { Ok(Box::new(ReadFile(DiskFile(File::open(path)?)))) }
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        DiskVfs.list(dir)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        refused()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        DiskVfs.exists(path)
    }
}

impl VfsFile for ReadFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, _buf: &[u8], _offset: u64) -> io::Result<()> {
        refused()
    }

    fn sync_data(&self) -> io::Result<()> {
        refused()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        refused()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn files_are_read_and_nothing_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        let file = ReadOnlyVfs.open(&path, false).unwrap();
        let mut bytes = [0; 20];
        assert_eq!((file.read_at(&mut bytes, 3).unwrap(), file.len().unwrap()), (4, 7));
        assert_eq!(&bytes[..4], b"tent");
        assert!(file.write_at(b"x", 0).is_err() && file.set_len(0).is_err());
        assert!(ReadOnlyVfs.open(&dir.path().join("other"), true).is_err());
        assert!(ReadOnlyVfs.remove(&path).is_err());
        assert_eq!(ReadOnlyVfs.list(dir.path()).unwrap(), ["file"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
    }
}
