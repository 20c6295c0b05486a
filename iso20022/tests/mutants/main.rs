//! Agreement with an independent validator on mutants of real messages.
//!
//! One sample of each message and version is changed in many ways (`classes`), each with several
//! seeds, and every result is judged by `xmllint` with the published schema and by this crate. The
//! samples and schemas are read from the folder named by `CORRIDOR_ISO_DIR`; without it, or without
//! `xmllint`, the test says that it is skipped. In continuous integration `xmllint` must be there.
#![allow(clippy::unwrap_used, missing_docs)]

mod classes;
mod dom;

use classes::CLASSES;
use dom::{Chance, Element};
use iso20022::{Limits, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

const SEEDS: u64 = 3;
/// Samples of one message that are changed.
const BASES_MAX: usize = 2;
/// Larger samples say nothing more and cost time.
const BASE_BYTES_MAX: usize = 40_000;

struct Mutant {
    file: PathBuf,
    class: &'static str,
    seed: u64,
    origin: String,
    bytes: Vec<u8>,
}

fn has_xmllint() -> bool {
    let found = Command::new("xmllint").arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "xmllint is missing");
    found
}

/// The valid samples by message name.
fn bases(folder: &Path) -> BTreeMap<String, Vec<(String, Element)>> {
    let mut bases: BTreeMap<String, Vec<(String, Element)>> = BTreeMap::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("samples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|path| std::fs::read_dir(path).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(message) = read(&bytes, &Limits::batch()) else { continue };
        if !message.is_schema_valid() || bytes.len() > BASE_BYTES_MAX {
            continue;
        }
        let origin = file.file_name().unwrap().to_string_lossy().into_owned();
        let known = bases.entry(message.name.to_string()).or_default();
        if known.len() < BASES_MAX {
            known.push((origin.clone(), Element::of(message.document.root())));
        }
        if let Some((name, header)) = &message.header {
            let known = bases.entry(name.to_string()).or_default();
            if known.len() < BASES_MAX {
                known.push((origin, Element::of(header.root())));
            }
        }
    }
    bases
}

/// Which of the files `xmllint` finds valid.
fn valid_by_xmllint(schema: &Path, mutants: &[Mutant]) -> BTreeSet<PathBuf> {
    let mut valid = BTreeSet::new();
    for mutants in mutants.chunks(400) {
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(schema)
            .args(mutants.iter().map(|mutant| &mutant.file))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains("Schemas parser error"), "{text}");
        valid.extend(
            text.lines().filter_map(|line| line.strip_suffix(" validates")).map(Into::into),
        );
    }
    valid
}

/// The verdict of this crate on a document, or on a header that stands alone.
fn verdict(bytes: &[u8]) -> (bool, String) {
    let result = match read(bytes, &Limits::batch()) {
        Ok(message) => Ok(message.findings),
        Err(_) if !bytes.windows(6).any(|word| word == b"AppHdr") => {
            read(bytes, &Limits::batch()).map(|message| message.findings)
        }
        Err(_) => iso20022::read_header(bytes, &Limits::batch()).map(|header| header.findings),
    };
    match result {
        Ok(findings) => (findings.is_empty(), format!("{findings:?}")),
        Err(unreadable) => (false, unreadable.to_string()),
    }
}

#[test]
fn mutants_get_the_verdict_of_the_reference_validator() {
    let Ok(folder) = std::env::var("CORRIDOR_ISO_DIR") else {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
        return;
    };
    if !has_xmllint() {
        println!("skipped: xmllint is not installed");
        return;
    }
    let folder = Path::new(&folder);
    let bases = bases(folder);
    let work = std::env::temp_dir().join(format!("iso20022-mutants-{}", std::process::id()));
    std::fs::create_dir_all(&work).unwrap();
    let (mut count, mut invalid) = (0, 0);
    let mut per_class: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (message, bases) in &bases {
        let mut mutants = Vec::new();
        for (base_at, (origin, base)) in bases.iter().enumerate() {
            for (class_at, (class, change)) in CLASSES.iter().enumerate() {
                let seeds = if class.contains("supplementary") { 3 * SEEDS } else { SEEDS };
                for seed in 0..seeds {
                    let mut chance = Chance::new(seed * 7919 + class_at as u64 * 104_729 + 1);
                    let Some(bytes) = change(base, &mut chance) else { continue };
                    let file = work.join(format!("{base_at}-{class_at}-{seed}.xml"));
                    std::fs::write(&file, &bytes).unwrap();
                    mutants.push(Mutant { file, class, seed, origin: origin.clone(), bytes });
                }
            }
        }
        let schema = folder.join(format!("xsd/{message}.xsd"));
        let valid = valid_by_xmllint(&schema, &mutants);
        for mutant in &mutants {
            let expected = valid.contains(&mutant.file);
            let (found, why) = verdict(&mutant.bytes);
            count += 1;
            invalid += usize::from(!expected);
            let class = per_class.entry(mutant.class).or_default();
            class.0 += 1;
            class.1 += usize::from(!expected);
            if found != expected {
                let kept = work.join(format!("wrong-{}.xml", wrong.len()));
                std::fs::write(&kept, &mutant.bytes).unwrap();
                wrong.push(format!(
                    "{message} {} class `{}` seed {}: xmllint says {expected}: {} {why:.300}",
                    mutant.origin,
                    mutant.class,
                    mutant.seed,
                    kept.display(),
                ));
            }
        }
    }
    for (class, (made, invalid)) in &per_class {
        println!("{class}: {made} mutants, {invalid} invalid");
    }
    let classes = per_class.len();
    println!("{} messages, {classes} classes, {count} mutants, {invalid} invalid", bases.len());
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    std::fs::remove_dir_all(&work).unwrap();
    assert!(bases.len() >= 30 && classes >= 40, "{} {classes}", bases.len());
}
