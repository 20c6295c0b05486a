#![allow(clippy::unwrap_used)]

use std::{
    io,
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use translate::{AnswerContext, Fate, Reason, References};
use wire::ledger::{Digest, LedgerTime, Refusal, TransferId};

use super::*;

/// A disk that forgets on a crash what was not synced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<DiskState>);

#[derive(Debug, Default)]
pub(crate) struct DiskState {
    live: Mutex<Vec<u8>>,
    durable: Mutex<Vec<u8>>,
    syncs: AtomicU64,
    /// Syncs that succeed before they all fail; 0: no limit.
    syncs_max: AtomicU64,
    sync_time: Mutex<Duration>,
}

impl Disk {
    /// What is left after the power failed.
    pub(crate) fn after_crash(&self) -> Self {
        let durable = self.0.durable.lock().unwrap().clone();
        let disk = Self::default();
        *disk.0.live.lock().unwrap() = durable.clone();
        *disk.0.durable.lock().unwrap() = durable;
        disk
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.live.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let live = self.0.live.lock().unwrap();
        let range = offset as usize..offset as usize + out.len();
        out.copy_from_slice(live.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.live.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        std::thread::sleep(*self.0.sync_time.lock().unwrap());
        let number = self.0.syncs.fetch_add(1, Ordering::SeqCst) + 1;
        let max = self.0.syncs_max.load(Ordering::SeqCst);
        if max != 0 && number > max {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0.durable.lock().unwrap().clone_from(&self.0.live.lock().unwrap());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut live = self.0.live.lock().unwrap();
        live[offset as usize..offset as usize + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn context(id: &str) -> AnswerContext {
    AnswerContext {
        message_id: id.to_owned(),
        message_name: "pacs.008.001.08".to_owned(),
        created: None,
        header_id: None,
        sender: "AAAADEFF".parse().unwrap(),
        group_reasons: Vec::new(),
        transactions: vec![References::default()],
    }
}

fn transfer(number: u8) -> TransferRow {
    TransferRow {
        uetr: TransferId([number; 16]),
        instruction: Digest([number; 32]),
        command: Bytes::from(vec![number; 90]),
        salted: Digest([number; 32]),
        sealed: Bytes::from(vec![number; 700]),
    }
}

fn message(number: u8) -> NewMessage {
    let sequence = u64::from(number);
    let raw = Bytes::from(format!("<Document>{number}</Document>"));
    NewMessage {
        sequence,
        row: MessageRow {
            key: MessageKey::of(&raw),
            received_ns: 5,
            context: Some(context("M")),
            transactions: vec![TransactionRow::Payment(Place { message: sequence, index: 0 })],
            raw,
        },
        transfers: vec![NewTransfer { index: 0, row: transfer(number) }],
        named: Vec::new(),
        staged: None,
        answer: None,
    }
}

fn accept(number: u8) -> Write {
    Write::Accept(Box::new(message(number)))
}

fn settle(number: u8) -> Write {
    let place = Place { message: u64::from(number), index: 0 };
    let answer =
        Answer { kind: AnswerKind::Report, xml: Bytes::from_static(b"<Report/>"), height: None };
    Write::Settle(Settlement {
        fates: vec![(place, Fate::Settled { time: LedgerTime(7) })],
        answers: vec![(u64::from(number), answer)],
        receipts: Vec::new(),
    })
}

fn entry(number: u8) -> OutboxEntry {
    OutboxEntry {
        kind: OutboxKind::Message("pacs.008.001.08".to_owned()),
        uetr: TransferId([number; 16]),
        settled: LedgerTime(1),
        received_ns: 2,
        leaf: u64::from(number),
        credits: vec![Credit {
            debtor: "BANKDEFF".to_owned(),
            currency: "EUR".to_owned(),
            amount: "10.00".to_owned(),
        }],
        content: Bytes::from(vec![number; 100]),
    }
}

#[tokio::test]
async fn what_was_confirmed_survives_a_crash_and_nothing_half_does() {
    let disk = Disk::default();
    let store = Store::open_backend(disk.clone()).unwrap();
    store.write(accept(1)).await.unwrap();
    store.write(accept(2)).await.unwrap();
    store.write(settle(1)).await.unwrap();
    let cursor = Cursor { height: 4, commands: 2 };
    store.write(Write::Deliver(vec![entry(1).into(), entry(2).into()], cursor)).await.unwrap();
    store.write(Write::Acknowledge(OutboxReader::Http, 1)).await.unwrap();

    let store = Store::open_backend(disk.after_crash()).unwrap();
    assert_eq!(store.next_message(), 3);
    assert_eq!(store.open_messages().unwrap(), [2]);
    let key = MessageKey::of(b"<Document>1</Document>");
    assert_eq!(store.find_message(&key).unwrap(), Some(1));
    let mut row = message(1).row;
    let raw = std::mem::take(&mut row.raw);
    assert_eq!(store.message(1).unwrap().unwrap(), row);
    assert_eq!(store.raw_message(1).unwrap(), Some(raw));
    assert_eq!(&store.answer(1).unwrap().unwrap().xml[..], b"<Report/>");
    assert_eq!(store.answer(2).unwrap(), None);
    let place = store.find_payment(&TransferId([2; 16])).unwrap().unwrap();
    assert_eq!(place, Place { message: 2, index: 0 });
    assert_eq!(store.payment(place).unwrap().unwrap(), transfer(2));
    assert_eq!(store.fate(place).unwrap(), None);
    let settled = Place { message: 1, index: 0 };
    assert_eq!(store.fate(settled).unwrap(), Some(Fate::Settled { time: LedgerTime(7) }));
    assert_eq!(store.delivery_cursor().unwrap(), cursor);
    assert_eq!(store.acknowledged(OutboxReader::Http).unwrap(), 1);
    assert_eq!(*store.outbox_last().borrow(), 2);
    let rest = store.outbox(1, 10, 1 << 20).unwrap();
    assert_eq!(rest, [(2, entry(2))]);
}

#[tokio::test]
async fn a_crash_before_the_sync_leaves_the_state_before() {
    let disk = Disk::default();
    let store = Store::open_backend(disk.clone()).unwrap();
    store.write(accept(1)).await.unwrap();
    disk.0.syncs_max.store(disk.0.syncs.load(Ordering::SeqCst), Ordering::SeqCst);
    assert!(matches!(store.write(accept(2)).await, Err(StoreError::Failed(_))));
    assert!(!store.is_healthy());
    assert!(*store.failed().borrow());
    assert!(matches!(store.write(accept(3)).await, Err(StoreError::Failed(_))), "it stays failed");

    let store = Store::open_backend(disk.after_crash()).unwrap();
    assert_eq!(store.open_messages().unwrap(), [1]);
    assert_eq!(store.next_message(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_share_commits_and_each_waits_for_its_own() {
    let disk = Disk::default();
    let store = Store::open_backend(disk.clone()).unwrap();
    *disk.0.sync_time.lock().unwrap() = Duration::from_millis(5);
    let before = disk.0.syncs.load(Ordering::SeqCst);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=200 {
        let store = store.clone();
        tasks.spawn(async move { store.write(accept(number)).await.unwrap() });
    }
    tasks.join_all().await;
    let syncs = disk.0.syncs.load(Ordering::SeqCst) - before;
    assert!(syncs < 50, "200 writes took {syncs} syncs");
    assert_eq!(
        Store::open_backend(disk.after_crash()).unwrap().open_messages().unwrap().len(),
        200
    );
}

#[tokio::test]
async fn a_commit_is_one_sync() {
    let disk = Disk::default();
    let store = Store::open_backend(disk.clone()).unwrap();
    store.write(accept(1)).await.unwrap();
    let before = disk.0.syncs.load(Ordering::SeqCst);
    store.write(accept(2)).await.unwrap();
    store.write(settle(2)).await.unwrap();
    assert_eq!(disk.0.syncs.load(Ordering::SeqCst) - before, 2);
}

#[tokio::test]
async fn acknowledgements_never_go_back_or_ahead_and_pages_are_bounded() {
    let store = Store::open_backend(Disk::default()).unwrap();
    let entries = (1..=10).map(|number| entry(number).into()).collect();
    store.write(Write::Deliver(entries, Cursor { height: 1, commands: 0 })).await.unwrap();
    store.write(Write::Acknowledge(OutboxReader::Http, 7)).await.unwrap();
    store.write(Write::Acknowledge(OutboxReader::Http, 3)).await.unwrap();
    assert_eq!(store.acknowledged(OutboxReader::Http).unwrap(), 7);
    assert_eq!(store.acknowledged(OutboxReader::Folder).unwrap(), 0, "each way has its own");
    store.write(Write::Acknowledge(OutboxReader::Http, u64::MAX)).await.unwrap();
    assert_eq!(store.acknowledged(OutboxReader::Http).unwrap(), 10);
    assert_eq!(store.outbox(0, 4, 1 << 20).unwrap().len(), 4);
    assert_eq!(store.outbox(0, 10, 250).unwrap().len(), 2);
    assert_eq!(store.outbox(0, 10, 1).unwrap().len(), 1, "one is always given");
    assert!(store.outbox(u64::MAX, 10, 1).unwrap().is_empty());
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        any::<u64>().prop_map(|time| Fate::Settled { time: LedgerTime(time) }),
        prop::sample::select(Refusal::ALL).prop_map(Fate::Refused),
        "[a-z]{0,20}".prop_map(|text| Fate::Rejected(vec![Reason::new("NARR", &text)])),
    ]
}

proptest! {
    #[test]
    fn message_rows_round_trip(
        raw in prop::collection::vec(any::<u8>(), 0..2000),
        fates in prop::collection::vec(fate(), 0..5),
        place: (u64, u32),
    ) {
        let mut transactions: Vec<_> = fates.into_iter().map(TransactionRow::Known).collect();
        transactions.push(TransactionRow::Payment(Place { message: place.0, index: place.1 }));
        let key = MessageKey::of(&raw);
        let row = MessageRow { key, received_ns: 1, context: Some(context("X")), transactions, raw: raw.into() };
        let (read, kept) = MessageRow::decode(&row.encode(None).unwrap()).unwrap();
        let raw = kept.text(None, 0).unwrap().unwrap().text;
        prop_assert_eq!(MessageRow { raw, ..read }, row);
    }

    #[test]
    fn damaged_rows_are_errors(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..100) {
        let _ = MessageRow::decode(&bytes);
        let _ = TransferRow::decode(&bytes);
        let _ = Answer::decode(&bytes);
        let _ = OutboxEntry::decode(&bytes, None);
        let whole = transfer(1).encode();
        prop_assert!(TransferRow::decode(&whole[..cut]).is_err());
    }
}

/// What the making of a store writes, up to the sync with this number, and nothing after it.
fn cut_off_after(syncs: u64) -> Disk {
    let disk = Disk::default();
    disk.0.syncs_max.store(syncs, Ordering::SeqCst);
    assert!(syncs == 0 || Store::open_backend(disk.clone()).is_err(), "it needs more syncs");
    disk
}

#[test]
fn a_store_that_was_cut_off_while_it_was_made_is_made_anew() {
    for syncs in 1..3 {
        let disk = cut_off_after(syncs);
        // With the power lost, and with the process killed.
        assert!(Store::open_backend(disk.after_crash()).is_ok(), "{syncs}");
        disk.0.syncs_max.store(0, Ordering::SeqCst);
        assert!(Store::open_backend(disk).is_ok(), "{syncs}");
    }
    let zeros = Disk::default();
    zeros.set_len(1 << 20).unwrap();
    assert!(Store::open_backend(zeros).is_ok());
}

#[test]
fn a_store_without_its_mark_that_holds_something_is_refused() {
    let disk = Disk::default();
    drop(Store::open_backend(disk.clone()).unwrap());
    // The thread of the store may close it a moment later.
    while Arc::strong_count(&disk.0) > 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
    disk.write(0, &[0; 9]).unwrap();
    let before = disk.0.live.lock().unwrap().clone();
    assert!(matches!(Store::open_backend(disk.clone()), Err(StoreError::Open(_))));
    assert!(before == *disk.0.live.lock().unwrap(), "nothing of it was changed");
}
