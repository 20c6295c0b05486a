//! A short run of the fuzzing targets, with damage that keeps messages close to real ones.
//!
//! `ISO20022_FUZZ_SECONDS` makes it longer: so many seconds for each target. `ISO20022_FUZZ_SEED`
//! starts it elsewhere. For fuzzing that is guided by coverage see `iso20022/fuzz/README.md`.
#![allow(clippy::unwrap_used, missing_docs)]

mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Rounds when no time is given: enough to notice what is broken, in about a second.
const ROUNDS: u64 = 30_000;

const WORDS: [&str; 34] = [
    "<",
    ">",
    "/>",
    "</",
    "&",
    ";",
    "&amp;",
    "&#65;",
    "&#x1F4B6;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?a",
    "?>",
    "<?xml version='1.0'?>",
    "xmlns=''",
    " xmlns:a='urn:a'",
    "a:",
    " Ccy='EUR'",
    "\"",
    "'",
    "\r\n",
    "\t",
    "\u{FEFF}",
    "é",
    "<SplmtryData><Envlp>",
    "<Cd>",
    "</CdtTrfTxInf>",
    "<CdtTrfTxInf>",
    " xsi:type='Max35Text'",
    " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'",
    "\0",
    "0",
];

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for folder in ["valid", "broken"] {
        let folder = format!("{}/testdata/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        corpus.extend(
            files.iter().filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()),
        );
    }
    assert!(corpus.len() > 40);
    corpus
}

fn damage(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = corpus[chance.below(corpus.len())].clone();
    for _ in 0..1 + chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(60)).min(bytes.len());
        match chance.below(9) {
            0 if at < bytes.len() => bytes[at] = chance.below(256) as u8,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = chance.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            3 => {
                let other = &corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                let piece = other[from..(from + chance.below(400)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => bytes.truncate(at),
            5 => {
                // Whole elements change places.
                let tags: Vec<usize> = bytes
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b'<')
                    .map(|(at, _)| at)
                    .collect();
                if tags.len() > 3 {
                    let from = chance.below(tags.len() - 1);
                    let piece = bytes[tags[from]..tags[from + 1]].to_vec();
                    let to = tags[chance.below(tags.len())];
                    bytes.splice(to..to, piece);
                }
            }
            _ => {
                let word = WORDS[chance.below(WORDS.len())].as_bytes().to_vec();
                bytes.splice(at..at, word);
            }
        }
    }
    bytes
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn run(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = corpus();
    let seconds = number("ISO20022_FUZZ_SECONDS").map(Duration::from_secs);
    let mut chance =
        Chance(number("ISO20022_FUZZ_SEED").unwrap_or(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for bytes in &corpus {
        target(bytes);
    }
    let start = Instant::now();
    let mut rounds = 0;
    while seconds.map_or(rounds < ROUNDS, |seconds| start.elapsed() < seconds) {
        let bytes = damage(&corpus, &mut chance);
        if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
            let file = std::env::temp_dir().join(format!("iso20022-fuzz-{name}.xml"));
            std::fs::write(&file, &bytes).unwrap();
            panic!(
                "round {rounds}: kept in {}: {}",
                file.display(),
                String::from_utf8_lossy(&bytes)
            );
        }
        rounds += 1;
    }
    println!("{name}: {rounds} rounds in {:?}", start.elapsed());
}

#[test]
fn reader() {
    run("reader");
}

#[test]
fn views() {
    run("views");
}

#[test]
fn rewrite() {
    run("rewrite");
}

#[test]
fn bulk() {
    run("bulk");
}
