//! The threads that read the disk for the loop, so that the loop never waits for it.

use std::{io, path::PathBuf, sync::Arc, thread};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use ledger::{Generation, IdEntry, LedgerTime, Outcome, TransferId};
use link::{ClientServer, OutFrame, SendResult};
use wire::{
    batch::{Domain, Submission},
    block::RawBlock,
    client::{self, Cursor, Delivery, QueryAnswer, TransferFound},
    codec::Reader as CodecReader,
};

use super::Loop;
use crate::{
    deliver,
    event::{Event, Find, Scan},
    limits::{READS_MAX, SCAN_BYTES_MAX},
    prepare::OldIdSource,
    store::{
        history::{HistoryBlock, HistoryReader},
        runs::{RunError, RunSets, write_run},
        vfs::Vfs,
        wal::WalReader,
    },
    subscribers::frames,
};

/// The runs on disk as the source of old ids.
pub(super) struct OldIdsOnDisk(pub(super) RunSets);

impl OldIdSource for OldIdsOnDisk {
    fn version(&self) -> u64 {
        self.0.version()
    }

    fn find(&self, id: &TransferId) -> Result<Option<IdEntry>, io::Error> {
        let found = self.0.lookup(&id.0).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(found.map(|value| {
            let mut row = [0; 32];
            row[..16].copy_from_slice(&id.0);
            row[16..].copy_from_slice(&value);
            IdEntry::from_row(&row).1
        }))
    }
}

/// Writes a generation of ids to disk and publishes it, unless a run with its number is there.
pub(super) fn write_generation(
    vfs: &Arc<dyn Vfs>,
    dir: &std::path::Path,
    runs: &RunSets,
    number: u64,
    generation: &Generation,
) -> Result<(), RunError> {
    // A run holds exactly the ids of its number, so one that was written before is the same.
    if number < runs.version() {
        return Ok(());
    }
    let rows = generation.rows().collect();
    let run = write_run(Arc::clone(vfs), dir, number, rows)?;
    runs.publish(run);
    Ok(())
}

/// Where to read from.
pub(super) struct Sources {
    pub(super) domain: Domain,
    pub(super) log: WalReader,
    pub(super) history: HistoryReader,
    pub(super) runs: RunSets,
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) runs_dir: PathBuf,
}

enum Bulk {
    Fetch(order::Fetch),
    Scan(Scan),
    WriteRun(u64, Arc<Generation>),
}

/// Queues of the reading threads.
pub(super) struct Reader {
    bulk: Sender<Bulk>,
    finds: Sender<Find>,
}

impl Reader {
    pub(super) fn start(
        sources: Arc<Sources>,
        handle: Loop,
        clients: Arc<ClientServer>,
    ) -> io::Result<Self> {
        let (bulk, bulk_queue) = bounded(READS_MAX);
        let (finds, find_queue) = bounded(READS_MAX);
        let worker = Worker { sources: Arc::clone(&sources), handle: handle.clone(), clients };
        let finder = Worker { sources, handle, clients: Arc::clone(&worker.clients) };
        thread::Builder::new()
            .name("disk-bulk".to_owned())
            .spawn(move || worker.bulk(&bulk_queue))?;
        thread::Builder::new()
            .name("disk-find".to_owned())
            .spawn(move || finder.finds(&find_queue))?;
        Ok(Self { bulk, finds })
    }

    pub(super) fn write_run(&self, number: u64, generation: Arc<Generation>, handle: &Loop) {
        if self.bulk.try_send(Bulk::WriteRun(number, generation)).is_err() {
            // It stays in memory until the next start writes it.
            handle.fail(format!("generation {number} of ids cannot be queued for the disk"));
        }
    }

    pub(super) fn fetch(&self, fetch: order::Fetch, handle: &Loop) {
        if self.bulk.try_send(Bulk::Fetch(fetch)).is_err() {
            // The follower is asked again later by Raft itself.
            let _ = handle.events.try_send(Event::Fetched { token: fetch.token, entries: None });
        }
    }

    pub(super) fn scan(&self, scan: Scan, handle: &Loop) {
        if let Err(TrySendError::Full(Bulk::Scan(scan))) = self.bulk.try_send(Bulk::Scan(scan)) {
            let (session, stream, after) = (scan.session, scan.stream, scan.after);
            let _ = handle.events.try_send(Event::DeliveryFailed { session, stream, after });
        }
    }

    pub(super) fn find(&self, find: Find, clients: &ClientServer) {
        if let Err(TrySendError::Full(find)) = self.finds.try_send(find) {
            answer(clients, &find, &QueryAnswer::Failed("too many questions wait".to_owned()));
        }
    }
}

struct Worker {
    sources: Arc<Sources>,
    handle: Loop,
    clients: Arc<ClientServer>,
}

impl Worker {
    fn bulk(&self, queue: &Receiver<Bulk>) {
        for work in queue {
            match work {
                Bulk::Fetch(fetch) => self.fetch(fetch),
                Bulk::Scan(scan) => self.scan(&scan),
                Bulk::WriteRun(number, generation) => self.write(number, &generation),
            }
        }
    }

    fn finds(&self, queue: &Receiver<Find>) {
        for find in queue {
            let found = self.sources.find(&find).unwrap_or_else(|error| {
                tracing::warn!(transfer = %find.id, error, "could not look a transfer up");
                QueryAnswer::Failed(error)
            });
            answer(&self.clients, &find, &found);
        }
    }

    fn write(&self, number: u64, generation: &Generation) {
        let sources = &self.sources;
        match write_generation(&sources.vfs, &sources.runs_dir, &sources.runs, number, generation) {
            Ok(()) => self.handle.send(Event::RunWritten { generation: number }),
            Err(error) => self.handle.fail(format!("write generation {number} of ids: {error}")),
        }
    }

    fn fetch(&self, fetch: order::Fetch) {
        let entries = match self.sources.log.read(fetch.low, fetch.high, fetch.bytes_max) {
            Ok(entries) => Some(
                entries
                    .into_iter()
                    .map(|entry| order::Entry {
                        index: entry.index,
                        term: entry.term,
                        data: entry.data,
                    })
                    .collect(),
            ),
            Err(error) => {
                tracing::warn!(low = fetch.low, %error, "could not read the log for a follower");
                None
            }
        };
        self.handle.send(Event::Fetched { token: fetch.token, entries });
    }

    fn scan(&self, scan: &Scan) {
        let (session, stream) = (scan.session, scan.stream);
        let found = self.sources.search(scan);
        let (items, reached) = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(session, error, "could not search the history");
                return self.clients.close_session(session, "the history cannot be read");
            }
        };
        for (payload, after) in frames(&items, scan.after, reached) {
            let frame = OutFrame::new(client::KIND_DELIVERIES, client::FRAME_VERSION, payload);
            match self.clients.send(session, frame) {
                SendResult::Sent => {}
                SendResult::Gone => return,
                SendResult::Full => {
                    return self.handle.send(Event::DeliveryFailed { session, stream, after });
                }
            }
        }
        self.handle.send(Event::Scanned { session, stream, reached });
    }
}

fn answer(clients: &ClientServer, find: &Find, answer: &QueryAnswer) {
    let payload = answer.encode(find.number);
    let frame = OutFrame::new(client::KIND_ANSWER, client::FRAME_VERSION, payload);
    // A session that is gone or does not read asks again.
    let _ = clients.send(find.session, frame);
}

/// A block of the history taken apart.
struct Past {
    height: u64,
    time: LedgerTime,
    first_leaf: u64,
    submissions: Vec<Submission>,
    outcomes: Vec<Vec<Outcome>>,
}

impl Past {
    fn read(block: HistoryBlock, domain: &Domain) -> Result<Self, String> {
        let bad = |error: &dyn std::fmt::Display| format!("block {}: {error}", block.height);
        let raw = RawBlock::decode(block.block.clone()).map_err(|error| bad(&error))?;
        let submissions = raw.trusted(domain).map_err(|error| bad(&error))?.submissions;
        let mut reader = CodecReader::new(block.outcome.clone());
        let mut outcomes = Vec::with_capacity(submissions.len());
        for submission in &submissions {
            let own = (0..submission.batch.signed().len())
                .map(|_| client::read_outcome(&mut reader))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| bad(&error))?;
            outcomes.push(own);
        }
        Ok(Self {
            height: block.height,
            time: LedgerTime(block.time_ns),
            first_leaf: block.first_leaf,
            submissions,
            outcomes,
        })
    }

    fn commands(&self) -> impl Iterator<Item = deliver::Applied<'_>> {
        let pairs = self.submissions.iter().zip(self.outcomes.iter().map(Vec::as_slice));
        deliver::commands(self.height, self.time, self.first_leaf, pairs)
    }
}

impl Sources {
    /// Deliveries after the scan's place, as far as one reading goes, and how far that was.
    fn search(&self, scan: &Scan) -> Result<(Vec<Delivery>, Cursor), String> {
        let mut items = Vec::new();
        let mut reached = scan.after;
        let from = if scan.after.commands == u32::MAX {
            scan.after.height + 1
        } else {
            // Height 0 is genesis; the first block is 1.
            scan.after.height.max(1)
        };
        let blocks =
            self.history.scan(from, SCAN_BYTES_MAX as u64).map_err(|error| error.to_string())?;
        for block in blocks {
            let past = Past::read(block, &self.domain)?;
            items.extend(
                past.commands()
                    .filter(|applied| applied.cursor > scan.after)
                    .filter(|applied| applied.credited(&scan.owners).contains(&scan.participant))
                    .map(|applied| applied.delivery()),
            );
            reached = Cursor { height: past.height, commands: u32::MAX };
        }
        Ok((items, reached))
    }

    fn find(&self, find: &Find) -> Result<QueryAnswer, String> {
        let entry = match find.entry {
            Some(entry) => Some(entry),
            None => OldIdsOnDisk(self.runs.clone()).find(&find.id).map_err(|e| e.to_string())?,
        };
        let Some(entry) = entry else { return Ok(QueryAnswer::Transfer(None)) };
        let mut found = TransferFound {
            answer: entry.answer(),
            leaf: entry.leaf,
            height: 0,
            time: LedgerTime(0),
            command: Bytes::new(),
        };
        if let Some(past) = self.past_of_leaf(entry.leaf)? {
            found.height = past.height;
            found.time = past.time;
            let own = past.commands().find(|applied| applied.leaf == entry.leaf);
            if let Some(applied) = own
                && deliver::takes_part(applied.command(), find.participant, &find.owners)
            {
                found.command = applied.submission.batch.command_bytes(applied.position);
            }
        }
        Ok(QueryAnswer::Transfer(Some(found)))
    }

    /// The block that holds a leaf; nothing for genesis, and for a block so fresh that the history
    /// does not have it yet.
    fn past_of_leaf(&self, leaf: u64) -> Result<Option<Past>, String> {
        let Some(height) = self.history.block_of_leaf(leaf) else { return Ok(None) };
        let block = self.history.block(height).map_err(|error| error.to_string())?;
        block.map(|block| Past::read(block, &self.domain)).transpose()
    }
}

/// A transfer as the status page and the JSON interface show it.
#[derive(Debug, serde::Serialize)]
pub(super) struct TransferView {
    pub(super) uetr: String,
    pub(super) answer: &'static str,
    pub(super) code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iso_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    pub(super) leaf: u64,
    pub(super) height: u64,
    pub(super) time_ns: u64,
    pub(super) legs: Vec<LegView>,
}

/// One leg of a transfer.
#[derive(Debug, serde::Serialize)]
pub(super) struct LegView {
    pub(super) debit: String,
    pub(super) credit: String,
    pub(super) amount_minor: u64,
}

/// Looks transfers up for this node's operator.
#[derive(Clone)]
pub(super) struct Lookup {
    pub(super) sources: Arc<Sources>,
}

impl Lookup {
    /// The transfer with its legs by account number; blocking.
    pub(super) fn find(
        &self,
        id: &TransferId,
        entry: Option<IdEntry>,
        name: impl Fn(ledger::AccountNumber) -> String,
    ) -> Result<Option<TransferView>, String> {
        let entry = match entry {
            Some(entry) => Some(entry),
            None => OldIdsOnDisk(self.sources.runs.clone()).find(id).map_err(|e| e.to_string())?,
        };
        let Some(entry) = entry else { return Ok(None) };
        let past = self.sources.past_of_leaf(entry.leaf)?;
        let (height, time) = past.as_ref().map_or((0, 0), |past| (past.height, past.time.0));
        let mut legs = Vec::new();
        if let Some(past) = &past
            && let Some(applied) = past.commands().find(|applied| applied.leaf == entry.leaf)
            && let ledger::Command::Transfer(transfer) = applied.command()
        {
            legs.extend(transfer.legs.as_slice().iter().map(|leg| LegView {
                debit: name(leg.debit),
                credit: name(leg.credit),
                amount_minor: leg.amount.minor(),
            }));
        }
        let refusal = match entry.answer() {
            ledger::Answer::Settled => None,
            ledger::Answer::Refused(refusal) => Some(refusal),
        };
        Ok(Some(TransferView {
            uetr: id.to_string(),
            answer: if refusal.is_some() { "refused" } else { "settled" },
            code: entry.code,
            iso_code: refusal.map(|refusal| refusal.iso_code()),
            reason: refusal.map(|refusal| refusal.operator_text()),
            leaf: entry.leaf,
            height,
            time_ns: time,
            legs,
        }))
    }
}
