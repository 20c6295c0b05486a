//! Secret keys at rest in development and on small installations: one file a key, 64 hexadecimal
//! digits, readable by its owner only. A key file that others may read is refused, not warned about.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("key file {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read or write it.
    #[error(
        "key file {path} has mode {mode:04o}; it must not be accessible to group or others (chmod 600)"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold 64 hexadecimal digits.
    #[error("key file {0} does not hold 64 hexadecimal digits")]
    Malformed(PathBuf),
}

/// Reads a 32-byte secret.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(io)?);
    wire::genesis::key_from_hex(text.trim())
        .map(Zeroizing::new)
        .ok_or_else(|| KeyFileError::Malformed(path.to_owned()))
}

/// Writes a 32-byte secret to a file that must not exist yet, with mode 0600, and syncs it.
pub fn write_new(path: &Path, secret: &[u8; 32]) -> Result<(), KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    let text = Zeroizing::new(format!("{}\n", wire::genesis::hex(secret)));
    file.write_all(text.as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_and_an_exposed_file_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("link.key");
        write_new(&path, &[7; 32]).expect("write a new key");
        assert_eq!(*read(&path).expect("read it back"), [7; 32]);
        assert!(
            matches!(write_new(&path, &[8; 32]), Err(KeyFileError::Io { .. })),
            "never overwritten"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(read(&path), Err(KeyFileError::Exposed { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        fs::write(&path, "not a key").expect("overwrite");
        assert!(matches!(read(&path), Err(KeyFileError::Malformed(_))));
    }
}
