//! `corridor iso tables`: schema tables from a folder of XML Schemas.
//!
//! The result is one file for each message family, and `shared.tbl` with the types that several of
//! them use. Several schemas of one message (restricted ones of a market) become several tables of
//! it: `corridor iso validate --tables` accepts what one of them accepts.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use iso20022::xsd::table_files;

use super::folder;

/// Arguments of `corridor iso tables`.
#[derive(Debug, Args)]
pub struct TablesArguments {
    /// Folder with XML Schemas (*.xsd) of the standard, or restricted ones
    dir: PathBuf,
    /// Folder to write the tables to, made if it is not there; without it they are only counted
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs `corridor iso tables`.
pub(super) fn run(arguments: TablesArguments) -> Result<()> {
    let schemas = folder::schemas(&arguments.dir)?;
    if schemas.is_empty() {
        bail!("{} holds no schema (*.xsd)", arguments.dir.display());
    }
    let tables = table_files(&schemas)?;
    if let Some(out) = &arguments.out {
        std::fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
        for table in &tables {
            let path = out.join(format!("{}.tbl", table.name));
            std::fs::write(&path, &table.text)
                .with_context(|| format!("write {}", path.display()))?;
        }
    }
    let bytes: usize = tables.iter().map(|table| table.text.len()).sum();
    let (schemas, tables) = (schemas.len(), tables.len());
    println!("{schemas} schemas in {tables} tables, {bytes} bytes");
    Ok(())
}
