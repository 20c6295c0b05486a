//! `corridor log`: looks into the log of a node, without changing anything.
//!
//! For a stopped node, or beside a running one. It prints what the log says about itself and where
//! it is damaged; the exit code says whether durable data is damaged.

mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use settlement_node::store::{
    vfs::ReadOnlyVfs,
    wal::inspect::{CopyView, Inspection, RecordKind, RecordView, SegmentView, Verdict, inspect},
};

/// Subcommands of `corridor log`.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Show a node's log: whose it is, its segments, terms and hard state, and any damage
    Inspect(InspectArguments),
}

/// Arguments of `corridor log inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// A node's folder, its data folder, or the `wal` folder in it
    dir: PathBuf,
    /// List each record, too
    #[arg(long)]
    records: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs a subcommand of `corridor log`.
pub fn run(command: LogCommand) -> Result<()> {
    match command {
        LogCommand::Inspect(arguments) => {
            let dir = folder(&arguments.dir)?;
            let found = inspect(&ReadOnlyVfs, &dir, arguments.records)
                .with_context(|| format!("read the log in {}", dir.display()))?;
            if arguments.json {
                println!("{:#}", describe(&dir, &found));
            } else {
                print!("{}", text::describe(&dir, &found));
            }
            if found.verdict.is_damage() {
                bail!("the log in {} is damaged", dir.display());
            }
            Ok(())
        }
    }
}

/// The folder of the log: the one named, or the one below it.
fn folder(named: &Path) -> Result<PathBuf> {
    let places = [named.to_owned(), named.join("wal"), named.join("data/wal")];
    let holds_log = |dir: &PathBuf| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.into_iter().any(|name| name.ends_with(".wal") || name == "wal.meta")
    };
    match places.into_iter().find(holds_log) {
        Some(dir) => Ok(dir),
        None => bail!("{} holds no log", named.display()),
    }
}

/// The JSON object.
fn describe(dir: &Path, found: &Inspection) -> Value {
    let superblock = found.superblock();
    let terms = found.terms.iter().map(
        |(term, first, count)| json!({ "term": term, "first_index": first, "entries": count }),
    );
    let state = found
        .hard_state
        .map(|state| json!({ "term": state.term, "vote": state.vote, "commit": state.commit }));
    json!({
        "folder": dir,
        "node": superblock.map(|copy| copy.node),
        "network": superblock.map(|copy| text::hex(&copy.network)),
        "sound": !found.verdict.is_damage(),
        "verdict": verdict(&found.verdict),
        "lost_term": superblock.and_then(|copy| copy.lost_term),
        "superblock": found.copies.iter().map(|found| found.as_ref().map(copy)).collect::<Vec<_>>(),
        "hard_state": state,
        "first_index": found.first_index,
        "last_index": found.last_index,
        "base_term": found.base_term,
        "terms": terms.collect::<Vec<_>>(),
        "segments": found.segments.iter().map(segment).collect::<Vec<_>>(),
        "records": found.records.iter().map(record).collect::<Vec<_>>(),
    })
}

fn verdict(found: &Verdict) -> Value {
    match found {
        Verdict::Sound => json!({ "kind": "sound" }),
        Verdict::Torn { segment, offset, bytes } => {
            json!({ "kind": "torn", "segment": segment, "offset": offset, "bytes": bytes })
        }
        Verdict::Corrupt { segment, offset, index, reason } => json!({
            "kind": "corrupt", "segment": segment, "offset": offset, "first_lost_index": index,
            "reason": reason,
        }),
        Verdict::SegmentLost { segment } => json!({ "kind": "segment_lost", "segment": segment }),
        Verdict::MetaLost => json!({ "kind": "superblock_lost" }),
    }
}

fn copy(copy: &CopyView) -> Value {
    json!({
        "generation": copy.generation, "durable_record": copy.durable,
        "durable_index": copy.durable_index, "term": copy.term, "vote": copy.vote,
        "lost_term": copy.lost_term, "first_segment": copy.first_segment,
    })
}

fn segment(segment: &SegmentView) -> Value {
    json!({
        "number": segment.number, "use": text::name_of(segment.used_as),
        "file_bytes": segment.file_bytes, "used_bytes": segment.used_bytes,
        "records": segment.records,
        "first_index": segment.indexes.map(|indexes| indexes.0),
        "last_index": segment.indexes.map(|indexes| indexes.1),
        "terms": segment.terms.map(|(low, high)| [low, high]),
    })
}

fn record(record: &RecordView) -> Value {
    let mut object = json!({
        "segment": record.segment, "offset": record.offset, "bytes": record.bytes,
        "record": record.sequence, "durable_record": record.durable,
        "kind": text::kind_of(record.kind),
    });
    match record.kind {
        RecordKind::Entries => {
            object["first_index"] = record.index.into();
            object["term"] = record.term.into();
            object["entries"] = record.count.into();
        }
        RecordKind::HardState(state) => {
            object["hard_state"] = state.map_or(
                Value::Null,
                |state| json!({ "term": state.term, "vote": state.vote, "commit": state.commit }),
            );
        }
        RecordKind::SegmentStart | RecordKind::Reset => {
            object["after_index"] = record.index.into();
            object["after_term"] = record.term.into();
        }
    }
    object
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use settlement_node::store::{
        vfs::DiskVfs,
        wal::{Wal, WalEntry, WalHardState, WalOp, WalOptions, inspect::SegmentUse},
    };
    use std::{fs, sync::Arc};

    fn options() -> WalOptions {
        WalOptions { segment_bytes: 16 << 10, background: false, node_id: 3, ..Default::default() }
    }

    /// A log of three segments below `root/wal`, with an election in the middle.
    fn sample(root: &Path) -> Wal {
        let (mut wal, _) = Wal::open(Arc::new(DiskVfs), &root.join("wal"), options()).unwrap();
        for group in 0..8_u64 {
            let entry = |index| WalEntry {
                index,
                term: 1 + group / 4,
                data: Bytes::from(vec![group as u8; 300]),
            };
            let state = WalHardState { term: 1 + group / 4, vote: 2, commit: group * 3 };
            let op = WalOp {
                entries: (group * 3 + 1..=group * 3 + 3).map(entry).collect(),
                hard_state: Some(state),
                must_sync: true,
            };
            wal.append(&[op]).unwrap();
        }
        wal
    }

    fn look(root: &Path) -> Inspection {
        inspect(&ReadOnlyVfs, &folder(root).unwrap(), true).unwrap()
    }

    fn flip(root: &Path, name: &str, at: usize) {
        let path = root.join("wal").join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    }

    fn arguments(root: &Path, json: bool) -> LogCommand {
        LogCommand::Inspect(InspectArguments { dir: root.to_owned(), records: true, json })
    }

    #[test]
    fn a_sound_log_is_described() {
        let dir = tempfile::tempdir().unwrap();
        let wal = sample(dir.path());
        // While the node runs, and after it has ended.
        assert!(!look(dir.path()).verdict.is_damage());
        wal.close().unwrap();
        let found = look(dir.path());
        assert_eq!(found.verdict, Verdict::Sound);
        assert_eq!((found.first_index, found.last_index), (1, 24));
        assert_eq!(found.terms, [(1, 1, 12), (2, 13, 12)]);
        assert_eq!(found.copies.iter().flatten().count(), 4);
        let live = found.segments.iter().filter(|segment| segment.used_as == SegmentUse::Live);
        assert_eq!(live.map(|segment| segment.indexes.unwrap().1).max(), Some(24));
        let text = text::describe(dir.path(), &found);
        for line in [
            "node 3",
            "copy 4       sound",
            "entries      1 to 24",
            "term 2       12 entries from 13 on",
            "verdict      sound",
            "term 2, vote 2, commit 21",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        let object = describe(dir.path(), &found);
        assert_eq!(object["sound"], true);
        assert_eq!(object["hard_state"]["commit"], 21);
        let records = object["records"].as_array().unwrap();
        let entries: u64 = records.iter().filter_map(|record| record["entries"].as_u64()).sum();
        assert_eq!(entries, 24);
        run(arguments(dir.path(), false)).unwrap();
        run(arguments(dir.path(), true)).unwrap();
    }

    #[test]
    fn damage_is_named_with_its_place_and_reason() {
        let dir = tempfile::tempdir().unwrap();
        sample(dir.path()).close().unwrap();
        flip(dir.path(), "segment-00000000000000000002.wal", 8192 + 200);
        flip(dir.path(), "wal.meta", 70);
        let before = fs::read(dir.path().join("wal/wal.meta")).unwrap();
        let found = look(dir.path());
        let Verdict::Corrupt { segment: 2, index, ref reason, .. } = found.verdict else {
            panic!("{:?}", found.verdict)
        };
        assert!((13..=15).contains(&index), "{index}");
        assert!(reason.contains("no sound record at 8"), "{reason}");
        assert!(reason.contains("entry 24"), "{reason}");
        assert_eq!(found.copies[0], None);
        let cut = found.segments.iter().find(|segment| segment.used_as == SegmentUse::CutOff);
        assert_eq!((cut.unwrap().number, cut.unwrap().indexes), (3, Some((19, 24))));
        let text = text::describe(dir.path(), &found);
        assert!(text.contains("copy 1       damaged"), "{text}");
        assert!(text.contains("verdict      DAMAGED: segment 2"), "{text}");
        assert_eq!(describe(dir.path(), &found)["verdict"]["first_lost_index"], index);
        assert!(run(arguments(dir.path(), true)).is_err());
        // Nothing was changed, and the log itself judges alike.
        assert!(before == fs::read(dir.path().join("wal/wal.meta")).unwrap());
        assert!(Wal::open(Arc::new(DiskVfs), &dir.path().join("wal"), options()).is_err());
    }

    #[test]
    fn a_torn_end_is_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        let wal = sample(dir.path());
        let last = look(dir.path()).records.last().copied().unwrap();
        drop(wal);
        let name = format!("segment-{:020}.wal", last.segment);
        flip(dir.path(), &name, last.offset as usize + 70);
        let found = look(dir.path());
        assert!(matches!(found.verdict, Verdict::Torn { segment, bytes: 96, .. }
            if segment == last.segment));
        assert!(text::describe(dir.path(), &found).contains("unfinished write of 96 bytes"));
        run(arguments(dir.path(), false)).unwrap();
    }

    #[test]
    fn a_lost_superblock_and_a_lost_segment_are_damage() {
        let dir = tempfile::tempdir().unwrap();
        sample(dir.path()).close().unwrap();
        let wal = dir.path().join("wal");
        fs::rename(wal.join("segment-00000000000000000001.wal"), dir.path().join("away")).unwrap();
        assert_eq!(look(dir.path()).verdict, Verdict::SegmentLost { segment: 1 });
        fs::rename(dir.path().join("away"), wal.join("segment-00000000000000000001.wal")).unwrap();
        assert_eq!(look(dir.path()).verdict, Verdict::Sound);
        fs::remove_file(wal.join("wal.meta")).unwrap();
        let found = look(dir.path());
        assert_eq!((&found.verdict, found.last_index), (&Verdict::MetaLost, 24));
        assert!(run(arguments(dir.path(), false)).is_err());
        assert!(folder(&dir.path().join("nothing")).is_err());
    }
}
