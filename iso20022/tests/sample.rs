//! Samples against the crate's own reader and against an independent validator; and everything
//! that is written back from messages that nobody here wrote.
//!
//! The schemas and the messages are not part of the repository: the tests that need them read the
//! folder named by the environment variable `CORRIDOR_ISO_DIR` and say that they are skipped when
//! it is not set.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::{
    Finding, Limits, MessageName, Node, Profile, read, read_header, sample, table, writer,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const SEEDS: u64 = 20;

fn is_header(name: MessageName) -> bool {
    name.as_str().starts_with("head.001")
}

/// A file header (`head.002`) is neither a document nor the header of one: nothing reads it.
fn is_readable(name: &MessageName) -> bool {
    !name.as_str().starts_with("head.002")
}

/// What the reader says against a document or a header.
fn findings(name: MessageName, bytes: &[u8]) -> Vec<Finding> {
    if is_header(name) {
        read_header(bytes, &Limits::batch()).unwrap().findings
    } else {
        read(bytes, &Limits::batch()).unwrap().findings
    }
}

#[test]
fn every_sample_of_every_message_is_valid_and_comes_back() {
    let mut count = 0;
    for name in table::names().into_iter().filter(is_readable) {
        for seed in 0..4 {
            let bytes = sample::schema_valid(name, seed).unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = findings(name, &bytes);
            assert!(found.is_empty(), "{name} seed {seed}: {found:#?}");
            assert_eq!(sample::schema_valid(name, seed).unwrap(), bytes, "{name}");
            let written = if is_header(name) {
                writer::write(&read_header(&bytes, &Limits::batch()).unwrap().tree)
            } else {
                writer::write(&read(&bytes, &Limits::batch()).unwrap().document)
            };
            let (left, right) =
                (String::from_utf8_lossy(&written), String::from_utf8_lossy(&bytes));
            assert_eq!(left, right, "{name} seed {seed}");
            count += 1;
        }
    }
    println!("{count} samples");
    assert!(count > 400);
}

/// Messages of the network, in the versions that banks use.
const IN_USE: [&str; 32] = [
    "pacs.008.001.08",
    "pacs.009.001.08",
    "pacs.002.001.10",
    "pacs.004.001.09",
    "pacs.010.001.03",
    "pacs.028.001.03",
    "camt.003.001.07",
    "camt.004.001.08",
    "camt.005.001.08",
    "camt.006.001.08",
    "camt.007.001.08",
    "camt.008.001.08",
    "camt.009.001.07",
    "camt.010.001.08",
    "camt.011.001.07",
    "camt.012.001.07",
    "camt.018.001.05",
    "camt.019.001.07",
    "camt.025.001.05",
    "camt.029.001.09",
    "camt.050.001.05",
    "camt.052.001.08",
    "camt.053.001.08",
    "camt.054.001.08",
    "camt.056.001.08",
    "camt.057.001.06",
    "camt.058.001.08",
    "camt.060.001.05",
    "camt.110.001.01",
    "camt.111.001.02",
    "pain.001.001.09",
    "pain.002.001.10",
];

fn keeps_the_rules(name: MessageName, profile: Profile, seed: u64) {
    let bytes = sample::valid(name, profile, seed).unwrap_or_else(|e| panic!("{name} {seed}: {e}"));
    let message = read(&bytes, &Limits::batch()).unwrap();
    let found = message.validate(profile);
    let errors: Vec<_> = found.iter().filter(|one| one.is_error()).collect();
    assert!(errors.is_empty(), "{name} {profile} seed {seed}: {errors:#?}");
    let wants_header = matches!(profile, Profile::Cbpr | Profile::Hvps);
    assert_eq!(message.header.is_some(), wants_header, "{name} {profile}");
}

#[test]
fn every_sample_keeps_the_rules_of_the_base_message() {
    for name in table::names().into_iter().filter(is_readable).filter(|name| !is_header(*name)) {
        for seed in 0..SEEDS {
            keeps_the_rules(name, Profile::Base, seed);
        }
    }
}

#[test]
fn samples_of_messages_in_use_keep_the_rules_of_every_profile() {
    for name in IN_USE {
        for profile in Profile::ALL {
            for seed in 0..SEEDS {
                keeps_the_rules(name.parse().unwrap(), profile, seed);
            }
        }
    }
}

fn iso_folder() -> Option<PathBuf> {
    let folder = std::env::var("CORRIDOR_ISO_DIR").ok().map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
    }
    folder
}

/// An empty folder for the files of one test.
fn scratch(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the independent validator says against files of one schema; empty when all are valid.
fn objections(schema: &Path, files: &[PathBuf]) -> String {
    let command = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .args(files)
        .output()
        .expect("xmllint is installed");
    let said = String::from_utf8_lossy(&command.stderr).into_owned();
    let good = said.lines().filter(|line| line.ends_with(" validates")).count();
    if command.status.success() && good == files.len() {
        return String::new();
    }
    said.lines().filter(|line| !line.ends_with(" validates")).collect::<Vec<_>>().join("\n")
}

/// Runs an action on each of many items, on both halves of the machine.
fn in_parallel<T: Send>(items: Vec<T>, action: impl Fn(T) + Sync) {
    let queue = Mutex::new(items);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(item) = queue.lock().unwrap().pop() else { return };
                    action(item);
                }
            });
        }
    });
}

#[test]
fn an_independent_validator_accepts_every_sample() {
    let Some(folder) = iso_folder() else { return };
    let scratch = scratch("samples");
    let bad = Mutex::new(Vec::new());
    let names = table::names();
    let count = AtomicUsize::new(0);
    in_parallel(names, |name| {
        let mut files = Vec::new();
        for seed in 0..SEEDS {
            let file = scratch.join(format!("{name}-{seed}.xml"));
            std::fs::write(&file, sample::schema_valid(name, seed).unwrap()).unwrap();
            files.push(file);
            if is_header(name) || !is_readable(&name) {
                continue;
            }
            let file = scratch.join(format!("{name}-{seed}-base.xml"));
            std::fs::write(&file, sample::valid(name, Profile::Base, seed).unwrap()).unwrap();
            files.push(file);
            if let Ok(bytes) = sample::valid(name, Profile::Cbpr, seed) {
                let file = scratch.join(format!("{name}-{seed}-cbpr.xml"));
                let document = read(&bytes, &Limits::batch()).unwrap().document;
                std::fs::write(&file, writer::write_indented(&document)).unwrap();
                files.push(file);
            }
        }
        count.fetch_add(files.len(), Ordering::Relaxed);
        let said = objections(&folder.join(format!("xsd/{name}.xsd")), &files);
        if said.is_empty() {
            files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        } else {
            bad.lock().unwrap().push(said);
        }
    });
    let bad = bad.into_inner().unwrap();
    println!("{} samples", count.into_inner());
    assert!(bad.is_empty(), "{} messages: {}", bad.len(), bad.join("\n"));
}

fn same_content(left: Node<'_>, right: Node<'_>) -> bool {
    let attributes = |node: Node<'_>| {
        let mut all: Vec<(String, String)> =
            node.attributes().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.sort();
        all
    };
    left.name() == right.name()
        && left.text() == right.text()
        && attributes(left) == attributes(right)
        && left.elements().count() == right.elements().count()
        && left.elements().zip(right.elements()).all(|(left, right)| same_content(left, right))
}

/// Files of the folder with messages that nobody here wrote.
fn shared_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for kind in std::fs::read_dir(folder.join("samples")).unwrap() {
        let kind = kind.unwrap().path();
        if kind.is_dir() {
            files.extend(std::fs::read_dir(kind).unwrap().map(|file| file.unwrap().path()));
        }
    }
    files.sort();
    files
}

#[test]
fn what_is_written_back_has_the_same_content_and_is_valid() {
    let Some(folder) = iso_folder() else { return };
    let scratch = scratch("written");
    let mut parts = Vec::new();
    for (at, file) in shared_files(&folder).iter().enumerate() {
        let bytes = std::fs::read(file).unwrap();
        let mut trees = Vec::new();
        if let Ok(message) = read(&bytes, &Limits::batch())
            && message.is_schema_valid()
        {
            trees.push(message.document);
        }
        if let Ok(header) = read_header(&bytes, &Limits::batch())
            && header.findings.is_empty()
        {
            trees.push(header.tree);
        }
        for tree in trees {
            let name = tree.message();
            let written = writer::write(&tree);
            let again = if is_header(name) {
                read_header(&written, &Limits::batch()).unwrap().tree
            } else {
                read(&written, &Limits::batch()).unwrap().document
            };
            assert!(same_content(tree.root(), again.root()), "{}", file.display());
            assert_eq!(writer::write(&again), written, "{}", file.display());
            let target = scratch.join(format!("{at}-{name}.xml"));
            std::fs::write(&target, written).unwrap();
            parts.push((name, target));
        }
    }
    println!("{} parts", parts.len());
    assert!(parts.len() > 200, "{}", parts.len());
    parts.sort();
    for same in parts.chunk_by(|left, right| left.0 == right.0) {
        let files: Vec<PathBuf> = same.iter().map(|(_, file)| file.clone()).collect();
        let said = objections(&folder.join(format!("xsd/{}.xsd", same[0].0)), &files);
        assert!(said.is_empty(), "{said}");
    }
}
