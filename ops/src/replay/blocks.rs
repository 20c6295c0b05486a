//! Blocks from their records: form, leaf hashes and signatures, all that needs no state.
//!
//! A [`Group`] holds the records of whole blocks, each ended by its seal. Reading is strict: the order
//! of records is that of the format, and each command's bytes are exactly one record. Whether a key
//! belongs to its bank, and what a command does, is for the replay.

use bytes::Bytes;
use ledger::{NodeStep, Seat};
use proof::{
    Hash,
    checkpoint::Checkpoint,
    record::{self, PROGRESS_BODY_BYTES, Record, Seal},
    tree::leaf_hash,
};
use wire::batch::{Domain, HEADER_BYTES, SignedBatch, VerifiedBatch};

/// The records of whole blocks, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Group {
    bytes: Vec<u8>,
    /// End of each record.
    ends: Vec<usize>,
    /// How many records are in whole blocks.
    whole: usize,
    /// How far the source was read then.
    pub(crate) done: u64,
    /// The checkpoint at whose size the whole blocks end.
    pub(crate) edge: Option<Checkpoint>,
}

impl Group {
    /// Adds a record.
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
        if record.first() == Some(&record::KIND_SEAL) {
            self.whole = self.ends.len();
        }
    }

    /// Records of whole blocks.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// Bytes of a block that is not ended yet.
    pub(crate) fn open_bytes(&self) -> usize {
        self.bytes.len() - self.start(self.whole)
    }

    /// Takes the whole blocks and leaves the rest.
    pub(crate) fn take(&mut self) -> Self {
        let cut = self.start(self.whole);
        let rest = Self {
            bytes: self.bytes.split_off(cut),
            ends: self.ends.split_off(self.whole).into_iter().map(|end| end - cut).collect(),
            whole: 0,
            done: self.done,
            edge: None,
        };
        std::mem::replace(self, rest)
    }

    fn start(&self, record: usize) -> usize {
        record.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// A batch whose signatures hold, with the answers that its records give.
pub(crate) struct CheckedBatch {
    pub(crate) batch: VerifiedBatch,
    /// Numbered answer, and leaf of the first answer, of each command.
    pub(crate) answers: Vec<(u16, Option<u64>)>,
}

/// A block with all that can be said without the state.
pub(crate) struct CheckedBlock {
    pub(crate) batches: Vec<CheckedBatch>,
    pub(crate) progress: Vec<[u8; PROGRESS_BODY_BYTES]>,
    pub(crate) exchanges: Vec<Vec<u8>>,
    pub(crate) notices: Vec<Vec<u8>>,
    pub(crate) step: Option<NodeStep>,
    pub(crate) seal: Seal,
    /// Leaf hashes of all its records.
    pub(crate) leaves: Vec<Hash>,
    pub(crate) signatures: u64,
    bytes: Bytes,
    ends: Vec<usize>,
}

impl CheckedBlock {
    /// Canonical bytes of all its records, the seal last.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(from, end)| &self.bytes[*from..*end])
    }
}

/// A block before its signatures are checked.
#[derive(Default)]
struct Read {
    batches: Vec<(SignedBatch, Answers)>,
    progress: Vec<[u8; PROGRESS_BODY_BYTES]>,
    exchanges: Vec<Vec<u8>>,
    notices: Vec<Vec<u8>>,
    step: Option<NodeStep>,
    leaves: Vec<Hash>,
    bytes: Bytes,
    /// End of each record, from the beginning of the block.
    ends: Vec<usize>,
}

impl Read {
    /// Whether exchanges or notices were there, after which only they and the seal come.
    fn is_closing(&self) -> bool {
        !self.exchanges.is_empty() || !self.notices.is_empty()
    }
}

/// Answers and lengths of the commands of a batch.
#[derive(Default)]
struct Answers {
    answers: Vec<(u16, Option<u64>)>,
    lengths: Vec<usize>,
}

/// A batch whose commands are still coming.
struct Open<'a> {
    head: &'a [u8],
    left: usize,
    bytes: Vec<u8>,
    said: Answers,
}

/// Reads and checks the blocks of a group. The error names what is wrong.
pub(crate) fn check(group: Group, domain: &Domain) -> Result<Vec<CheckedBlock>, String> {
    let (mut found, mut read) = (Vec::new(), Read::default());
    let mut open: Option<Open<'_>> = None;
    let all = Bytes::from(group.bytes);
    let (mut block_from, mut from) = (0, 0);
    for end in &group.ends[..group.whole] {
        let bytes = &all[from..*end];
        from = *end;
        read.leaves.push(leaf_hash(bytes));
        read.ends.push(end - block_from);
        match record::decode(bytes).map_err(|error| format!("a record is none: {error}"))? {
            Record::Batch(body) => {
                let late = !read.progress.is_empty() || read.is_closing() || read.step.is_some();
                if open.is_some() || late {
                    return Err("a batch is not in its place".to_owned());
                }
                open = Some(Open::new(body)?);
            }
            Record::Command { answer, original, command } => {
                let Some(batch) = &mut open else {
                    return Err("a command belongs to no batch".to_owned());
                };
                batch.bytes.extend_from_slice(command);
                batch.said.answers.push((answer, original));
                batch.said.lengths.push(command.len());
                batch.left -= 1;
            }
            _ if open.is_some() => return Err("a batch lacks commands".to_owned()),
            Record::Seal(seal) => {
                read.bytes = all.slice(block_from..*end);
                block_from = *end;
                found.push((seal, std::mem::take(&mut read)));
            }
            _ if read.step.is_some() => return Err("a step is not the last record".to_owned()),
            Record::Progress(_) if read.is_closing() => {
                return Err("a change of a waiting transfer is not in its place".to_owned());
            }
            Record::Progress(body) => read.progress.push(*body),
            Record::Exchange(_) if !read.notices.is_empty() => {
                return Err("an exchange is not in its place".to_owned());
            }
            Record::Exchange(body) => read.exchanges.push(body.to_vec()),
            Record::Notice(body) => read.notices.push(body.to_vec()),
            Record::Step { .. } if !read.batches.is_empty() => {
                return Err("a step is not in a block of its own".to_owned());
            }
            Record::Step { node, seat } => {
                let seat = Seat::from_number(seat).ok_or("a step to an unknown seat")?;
                read.step = Some(NodeStep { node, seat });
            }
            Record::Genesis { .. } => return Err("a second genesis".to_owned()),
        }
        if let Some(whole) = open.take_if(|batch| batch.left == 0) {
            read.batches.push(whole.end()?);
        }
    }
    signed(found, domain)
}

impl<'a> Open<'a> {
    fn new(body: &'a [u8]) -> Result<Self, String> {
        let header = body.get(..HEADER_BYTES).ok_or("a batch is too short")?;
        let count = u32::from_le_bytes(header[50..54].try_into().expect("4 bytes of a header"));
        if count == 0 {
            return Err("a batch without commands".to_owned());
        }
        let said = Answers::default();
        Ok(Self { head: body, left: count as usize, bytes: header.to_vec(), said })
    }

    fn end(mut self) -> Result<(SignedBatch, Answers), String> {
        self.bytes.extend_from_slice(&self.head[HEADER_BYTES..]);
        let batch = SignedBatch::decode(Bytes::from(self.bytes)).map_err(|e| e.to_string())?;
        Ok((batch, self.said))
    }
}

/// Checks all signatures together; if they do not hold, block by block, to name the one.
fn signed(found: Vec<(Seal, Read)>, domain: &Domain) -> Result<Vec<CheckedBlock>, String> {
    let all = found.iter().flat_map(|(_, read)| &read.batches).map(|(batch, _)| batch.clone());
    let mut verified = match SignedBatch::verify_together(all.collect(), domain) {
        Ok(verified) => verified.into_iter(),
        Err(error) => {
            for (seal, read) in &found {
                let own = read.batches.iter().map(|(batch, _)| batch.clone()).collect();
                SignedBatch::verify_together(own, domain)
                    .map_err(|error| format!("block {}: {error}", seal.height))?;
            }
            return Err(error.to_string());
        }
    };
    let mut blocks = Vec::with_capacity(found.len());
    for (seal, read) in found {
        let (mut batches, mut signatures) = (Vec::with_capacity(read.batches.len()), 0);
        for (_, Answers { answers, lengths }) in read.batches {
            let batch = verified.next().expect("as many come out as went in");
            let cut = |(at, length): (usize, &usize)| batch.command_slice(at).len() == *length;
            if !lengths.iter().enumerate().all(cut) {
                return Err(format!("block {}: a record is not one command", seal.height));
            }
            signatures += batch.batch().authorisations.len() as u64;
            batches.push(CheckedBatch { batch, answers });
        }
        let Read { progress, exchanges, notices, step, leaves, bytes, ends, .. } = read;
        blocks.push(CheckedBlock {
            batches,
            progress,
            exchanges,
            notices,
            step,
            seal,
            leaves,
            signatures,
            bytes,
            ends,
        });
    }
    Ok(blocks)
}
