//! Writes the schema tables: `tables XSD_DIR OUT_DIR FAMILY...`, e.g. `tables xsd tables pacs.008`.
//!
//! For each family, all versions found in the folder go into one file `FAMILY.tbl`.

use iso20022::xsd::{Schema, table_text};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schemas, out, families @ ..] = arguments.as_slice() else {
        return Err("usage: tables XSD_DIR OUT_DIR FAMILY...".into());
    };
    for family in families {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(schemas)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(&format!("{family}.")) && name.ends_with(".xsd") {
                files.push(path);
            }
        }
        files.sort();
        let mut read = Vec::new();
        for file in &files {
            read.push(Schema::parse(&std::fs::read_to_string(file)?)?);
        }
        let text = table_text(&read)?;
        iso20022::table::text::parse(&text)?;
        let target = Path::new(out).join(format!("{family}.tbl"));
        std::fs::write(&target, &text)?;
        println!("{}: {} versions, {} bytes", target.display(), read.len(), text.len());
    }
    Ok(())
}
