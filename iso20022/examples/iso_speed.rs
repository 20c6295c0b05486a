//! Time per message: `speed FILE... [--rounds N]`.
//!
//! Prints microseconds for reading with full schema validation, for reading plus all rules, and
//! for tokenising alone, which is the floor.

use iso20022::{Limits, Profile, read};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rounds = 2000_u32;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--rounds" {
            rounds = arguments.next().ok_or("--rounds needs a number")?.parse()?;
        } else {
            files.push(argument);
        }
    }
    let limits = Limits::batch();
    for file in files {
        let bytes = std::fs::read(&file)?;
        let verdict = match read(&bytes, &limits) {
            Ok(message) if message.is_schema_valid() => "valid",
            Ok(_) => "invalid",
            Err(_) => "unreadable",
        };
        let parse = time(rounds, || {
            let _ = black_box(read(black_box(&bytes), &limits));
        });
        let full = time(rounds, || {
            if let Ok(message) = read(black_box(&bytes), &limits) {
                black_box(message.validate(Profile::Corridor));
            }
        });
        let floor = time(rounds, || tokenise(black_box(&bytes)));
        println!(
            "{file}: {} bytes, {verdict}: read {parse:.1} us, with rules {full:.1} us, tokenise {floor:.1} us",
            bytes.len()
        );
    }
    Ok(())
}

/// Microseconds a call, as the best of many short batches: other load on the machine only adds.
fn time(rounds: u32, mut action: impl FnMut()) -> f64 {
    const BATCH: u32 = 20;
    action();
    let mut best = f64::INFINITY;
    for _ in 0..rounds.div_ceil(BATCH) {
        let start = Instant::now();
        for _ in 0..BATCH {
            action();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
    }
    best
}

fn tokenise(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut reader = Reader::from_str(text);
    while let Ok(event) = reader.read_event() {
        if matches!(black_box(event), Event::Eof) {
            break;
        }
    }
}
