//! The generator digests every published schema, and a market's restricted ones as overlays.
//!
//! The schemas are not part of the repository: the tests read them from the folder named by the
//! environment variable `CORRIDOR_ISO_DIR` and say that they are skipped when it is not set.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::message::read_with;
use iso20022::table::{Tables, names};
use iso20022::xsd::{SHARED, Schema, table_files, table_text};
use iso20022::{Limits, read};
use std::path::{Path, PathBuf};

fn schemas(folder: &str) -> Option<Vec<(PathBuf, Schema)>> {
    let Ok(root) = std::env::var("CORRIDOR_ISO_DIR") else {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
        return None;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(Path::new(&root).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "xsd"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let schema = Schema::parse(&std::fs::read_to_string(&path).unwrap());
        (path.clone(), schema.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    Some(files.into_iter().map(read).collect())
}

#[test]
fn the_committed_tables_are_those_of_the_schemas() {
    let Some(schemas) = schemas("xsd") else { return };
    let schemas: Vec<Schema> = schemas.into_iter().map(|(_, schema)| schema).collect();
    assert_eq!(schemas.len(), 583);
    let messages: Vec<_> = schemas.iter().map(|schema| schema.message).collect();
    assert_eq!(messages, names());
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables");
    for file in table_files(&schemas).unwrap() {
        let path = committed.join(format!("{}.tbl", file.name));
        let known = std::fs::read_to_string(&path).unwrap();
        assert!(known == file.text, "{} differs: generate the tables again", path.display());
    }
}

/// Each table must say the same whether its types are shared or stand in its own file.
#[test]
fn every_schema_makes_a_table_of_its_own() {
    let Some(schemas) = schemas("xsd") else { return };
    for (path, schema) in schemas {
        let text = table_text(std::slice::from_ref(&schema)).unwrap();
        let mut tables = Tables::built_in();
        let added = tables.add(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(added, [schema.message]);
    }
}

#[test]
fn restricted_schemas_are_overlays() {
    let Some(schemas) = schemas("xsd/fedwire") else { return };
    assert_eq!(schemas.len(), 25);
    let schemas: Vec<Schema> = schemas.into_iter().map(|(_, schema)| schema).collect();
    let files = table_files(&schemas).unwrap();
    let shared = files.iter().find(|file| file.name == SHARED).unwrap();
    let mut tables = Tables::built_in();
    for file in files.iter().filter(|file| file.name != SHARED) {
        tables.add_with(&file.text, &shared.text).unwrap();
    }
    assert_eq!(tables.choices("camt.052.001.08".parse().unwrap()), 6);

    // A market's own samples follow its schemas; others follow the standard only.
    let samples = Path::new(&std::env::var("CORRIDOR_ISO_DIR").unwrap()).join("samples");
    let (mut market, mut base_only) = (0, 0);
    for folder in ["pacs.008.001.08", "camt.052.001.08", "admi.007.001.01", "camt.056.001.08"] {
        for entry in std::fs::read_dir(samples.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let Ok(base) = read(&bytes, &Limits::batch()) else { continue };
            let restricted = read_with(&bytes, &Limits::batch(), &tables).unwrap();
            if restricted.is_schema_valid() {
                assert!(base.is_schema_valid(), "{}: an overlay is tighter", path.display());
                market += 1;
            } else if base.is_schema_valid() {
                base_only += 1;
            }
        }
    }
    println!("{market} follow the restricted schemas, {base_only} only the standard");
    assert!(market >= 10 && base_only >= 10, "{market} {base_only}");
}
