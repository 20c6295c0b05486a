//! Writes the schema tables of the library: `tables XSD_DIR OUT_DIR`.
//!
//! Every `*.xsd` of the folder is read; each message family goes into one file `FAMILY.tbl`, types
//! used by several families into `shared.tbl`.

use iso20022::xsd::{Schema, table_files};
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schemas, out] = arguments.as_slice() else {
        return Err("usage: tables XSD_DIR OUT_DIR".into());
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(schemas)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "xsd") {
            files.push(path);
        }
    }
    files.sort();
    let mut read = Vec::new();
    for file in &files {
        let schema = Schema::parse(&std::fs::read_to_string(file)?);
        read.push(schema.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    let tables = table_files(&read)?;
    let bytes: usize = tables.iter().map(|table| table.text.len()).sum();
    for table in &tables {
        std::fs::write(Path::new(out).join(format!("{}.tbl", table.name)), &table.text)?;
    }
    println!("{} schemas: {} tables, {bytes} bytes", read.len(), tables.len());
    Ok(())
}
