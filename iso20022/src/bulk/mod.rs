//! Files of any size: one transaction at a time, in constant memory.
//!
//! Bytes are pushed in, transactions come out. Each is read as a message of its own (what stands
//! before the first transaction, then this one), so all layers, views and builders work as for a
//! single payment, and places are told as places in the file. Counts and sums are known only at the
//! end: stage what comes out, ask [`BulkReader::finish`], and release it only if that is content.
//!
//! That no UETR comes twice is checked where it is asked for ([`BulkReader::with_unique_uetrs`]),
//! for that needs memory: all else is in proportion to the largest transaction.

mod cut;
mod place;
mod totals;
mod unique;

use crate::finding::Finding;
use crate::limits::Limits;
use crate::message::{Message, Unreadable, Validation, read, unreadable};
use crate::name::MessageName;
use crate::profile::Profile;
use crate::reader::Fault;
use crate::rules;
use crate::tree::Node;
use cut::{Kind, Names};
use place::{Place, newlines};
use totals::Totals;
use unique::{Mark, Uetrs};

/// Most bytes that may stand before the first transaction, and between transactions and after
/// them, other than white space. They are read again with each transaction.
pub const CONTEXT_BYTES_MAX: usize = 32 << 10;

/// Elements that are a transaction each.
const UNITS: [&[u8]; 4] = [b"CdtTrfTxInf", b"DrctDbtTxInf", b"TxInf", b"TxInfAndSts"];
/// Elements around several transactions with data that is common to them.
const GROUPS: [&[u8]; 2] = [b"PmtInf", b"CdtInstr"];

/// Reads a file with many transactions.
#[derive(Debug)]
pub struct BulkReader {
    limits: Limits,
    /// What has been pushed and is still needed.
    buffer: Vec<u8>,
    /// Position in the file of the buffer's first byte.
    base: usize,
    /// What stands before this in the buffer is not needed any more; line breaks of the file up to it.
    from: usize,
    from_lines: usize,
    /// How far the buffer has been looked at; always between pieces of markup.
    at: usize,
    /// Where the current transaction starts in the buffer.
    unit: Option<usize>,
    names: Names,
    /// Depth of `Document`, once it has come; 0 before.
    document_depth: usize,
    body: Level,
    group: Option<Level>,
    group_number: u64,
    totals: Totals,
    uetrs: Uetrs,
    /// Findings on what is common to all transactions.
    common: Vec<Finding>,
}

/// A run of transactions, or of groups of them, in their parent element.
#[derive(Debug, Default)]
struct Level {
    /// From the parent's start tag (or the start of the file) to the first of the run.
    head: Vec<u8>,
    /// Offset of the head in the file, and line breaks before it.
    head_at: (usize, usize),
    /// The first of the run.
    first: Option<Vec<u8>>,
    /// What followed it other than the rest of the run, and where each piece of that stood: start
    /// in `extra`, offset in the file, line breaks before it.
    extra: Vec<u8>,
    extra_at: Vec<(usize, usize, usize)>,
    /// How many there were.
    count: u64,
}

/// One transaction of a file.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Number in its group, or in the file when there are no groups, from 1.
    pub number: u64,
    /// Number of its group (a `PmtInf`, for example), from 1; 0 when the message has no groups.
    pub group: u64,
    /// Offset of its start tag in the file.
    pub offset: u64,
    /// The transaction as a message of its own, with what all transactions share. Its findings
    /// tell places in the file; counts and sums in it are those of the file.
    pub message: Message,
    /// The bytes that the message was read from: a document that stands by itself.
    pub document: Vec<u8>,
    place: Place,
    unit: String,
    /// Where its UETR came before.
    earlier: Option<Mark>,
}

/// What is known at the end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Name and version of the message.
    pub message: MessageName,
    /// Name of its header, when there is one.
    pub header: Option<MessageName>,
    /// Transactions that came.
    pub transactions: u64,
    /// Groups of transactions that came; 0 for a message without groups.
    pub groups: u64,
    /// Findings on what is not in a transaction: the common data, and the counts and sums.
    pub findings: Vec<Finding>,
}

impl Summary {
    /// True when nothing speaks against the file as a whole.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

impl Transaction {
    /// The element of the transaction.
    #[must_use]
    pub fn node(&self) -> Option<Node<'_>> {
        let body = self.message.document.body()?;
        let mut nodes = body.elements();
        nodes.find_map(|node| match node.name() == self.unit {
            true => Some(node),
            false => node.elements().find(|inner| inner.name() == self.unit),
        })
    }

    /// Schema findings, and those of the rules of a profile, except rules on counts and sums. What
    /// rules say of data that is common to transactions is told with the first of them.
    #[must_use]
    pub fn check(&self, profile: Profile) -> Validation {
        let mut validation = self.message.check(profile);
        let known = self.message.findings.len();
        let mut at = 0;
        validation.findings.retain_mut(|finding| {
            at += 1;
            let of_own = at <= known || self.locate(finding);
            let of_group = self.group > 0 && self.place.is_in_group(finding);
            let first = self.number == 1 && (self.group <= 1 || of_group);
            (of_own || first) && !rules::OVER_ALL.contains(&finding.rule)
        });
        if let Some(finding) = self.repeated_uetr(profile) {
            validation.findings.push(finding);
        }
        validation
    }

    /// Moves a finding on the message of this transaction, one of a rule of the caller's own for
    /// example, to its place in the file. True when it is on the transaction itself, and not on
    /// what it shares with others.
    pub fn locate(&self, finding: &mut Finding) -> bool {
        self.place.locate(finding)
    }

    /// The UETR of the transaction.
    fn uetr(&self) -> Option<Node<'_>> {
        self.node()?.at("PmtId/UETR")
    }

    /// The same rule as in a message that is read whole, with both places.
    fn repeated_uetr(&self, profile: Profile) -> Option<Finding> {
        let Mark { group, number, line } = self.earlier?;
        let rule = rules::uetr_unique_in(profile)?;
        let of_group = if group > 0 { format!(" of group {group}") } else { String::new() };
        let text = format!("Transaction {number}{of_group} (line {line}) has the same UETR.");
        let mut finding = totals::finding(self.uetr()?, rule.id, rule.codes[0], text);
        finding.layer = rule.layer;
        self.locate(&mut finding);
        Some(finding)
    }
}

impl BulkReader {
    /// A reader at the start of a file. `limits` bound each transaction, not the file.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            base: 0,
            from: 0,
            from_lines: 0,
            at: 0,
            unit: None,
            names: Names::default(),
            document_depth: 0,
            body: Level::default(),
            group: None,
            group_number: 0,
            totals: Totals::default(),
            uetrs: Uetrs::default(),
            common: Vec::new(),
        }
    }

    /// Also finds UETRs that come twice, among the first `max` different ones. Takes about 40 bytes
    /// for each transaction.
    #[must_use]
    pub fn with_unique_uetrs(self, max: usize) -> Self {
        Self { uetrs: Uetrs::new(max), ..self }
    }

    /// Takes the next bytes of the file. Ask for all transactions before pushing more: what is not
    /// asked for is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        // Here, and not with each transaction, or a large push would be moved again and again.
        self.buffer.drain(..self.from);
        self.base += self.from;
        self.at -= self.from;
        self.unit = self.unit.map(|unit| unit - self.from);
        self.from = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next transaction that has come whole; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The file cannot be read on from here: it is not well-formed, or a bound is exceeded.
    pub fn next_transaction(&mut self) -> Result<Option<Transaction>, Unreadable> {
        let found = self.advance().map_err(|fault| unreadable(fault.finding(&[])));
        match found {
            Ok(Some(cut)) => self.transaction(cut).map(Some),
            Ok(None) => Ok(None),
            Err(mut error) => {
                // The place of a fault is known by its offset only; the line is counted here.
                for finding in &mut error.findings {
                    let at = finding.offset.saturating_sub(self.base).min(self.buffer.len());
                    let lines = newlines(&self.buffer[self.from.min(at)..at]);
                    finding.line = place::line(self.from_lines + lines);
                }
                Err(error)
            }
        }
    }

    /// Ends the file: reads what is left, and checks counts and sums.
    ///
    /// # Errors
    /// What is left is not well-formed, or there is no message of a supported name in the file.
    pub fn finish(mut self) -> Result<Summary, Unreadable> {
        let (mut document, mut place) = (Vec::new(), Place::default());
        let run_seen = self.body.first.is_some();
        self.body.write_head(&mut document, &mut place);
        self.body.write_rest(&mut document, &mut place);
        let lines = newlines(&document);
        place.cut_at(document.len(), self.base + self.from, self.from_lines, lines);
        document.extend_from_slice(&self.buffer[self.from..]);
        let message = read(&document, &self.limits).map_err(|mut error| {
            for finding in &mut error.findings {
                place.locate(finding);
            }
            error
        })?;
        // The first of the run has been reported, with its place.
        let run = message.document.body().and_then(|body| {
            let names = UNITS.iter().chain(&GROUPS);
            let is_run =
                |node: &Node<'_>| names.clone().any(|name| *name == node.name().as_bytes());
            body.elements().find(is_run).map(|node| node.path())
        });
        let is_in_run = |finding: &Finding| {
            run_seen && run.as_deref().is_some_and(|run| finding.path.starts_with(run))
        };
        let mut findings: Vec<Finding> = Vec::new();
        for mut finding in message.findings.iter().filter(|one| !is_in_run(one)).cloned() {
            place.locate(&mut finding);
            findings.push(finding);
        }
        for finding in self.common.drain(..) {
            if !findings.iter().any(|known| {
                (known.rule, known.offset, &known.path)
                    == (finding.rule, finding.offset, &finding.path)
            }) {
                findings.push(finding);
            }
        }
        findings.extend(self.totals.finish(&message));
        findings.sort_by_key(|finding| (finding.layer, finding.offset));
        Ok(Summary {
            message: message.name,
            header: message.header.as_ref().map(|(name, _)| *name),
            transactions: self.totals.count(),
            groups: self.group_number,
            findings,
        })
    }

    /// Looks at markup until a transaction is whole: its range in the buffer.
    fn advance(&mut self) -> Result<Option<(usize, usize)>, Fault> {
        loop {
            let rest = &self.buffer[self.at..];
            let Some(less) = memchr::memchr(b'<', rest) else {
                self.at += rest.len();
                return self.bounded(self.buffer.len()).map(|()| None);
            };
            let start = self.at + less;
            let Some(found) = cut::markup(&self.buffer[start..], self.base + start)? else {
                self.at = start;
                return self.bounded(self.buffer.len()).map(|()| None);
            };
            let end = start + found.length;
            self.at = end;
            let name = (start + found.name.0, start + found.name.1);
            let whole = match found.kind {
                Kind::Other => None,
                Kind::Start => {
                    self.open(start, name)?;
                    None
                }
                Kind::Empty => {
                    self.open(start, name)?;
                    self.close(start, name, end)?
                }
                Kind::End => self.close(start, name, end)?,
            };
            if whole.is_some() {
                return Ok(whole);
            }
            self.bounded(end)?;
        }
    }

    /// What is kept must be bounded, or a file without transactions would fill the memory.
    fn bounded(&self, end: usize) -> Result<(), Fault> {
        let (size, limit, rule) = match self.unit {
            Some(unit) => (end - unit, self.limits.bytes_max, "limit.bytes"),
            None => (end - self.from, CONTEXT_BYTES_MAX, "limit.context"),
        };
        let group = self.group.as_ref().map_or(0, |group| group.extra.len());
        if size > limit || self.body.extra.len().max(group) > CONTEXT_BYTES_MAX {
            let text = "A transaction, or what stands around transactions, is larger than allowed.";
            return Err(Fault::at(rule, self.base + self.unit.unwrap_or(self.from), text));
        }
        Ok(())
    }

    fn open(&mut self, start: usize, name: (usize, usize)) -> Result<(), Fault> {
        let text = &self.buffer[name.0..name.1];
        let depth = self.names.depth() + 1;
        if depth > self.limits.depth_max {
            let offset = self.base + start;
            return Err(Fault::at("limit.depth", offset, "Elements are nested too deep."));
        }
        let local = cut::local(text);
        if self.document_depth == 0 && local == b"Document" {
            self.document_depth = depth;
        }
        let below_body = match self.document_depth {
            0 => 0,
            document => depth.saturating_sub(document + 1),
        };
        let is_unit = UNITS.contains(&local);
        let is_group = GROUPS.contains(&local);
        self.names.push(&self.buffer[name.0..name.1]);
        if self.unit.is_some() {
            return Ok(());
        }
        if below_body == 1 && (is_unit || is_group) {
            self.take_head(start, false);
            if is_group {
                self.group = Some(Level::default());
                self.group_number += 1;
                return Ok(());
            }
            self.unit = Some(start);
        } else if below_body == 2 && is_unit && self.group.is_some() {
            self.take_head(start, true);
            self.unit = Some(start);
        }
        Ok(())
    }

    /// What stands before a transaction or group becomes the head of its level, if it is the first,
    /// or else something extra unless it is white space.
    fn take_head(&mut self, start: usize, in_group: bool) {
        let (offset, lines) = (self.base + self.from, self.from_lines);
        let level = match (&mut self.group, in_group) {
            (Some(group), true) => group,
            _ => &mut self.body,
        };
        let before = &self.buffer[self.from..start];
        if level.count == 0 {
            level.head = before.to_vec();
            level.head_at = (offset, lines);
        } else if before.iter().any(|byte| !cut::is_space(*byte)) {
            level.extra_at.push((level.extra.len(), offset, lines));
            level.extra.extend_from_slice(before);
        }
        level.count += 1;
        self.consume(start);
    }

    fn consume(&mut self, end: usize) {
        self.from_lines += newlines(&self.buffer[self.from..end]);
        self.from = end;
    }

    /// An end tag. Returns the range of the transaction that it ends.
    fn close(
        &mut self,
        start: usize,
        name: (usize, usize),
        end: usize,
    ) -> Result<Option<(usize, usize)>, Fault> {
        if !self.names.pop(&self.buffer[name.0..name.1]) {
            let text = "An end tag does not match the start tag.";
            return Err(Fault::at("xml.well-formed", self.base + start, text));
        }
        let depth = self.names.depth();
        let unit_depth = self.document_depth + 1 + usize::from(self.group.is_some());
        if let Some(unit) = self.unit {
            return Ok((depth == unit_depth).then_some((unit, end)));
        }
        if depth == self.document_depth + 1
            && let Some(group) = self.group.take()
        {
            self.end_group(&group, end);
        }
        Ok(None)
    }

    /// A group is over: a short form of it stands for it in what is read at the end.
    fn end_group(&mut self, group: &Level, end: usize) {
        if self.body.first.is_none() {
            let mut short = group.head.clone();
            short.extend_from_slice(group.first.as_deref().unwrap_or(&[]));
            short.extend_from_slice(&group.extra);
            short.extend_from_slice(&self.buffer[self.from..end]);
            self.body.first = Some(short);
        }
        self.consume(end);
    }

    /// Reads a transaction that is whole.
    fn transaction(&mut self, (start, end): (usize, usize)) -> Result<Transaction, Unreadable> {
        let mut document = Vec::with_capacity(self.body.head.len() + end - start + 512);
        let mut place = Place::default();
        for level in [Some(&self.body), self.group.as_ref()].into_iter().flatten() {
            level.write_head(&mut document, &mut place);
            if !level.extra.is_empty() {
                level.write_rest(&mut document, &mut place);
            }
        }
        let lines = newlines(&document);
        place.cut_at(document.len(), self.base + start, self.from_lines, lines);
        document.extend_from_slice(&self.buffer[start..end]);
        let (number, unit) = self.note((start, end));
        place.number(&unit, number, self.group.as_ref().map_or(0, |_| self.group_number));
        self.names.close_all(&mut document);
        let mut message = match read(&document, &self.limits) {
            Ok(message) => message,
            Err(mut error) => {
                for finding in &mut error.findings {
                    place.locate(finding);
                }
                return Err(error);
            }
        };
        let mut own = Vec::with_capacity(message.findings.len());
        for mut finding in std::mem::take(&mut message.findings) {
            let is_own = place.locate(&mut finding);
            if is_own {
                own.push(finding);
            } else if number == 1
                && self.common.len() < self.limits.findings_max
                && !self.common.contains(&finding)
            {
                self.common.push(finding);
            }
        }
        message.findings = own;
        let offset = (self.base + start) as u64;
        self.consume(end);
        self.unit = None;
        let group = self.group.as_ref().map_or(0, |_| self.group_number);
        let earlier = None;
        let mut transaction =
            Transaction { number, group, offset, message, document, place, unit, earlier };
        self.totals.add(&transaction);
        if self.uetrs.is_on()
            && let Some(uetr) = transaction.uetr()
        {
            let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            let line = transaction.place.line_of(uetr.offset(), uetr.line());
            let mark = Mark { group: narrow(group), number: narrow(number), line };
            let earlier = self.uetrs.insert(uetr.text(), mark);
            transaction.earlier = earlier;
        }
        Ok(transaction)
    }

    /// Number and name of a transaction; keeps the first of its level.
    fn note(&mut self, (start, end): (usize, usize)) -> (u64, String) {
        let bytes = &self.buffer[start..end];
        let level = self.group.as_mut().unwrap_or(&mut self.body);
        if level.first.is_none() {
            level.first = Some(bytes.to_vec());
        }
        let name_end = bytes.iter().position(|byte| b" \t\r\n/>".contains(byte));
        let unit = cut::local(&bytes[1..name_end.unwrap_or(bytes.len())]);
        (level.count, String::from_utf8_lossy(unit).into_owned())
    }
}

impl Level {
    fn write_head(&self, out: &mut Vec<u8>, place: &mut Place) {
        place.cut_at(out.len(), self.head_at.0, self.head_at.1, newlines(out));
        out.extend_from_slice(&self.head);
    }

    /// The first of the run, which stood right behind the head, and what followed.
    fn write_rest(&self, out: &mut Vec<u8>, place: &mut Place) {
        out.extend_from_slice(self.first.as_deref().unwrap_or(&[]));
        let ends = self.extra_at.iter().skip(1).map(|(start, ..)| *start);
        let ends = ends.chain([self.extra.len()]);
        for ((start, offset, lines), end) in self.extra_at.iter().zip(ends) {
            place.cut_at(out.len(), *offset, *lines, newlines(out));
            out.extend_from_slice(&self.extra[*start..end]);
        }
    }
}
