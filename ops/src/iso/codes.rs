//! `corridor iso codes`: external code lists from a folder of JSON files into one compact file.
//!
//! Only names of lists and codes are taken: they are facts. The definitions stay where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use iso20022::codes::render;
use serde::Deserialize;

use super::folder;

/// Arguments of `corridor iso codes`.
#[derive(Debug, Args)]
pub struct CodesArguments {
    /// Folder with one *.json a list: `{"name": "External...Code", "codes": {"CODE": "..."}}`
    folder: PathBuf,
    /// Edition of the lists: year and month
    #[arg(long, value_name = "YYYY-MM", value_parser = edition)]
    edition: String,
    /// Write the file here, not to standard output
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Deserialize)]
struct List {
    name: String,
    codes: BTreeMap<String, serde::de::IgnoredAny>,
}

fn edition(text: &str) -> Result<String, String> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        Some((year, month))
            if year.len() == 4 && month.len() == 2 && digits(year) && digits(month) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("an edition is a year and a month such as 2025-05".to_owned()),
    }
}

/// Runs `corridor iso codes`.
pub(super) fn run(arguments: CodesArguments) -> Result<()> {
    let text = render(&arguments.edition, &read(&arguments.folder)?);
    match arguments.out {
        Some(path) => {
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
        }
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// The codes of all lists in a folder, by the name of their list.
fn read(folder: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut sets = BTreeMap::new();
    for path in folder::files(folder, "json", false)? {
        let context = || format!("read the code list {}", path.display());
        let list: List = serde_json::from_str(&folder::text(&path)?).with_context(context)?;
        let codes: BTreeSet<String> = list.codes.into_keys().collect();
        let plain =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(
            plain(&list.name) && codes.iter().all(|code| plain(code)),
            "{}: a name or a code is not plain text",
            path.display()
        );
        if sets.insert(list.name, codes).is_some() {
            bail!("{}: the list comes twice", path.display());
        }
    }
    ensure!(!sets.is_empty(), "there is no *.json in {}", folder.display());
    Ok(sets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// With `CORRIDOR_ISO_DIR` naming a folder with `codesets`: the committed lists are those.
    #[test]
    fn the_committed_lists_are_made_from_the_published_ones() {
        let Ok(folder) = std::env::var("CORRIDOR_ISO_DIR") else {
            println!("skipped: CORRIDOR_ISO_DIR is not set");
            return;
        };
        let made = read(&Path::new(&folder).join("codesets")).unwrap();
        let known: BTreeMap<String, BTreeSet<String>> = iso20022::codes::sets()
            .iter()
            .map(|set| {
                (set.name().to_owned(), set.codes().iter().map(|c| (*c).to_owned()).collect())
            })
            .collect();
        assert_eq!(made, known);
    }

    #[test]
    fn lists_are_read_strictly() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert!(read(folder.path()).is_err(), "no lists");
        write("a.json", r#"{"name": "ExternalA1Code", "codes": {"B": "x", "A": "y"}, "more": 1}"#);
        let sets = read(folder.path()).unwrap();
        assert!(render("2031-01", &sets).ends_with("edition 2031-01\nExternalA1Code\n  A B\n"));
        write("b.json", r#"{"name": "ExternalA1Code", "codes": {}}"#);
        assert!(read(folder.path()).is_err(), "twice");
        write("b.json", r#"{"name": "ExternalB1Code", "codes": {"A B": ""}}"#);
        assert!(read(folder.path()).is_err(), "a blank");
        assert!(edition("2025-5").is_err() && edition("2025-05").is_ok());
    }
}
