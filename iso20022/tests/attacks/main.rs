//! Hostile input is refused on layer L0, quickly and in little memory.
//!
//! Each attack is read in the way of the interactive path. What it may cost beyond its own bytes:
//! 50 ms of processor time and 4 MiB.
#![allow(clippy::unwrap_used, missing_docs)]

mod corpus;

use corpus::corpus;
use iso20022::bulk::BulkReader;
use iso20022::{Layer, Limits, read, read_header};
use peak_alloc::PeakAlloc;
use std::time::Duration;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const CPU_MAX: Duration = Duration::from_millis(50);
const MEMORY_MAX: usize = 4 << 20;

/// Processor time of this thread so far; `None` where the system does not tell.
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

#[test]
fn each_attack_is_refused_cheaply() {
    // Tables are parsed on first use; that is not the attack's doing.
    let _ = read(corpus::message("").as_bytes(), &Limits::message());
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    for (name, bytes, rule) in &corpus {
        let mut taken = Duration::MAX;
        // The system counts in slices of time: the best of some tries is closest to the truth.
        for _ in 0..3 {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            let start = cpu();
            let result = read(bytes, &Limits::message());
            let end = cpu();
            let used = MEMORY.peak_usage().saturating_sub(before);
            largest = largest.max(used);
            assert!(used <= MEMORY_MAX, "{name}: {} KiB", used >> 10);
            if let (Some(start), Some(end)) = (start, end) {
                taken = taken.min(end - start);
            }
            let findings = result.expect_err(name).findings;
            assert_eq!(findings[0].layer, Layer::Transport, "{name}");
            assert_eq!(&findings[0].rule, rule, "{name}: {findings:?}");
            assert!(findings[0].text.ends_with('.') && findings[0].text.len() < 400, "{name}");
            assert!(findings[0].offset <= bytes.len() && findings[0].line > 0, "{name}");
            if taken < CPU_MAX / 4 {
                break;
            }
        }
        if taken < Duration::MAX {
            assert!(taken <= CPU_MAX, "{name}: {taken:?}");
            slowest = slowest.max(taken);
        }
    }
    println!("{} attacks: {slowest:?} and {} KiB at most", corpus.len(), largest >> 10);
}

#[test]
fn headers_alone_are_read_as_carefully() {
    for (name, bytes, _) in corpus() {
        if name.contains("no message") || name.contains("namespace of no message") {
            continue;
        }
        assert!(read_header(&bytes, &Limits::message()).is_err(), "{name}");
    }
}

/// The reader of large files may find another fault first, but none of them may pass.
#[test]
fn no_attack_passes_as_a_file() {
    for (name, bytes, _) in corpus() {
        let mut reader = BulkReader::new(Limits::message());
        let mut refused = false;
        for chunk in bytes.chunks(64 << 10) {
            reader.push(chunk);
            refused |= loop {
                match reader.next_transaction() {
                    Ok(Some(_)) => {}
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
            if refused {
                break;
            }
        }
        assert!(refused || reader.finish().is_err(), "{name}");
    }
}

#[test]
fn truncated_at_every_byte() {
    let whole =
        corpus::message("<GrpHdr><MsgId>&#65;<![CDATA[x]]><!-- y --></MsgId></GrpHdr><?a b?>");
    let end = whole.rfind('>').unwrap();
    let start = cpu();
    for length in 0..=end {
        let cut = &whole.as_bytes()[..length];
        assert!(read(cut, &Limits::message()).is_err(), "cut at {length}");
    }
    assert!(read(whole.as_bytes(), &Limits::message()).is_ok());
    if let (Some(start), Some(end)) = (start, cpu()) {
        let each = (end - start) / u32::try_from(whole.len()).unwrap();
        assert!(each < CPU_MAX, "{each:?}");
    }
}
