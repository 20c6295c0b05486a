//! The description of a log for people.

use std::{fmt::Write, path::Path};

use settlement_node::store::wal::inspect::{
    Inspection, RecordKind, RecordView, SegmentUse, SegmentView, Verdict,
};

/// All that was found, a fact a line.
pub(super) fn describe(dir: &Path, found: &Inspection) -> String {
    let mut text = format!("log          {}\n", dir.display());
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, found);
    text
}

fn write_all(text: &mut String, found: &Inspection) -> std::fmt::Result {
    if let Some(copy) = found.superblock() {
        writeln!(text, "identity     node {}, network {}", copy.node, hex(&copy.network))?;
    }
    for (number, copy) in (1..).zip(&found.copies) {
        match copy {
            Some(copy) => writeln!(
                text,
                "copy {number}       sound: update {}, term {}, vote {}, durable to record {} \
                 (entry {}), first segment {}, {}",
                copy.generation,
                copy.term,
                copy.vote,
                copy.durable,
                copy.durable_index,
                copy.first_segment,
                lost(copy.lost_term),
            )?,
            None => writeln!(text, "copy {number}       damaged")?,
        }
    }
    if found.copies.is_empty() {
        writeln!(text, "superblock   missing")?;
    }
    for segment in &found.segments {
        writeln!(text, "{}", line_of(segment))?;
    }
    for record in &found.records {
        writeln!(text, "{}", line_of_record(record))?;
    }
    if found.last_index < found.first_index {
        writeln!(text, "entries      none; the next one is {}", found.first_index)?;
    } else {
        writeln!(text, "entries      {} to {}", found.first_index, found.last_index)?;
    }
    for (term, first, count) in &found.terms {
        writeln!(text, "term {term:<7} {count} entries from {first} on")?;
    }
    match found.hard_state {
        Some(state) => writeln!(
            text,
            "hard state   term {}, vote {}, commit {}",
            state.term, state.vote, state.commit
        )?,
        None => writeln!(text, "hard state   none")?,
    }
    if let Some(term) = found.superblock().and_then(|copy| copy.lost_term) {
        writeln!(
            text,
            "lost         data of terms up to {term} was lost before; the node does not vote \
             until its log holds an entry of a later term"
        )?;
    }
    writeln!(text, "verdict      {}", sentence(&found.verdict))
}

fn lost(term: Option<u64>) -> String {
    term.map_or_else(|| "nothing lost".to_owned(), |term| format!("lost up to term {term}"))
}

fn line_of(segment: &SegmentView) -> String {
    let mut line = format!(
        "segment {:<4} {}, {} of {} bytes",
        segment.number,
        name_of(segment.used_as),
        segment.used_bytes,
        segment.file_bytes
    );
    if segment.records > 0 {
        line += &format!(", {} records", segment.records);
    }
    if let Some((first, last)) = segment.indexes {
        line += &format!(", entries {first} to {last}");
    }
    if let Some((low, high)) = segment.terms {
        line += &format!(", terms {low} to {high}");
    }
    line
}

fn line_of_record(record: &RecordView) -> String {
    let what = match record.kind {
        RecordKind::Entries => {
            let last = record.index + u64::from(record.count.max(1)) - 1;
            format!("entries {} to {last}, term {}", record.index, record.term)
        }
        RecordKind::HardState(Some(state)) => {
            format!("term {}, vote {}, commit {}", state.term, state.vote, state.commit)
        }
        RecordKind::HardState(None) => "none".to_owned(),
        RecordKind::SegmentStart | RecordKind::Reset => {
            format!("after entry {} of term {}", record.index, record.term)
        }
    };
    format!(
        "record {:<5} segment {} at {}, {} bytes, durable to {}: {}, {what}",
        record.sequence,
        record.segment,
        record.offset,
        record.bytes,
        record.durable,
        kind_of(record.kind)
    )
}

fn sentence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Sound => "sound".to_owned(),
        Verdict::Torn { segment, offset, bytes } => format!(
            "sound; segment {segment} ends at {offset} with an unfinished write of {bytes} bytes, \
             which nobody was told of (or which is under way)"
        ),
        Verdict::Corrupt { segment, offset, index, reason } => format!(
            "DAMAGED: segment {segment} behind {offset}, entries from {index} on may be lost: \
             {reason}"
        ),
        Verdict::SegmentLost { segment } => {
            format!("DAMAGED: segment {segment}, the first of the log, is missing")
        }
        Verdict::MetaLost => {
            "DAMAGED: the superblock is lost, so how far the log was durable is not known"
                .to_owned()
        }
    }
}

/// A word for what a segment is for.
pub(super) fn name_of(used_as: SegmentUse) -> &'static str {
    match used_as {
        SegmentUse::Released => "released",
        SegmentUse::Live => "live",
        SegmentUse::CutOff => "cut off",
        SegmentUse::Spare => "spare",
    }
}

/// A word for what a record is.
pub(super) fn kind_of(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::SegmentStart => "segment start",
        RecordKind::Entries => "entries",
        RecordKind::HardState(_) => "hard state",
        RecordKind::Reset => "reset",
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
