//! From places in the document of one transaction to places in the file.

use crate::finding::Finding;

/// Which stretches of a document come from where, and which transaction it holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    stretches: Vec<Stretch>,
    /// Number of the transaction and of its group; 0 for none.
    number: u64,
    group: u64,
    /// Name of the transaction's element.
    unit: String,
}

/// A stretch of the document, up to the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    start: usize,
    lines: usize,
    file_start: usize,
    file_lines: usize,
}

/// Line breaks in a text.
pub(super) fn newlines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// A line number from the count of line breaks before.
pub(super) fn line(breaks: usize) -> u32 {
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}

impl Place {
    /// From `start` of the document on, which is behind `lines` line breaks, the text is that of the
    /// file from `file_start`, behind `file_lines` line breaks.
    pub(super) fn cut_at(
        &mut self,
        start: usize,
        file_start: usize,
        file_lines: usize,
        lines: usize,
    ) {
        self.stretches.push(Stretch { start, lines, file_start, file_lines });
    }

    pub(super) fn number(&mut self, unit: &str, number: u64, group: u64) {
        (self.number, self.group) = (number, group);
        unit.clone_into(&mut self.unit);
    }

    fn stretch(&self, offset: usize) -> Option<&Stretch> {
        self.stretches.iter().rev().find(|one| one.start <= offset)
    }

    /// The line in the file of a place in the document.
    pub(super) fn line_of(&self, offset: usize, at: u32) -> u32 {
        self.stretch(offset)
            .map_or(at, |from| line(from.file_lines + (at as usize).saturating_sub(1 + from.lines)))
    }

    /// True for a finding that was moved and is within the group of the transaction.
    pub(super) fn is_in_group(&self, finding: &Finding) -> bool {
        let part = finding.path.split('/').nth(3).unwrap_or_default();
        part.ends_with(&format!("[{}]", self.group))
    }

    /// Moves a finding to its place in the file; true when it is on the transaction itself.
    pub(super) fn locate(&self, finding: &mut Finding) -> bool {
        (finding.line, finding.offset) = (
            self.line_of(finding.offset, finding.line),
            self.stretch(finding.offset)
                .map_or(finding.offset, |from| from.file_start + (finding.offset - from.start)),
        );
        if self.number == 0 {
            return false;
        }
        let mut parts: Vec<String> = finding.path.split('/').map(str::to_owned).collect();
        // Below the body, or below a group in it.
        let at = if self.group == 0 { 3 } else { 4 };
        if self.group > 0 && parts.len() > 3 {
            let name = plain(&parts[3]).to_owned();
            parts[3] = format!("{name}[{}]", self.group);
        }
        let is_own = parts.get(at).is_some_and(|part| plain(part) == self.unit);
        if is_own {
            let name = plain(&parts[at]).to_owned();
            parts[at] = format!("{name}[{}]", self.number);
        }
        if is_own || self.group > 0 {
            finding.path = parts.join("/");
        }
        is_own
    }
}

/// A part of a path without its index.
fn plain(part: &str) -> &str {
    part.split('[').next().unwrap_or(part)
}
