//! Times the log on a real disk: `cargo run --release --example wal_speed [folder] [count] [bytes]`.
//!
//! Appends `count` (2000) entries of `bytes` (131072), each with its own `fdatasync`, twice so that
//! the second round runs in recycled segments, then reads all that is left back.

use bytes::Bytes;
use settlement_node::store::vfs::DiskVfs;
use settlement_node::store::wal::{Wal, WalEntry, WalOp, WalOptions};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("wal-speed"), PathBuf::from);
    let count: u64 = arguments.next().map_or(Ok(2000), |count| count.parse())?;
    let bytes: usize = arguments.next().map_or(Ok(128 << 10), |bytes| bytes.parse())?;
    let (mut wal, found) = Wal::open(Arc::new(DiskVfs), &folder, WalOptions::default())?;
    let data = Bytes::from(vec![0x5a; bytes]);
    let mut index = found.last_index;
    for round in ["first", "recycled"] {
        let mut took = Vec::new();
        let start = Instant::now();
        for _ in 0..count {
            index += 1;
            let entry = WalEntry { index, term: 1, data: data.clone() };
            let op = WalOp { entries: vec![entry], hard_state: None, must_sync: true };
            let one = Instant::now();
            wal.append(&[op])?;
            took.push(one.elapsed());
            // Keeps about 100 MiB, so that later segments are recycled ones.
            wal.release_below(index.saturating_sub((100 << 20) / bytes.max(1) as u64));
        }
        let all = start.elapsed();
        took.sort_unstable();
        let at = |share: usize| took[(took.len() - 1) * share / 100];
        println!(
            "{round}: {:.0} appends/s, p50 {:?} p99 {:?} max {:?}",
            count as f64 / all.as_secs_f64(),
            at(50),
            at(99),
            at(100)
        );
    }
    wal.close()?;
    let start = Instant::now();
    let (wal, found) = Wal::open(Arc::new(DiskVfs), &folder, WalOptions::default())?;
    println!("open: {:?}, entries {}..={}", start.elapsed(), found.first_index, found.last_index);
    let (reader, mut next, mut read) = (wal.reader(), found.first_index, 0);
    let start = Instant::now();
    while next <= found.last_index {
        for entry in reader.read(next, found.last_index + 1, 4 << 20)? {
            next = entry.index + 1;
            read += entry.data.len();
        }
    }
    println!("read: {:.0} MB/s", read as f64 / 1e6 / start.elapsed().as_secs_f64());
    Ok(())
}
