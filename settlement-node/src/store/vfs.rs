//! The narrow file interface below all storage, and its implementation on a real disk.
//!
//! Reads and writes name their offset, so one open file can be shared by a writer and many readers.
//! What `sync_data` and `sync_dir` promise is exactly what POSIX promises: data of a file survives
//! a power loss after `sync_data`, names (create, rename, remove) after `sync_dir` of the folder.

pub mod mem;
mod read_only;

pub use mem::{Fault, MemVfs};
pub use read_only::ReadOnlyVfs;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A folder tree of files.
pub trait Vfs: Send + Sync {
    /// Opens a file for reading and writing; creates it (empty) if `create` is set and it is
    /// missing. Without `create` a missing file is `NotFound`.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn VfsFile>>;
    /// Creates a folder and those of its parents that are missing, and makes their names durable: what is
    /// synced in a folder would be lost with it. An existing folder is fine.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Renames a file, replacing an existing target. Durable only after [`Vfs::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable only after [`Vfs::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the files directly in `dir`, sorted; a missing folder is an empty list.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes creates, renames and removes in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Whether a file of this name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
}

/// An open file.
pub trait VfsFile: Send + Sync {
    /// Reads into `buf` from `offset`; returns the count, short only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `buf` at `offset`, growing the file if needed. Durable only after
    /// [`VfsFile::sync_data`].
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the data written so far, and the size, durable (`fdatasync`). After an error the
    /// caller must assume that unsynced data is lost, and must not call it again.
    fn sync_data(&self) -> io::Result<()>;
    /// Size in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts the file or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Hint that this durable range will not be read soon, so the page cache may drop it. A length of
    /// 0 reaches to the end of the file.
    fn drop_cache(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }
    /// Hint that the file is read here and there, so that nothing is read ahead.
    fn expect_random_reads(&self) {}
}

/// Reads exactly `buf.len()` bytes, or `UnexpectedEof`.
///
/// # Errors
/// Those of [`VfsFile::read_at`], and `UnexpectedEof` if the file ends before.
pub fn read_exact_at(file: &dyn VfsFile, buf: &mut [u8], offset: u64) -> io::Result<()> {
    if file.read_at(buf, offset)? == buf.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Creates what is missing of a path from the top down, and syncs each folder that got a new name in it.
fn create_dirs(
    dir: &Path,
    exists: &dyn Fn(&Path) -> bool,
    create: &mut dyn FnMut(&Path) -> io::Result<()>,
    sync: &mut dyn FnMut(&Path) -> io::Result<()>,
) -> io::Result<()> {
    // The empty path is the folder that the process is in.
    if dir.as_os_str().is_empty() || exists(dir) {
        return Ok(());
    }
    let parent = parent_of(dir);
    create_dirs(&parent, exists, create, sync)?;
    match create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && exists(dir) => {}
        created => created?,
    }
    sync(if parent.as_os_str().is_empty() { Path::new(".") } else { &parent })
}

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskVfs;

struct DiskFile(File);

impl Vfs for DiskVfs {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn VfsFile>> {
        let file =
            OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        Ok(Box::new(DiskFile(file)))
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        create_dirs(dir, &|dir| dir.is_dir(), &mut |dir| std::fs::create_dir(dir), &mut |dir| {
            self.sync_dir(dir)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }
}

impl VfsFile for DiskFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn drop_cache(&self, offset: u64, len: u64) {
        // A hint only: a file system that refuses it loses nothing but memory.
        let _ = rustix::fs::fadvise(
            &self.0,
            offset,
            std::num::NonZeroU64::new(len),
            rustix::fs::Advice::DontNeed,
        );
    }

    fn expect_random_reads(&self) {
        // A hint as well.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::Random);
    }
}

/// Makes what is read from a file from now on what is on the disk: what a killed process has written
/// is synced, and what is in memory only, because its sync failed, is dropped from there.
///
/// # Errors
/// Those of [`VfsFile::sync_data`].
pub fn settle(file: &dyn VfsFile) -> io::Result<()> {
    file.sync_data()?;
    file.drop_cache(0, 0);
    Ok(())
}

/// Whether an operation failed because the disk has no room: it can be done again when there is some.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The folder of a file path; `.` if it names none.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_new_folder_is_synced_into_its_parent_before_the_next_one() {
        let (mut steps, made) = (Vec::new(), std::cell::RefCell::new(vec![PathBuf::from("/a")]));
        let steps_of = std::cell::RefCell::new(&mut steps);
        let exists = |dir: &Path| made.borrow().iter().any(|known| known == dir);
        let mut create = |dir: &Path| {
            made.borrow_mut().push(dir.to_owned());
            steps_of.borrow_mut().push(format!("create {}", dir.display()));
            Ok(())
        };
        let mut sync = |dir: &Path| {
            steps_of.borrow_mut().push(format!("sync {}", dir.display()));
            Ok(())
        };
        for dir in ["/a/b/c", "/a/b/c", "x/y"] {
            create_dirs(Path::new(dir), &exists, &mut create, &mut sync).unwrap();
        }
        let expected = ["create /a/b", "sync /a", "create /a/b/c", "sync /a/b"];
        assert_eq!(steps[..4], expected);
        assert_eq!(steps[4..], ["create x", "sync .", "create x/y", "sync x"]);
    }

    #[test]
    fn folders_are_made_on_a_real_disk_and_a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("one/two/three");
        DiskVfs.create_dir_all(&deep).unwrap();
        DiskVfs.create_dir_all(&deep).unwrap();
        assert!(deep.is_dir());
        std::fs::write(root.path().join("file"), b"x").unwrap();
        assert!(DiskVfs.create_dir_all(&root.path().join("file")).is_err());
        assert!(DiskVfs.create_dir_all(&root.path().join("file/under")).is_err());
    }
}
