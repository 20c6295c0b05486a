//! Files and folders that the subcommands read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use iso20022::limits::BATCH_BYTES_MAX;
use iso20022::table::Tables;
use iso20022::xsd::{SHARED, Schema, table_files};

/// The files of a folder with this ending, sorted; with `deep`, also those of the folders below it.
pub(crate) fn files(folder: &Path, ending: &str, deep: bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let context = || format!("read the folder {}", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let path = entry.path();
            // The kind of the entry itself: a link to a folder is not followed, so there is an end.
            if entry.file_type().with_context(context)?.is_dir() {
                folders.extend(deep.then_some(path));
            } else if path.extension().is_some_and(|known| known.eq_ignore_ascii_case(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file, or standard input for `-`.
pub(crate) fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    match path.as_os_str() == "-" {
        true => Ok(Box::new(std::io::stdin().lock())),
        false => Ok(Box::new(File::open(path)?)),
    }
}

/// The bytes of a message, no more of them than a reader would take.
pub(crate) fn message(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("read {}", path.display());
    let mut bytes = Vec::new();
    let most = BATCH_BYTES_MAX as u64 + 1;
    open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).with_context(context)?;
    Ok(bytes)
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// All schemas of a folder.
pub(crate) fn schemas(folder: &Path) -> Result<Vec<Schema>> {
    let mut read = Vec::new();
    for path in files(folder, "xsd", false)? {
        let schema = Schema::parse(&text(&path)?);
        read.push(schema.with_context(|| format!("read the schema {}", path.display()))?);
    }
    // Equal messages stay in the order of their files.
    read.sort_by_key(|schema| schema.message);
    Ok(read)
}

/// The tables of a folder: `*.tbl`, and `*.xsd` which are turned into tables first.
pub(crate) fn tables(folder: &Path) -> Result<Tables> {
    let mut tables = Tables::built_in();
    let files = files(folder, "tbl", false)?;
    let is_shared = |path: &&PathBuf| path.file_stem().is_some_and(|stem| stem == SHARED);
    let shared = files.iter().find(is_shared).map(|path| text(path)).transpose()?;
    for path in files.iter().filter(|path| !is_shared(path)) {
        let own = text(path)?;
        let added = match &shared {
            Some(shared) => tables.add_with(&own, shared),
            None => tables.add(&own),
        };
        added.with_context(|| format!("read the table {}", path.display()))?;
    }
    let schemas = schemas(folder)?;
    if schemas.is_empty() && files.is_empty() {
        bail!("{} holds neither tables (*.tbl) nor schemas (*.xsd)", folder.display());
    }
    let mut made = table_files(&schemas)?;
    if let Some(at) = made.iter().position(|file| file.name == SHARED) {
        let shared = made.remove(at).text;
        for file in &made {
            tables.add_with(&file.text, &shared)?;
        }
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SCHEMA: &str = "<xs:schema xmlns=\"urn:iso:std:iso:20022:tech:xsd:test.001.001.01\"
        xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"
        targetNamespace=\"urn:iso:std:iso:20022:tech:xsd:test.001.001.01\">
        <xs:element name=\"Document\" type=\"Document\"/>
        <xs:complexType name=\"Document\"><xs:sequence><xs:element name=\"A\" type=\"T\"/>
        </xs:sequence></xs:complexType>
        <xs:simpleType name=\"T\"><xs:restriction base=\"xs:string\"/></xs:simpleType></xs:schema>";

    #[test]
    fn tables_and_schemas_of_a_folder_are_loaded() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tables(folder.path()).is_err(), "there is nothing in it");
        std::fs::write(folder.path().join("one.xsd"), SCHEMA).unwrap();
        let other = "M Document B:Max35Text\nR test.002.001.01 Document:Document\n";
        std::fs::write(folder.path().join("test.002.tbl"), other).unwrap();
        let found = tables(folder.path()).unwrap();
        assert_eq!(found.choices("test.001.001.01".parse().unwrap()), 1);
        assert_eq!(found.choices("test.002.001.01".parse().unwrap()), 1);
        std::fs::write(folder.path().join("shared.tbl"), "S Other string\n").unwrap();
        assert!(tables(folder.path()).is_err(), "the shared table of the folder counts");
        std::fs::write(folder.path().join("shared.tbl"), "S Max35Text string\n").unwrap();
        assert!(tables(folder.path()).is_ok());
        std::fs::write(folder.path().join("bad.xsd"), "<a/>").unwrap();
        assert!(format!("{:#}", tables(folder.path()).unwrap_err()).contains("bad.xsd"));
    }

    #[test]
    fn files_are_found_in_order_and_in_depth() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["c.xml", "a.XML", "b/d.xml", "e.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |deep| {
            let found = files(folder.path(), "xml", deep).unwrap();
            found
                .iter()
                .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["a.XML", "c.xml"]);
        assert_eq!(names(true), ["a.XML", "b/d.xml", "c.xml"]);
    }
}
