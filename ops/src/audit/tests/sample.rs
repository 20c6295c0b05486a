//! The log of a small network, and a server that hands it out as a node does.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use ed25519_dalek::SigningKey;
use ledger::{
    Access, AccountNumber, Amount, BatchContext, Command, Digest, EraseDocument, Height,
    LedgerTime, Leg, Legs, OldIds, ParticipantNumber, RecordAccess, Transfer, TransferId,
};
use proof::{
    checkpoint::{Checkpoint, origin},
    key::{KeyType, NoteSigner},
    note::Note,
    record::{self, Seal},
    tile::{TileName, put_entry},
    tree::Frontier,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use wire::{
    batch::{BatchBuilder, SignedBatch},
    genesis::{
        Genesis, RawAccount, RawAsset, RawFunding, RawGenesis, RawNode, RawParticipant, hex,
    },
};

/// Payments in each block.
pub(super) const PAYMENTS_A_BLOCK: u64 = 25;
/// Each of so many blocks has the record of an access and a certificate of erasure besides.
pub(super) const BLOCKS_AN_ACCESS: u64 = 5;
const BANKS: [&str; 3] = ["BANKAAAA", "BANKBBBB", "BANKCCCC"];

/// A log that is served until it is dropped.
pub(super) struct Log {
    folder: TempDir,
    address: String,
    logs: [(Vec<Vec<u8>>, String); 3],
    served: Served,
    server: tokio::task::JoinHandle<()>,
}

type Served = Arc<Mutex<Arc<(Vec<Vec<u8>>, String)>>>;

impl Drop for Log {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Log {
    /// Makes a log of so many blocks and serves it.
    pub(super) async fn serve(blocks: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = genesis_text();
        std::fs::write(folder.path().join("genesis.toml"), &text).unwrap();
        let genesis = Genesis::parse(text.as_bytes()).unwrap();
        let logs = [0, 1, 2].map(|more| records(&genesis, blocks + more));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served: Served = Arc::new(Mutex::new(Arc::new(logs[0].clone())));
        let shown = Arc::clone(&served);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(BufReader::new(stream), Arc::clone(&shown)));
            }
        });
        Self { folder, address, logs, served, server }
    }

    /// Adds a block; twice at most.
    pub(super) fn grow(&self) {
        let next = self.logs.iter().find(|log| log.0.len() as u64 > self.leaves()).unwrap();
        *self.served.lock().unwrap() = Arc::new(next.clone());
    }

    pub(super) fn network(&self) -> [u8; 32] {
        Genesis::parse(genesis_text().as_bytes()).unwrap().domain.network
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    pub(super) fn genesis_file(&self) -> PathBuf {
        self.folder.path().join("genesis.toml")
    }

    pub(super) fn leaves(&self) -> u64 {
        self.served.lock().unwrap().0.len() as u64
    }
}

async fn answer(mut stream: BufReader<tokio::net::TcpStream>, shown: Served) -> Option<()> {
    loop {
        let mut request = String::new();
        stream.read_line(&mut request).await.ok().filter(|read| *read > 0)?;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        }
        let path = request.split(' ').nth(1)?;
        let served = Arc::clone(&shown.lock().unwrap());
        let body = match TileName::parse(path.trim_start_matches('/')) {
            Some(name) => {
                let from = name.number as usize * 256;
                let mut bundle = Vec::new();
                let records = &served.0[from..from + usize::from(name.width)];
                records.iter().for_each(|record| put_entry(&mut bundle, record));
                bundle
            }
            None => served.1.clone().into_bytes(),
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.get_mut().write_all(head.as_bytes()).await.ok()?;
        stream.get_mut().write_all(&body).await.ok()?;
    }
}

fn key(bank: usize) -> SigningKey {
    SigningKey::from_bytes(&[bank as u8 + 1; 32])
}

fn genesis_text() -> String {
    let public = |bank| hex(&key(bank).verifying_key().to_bytes());
    let participant = |(number, bic): (usize, &&str)| RawParticipant {
        bic: (*bic).to_owned(),
        name: (*bic).to_owned(),
        signing_keys: vec![public(number)],
        sealing_key: hex(&[9; 32]),
        gateway_keys: vec![public(number + 100)],
    };
    let node = RawNode {
        id: 1,
        bic: BANKS[0].to_owned(),
        link_key: public(50),
        cosign_key: None,
        address: "127.0.0.1:1".to_owned(),
        client_address: "127.0.0.1:2".to_owned(),
        standby: false,
    };
    let account = |bic: &&str| RawAccount { account: format!("{bic}/EUR"), floor: 0 };
    let funding = |(number, bic): (usize, &&str)| RawFunding {
        id: format!("00000000-0000-4000-8000-00000000000{number}"),
        account: format!("{bic}/EUR"),
        amount: 1 << 60,
    };
    RawGenesis {
        version: 1,
        network: "sample".to_owned(),
        time_ns: 1_790_000_000_000_000_000,
        rules: 2,
        nodes: vec![node],
        participants: BANKS.iter().enumerate().map(participant).collect(),
        assets: vec![RawAsset { code: "EUR".to_owned(), exponent: 2, issuer: BANKS[0].to_owned() }],
        accounts: BANKS.iter().map(account).collect(),
        funding: BANKS.iter().enumerate().map(funding).collect(),
        voting: None,
    }
    .to_text()
}

fn id(number: u128) -> TransferId {
    TransferId((number << 80 | 0x4000_8000_0000_0000_0000).to_be_bytes())
}

/// The bank of a block reads of its first payment, which is to the bank after it; in some blocks of no payment.
fn access(height: u64, from: u32) -> RecordAccess {
    RecordAccess {
        id: id(u128::from(height) | 1 << 40),
        participant: ParticipantNumber(from),
        access: Access::Opened,
        payment: (!height.is_multiple_of(20)).then(|| id(u128::from(height * PAYMENTS_A_BLOCK))),
        what: Digest([height as u8; 32]),
        reader: format!("clerk {from}"),
        ground: format!("complaint {height}"),
    }
}

/// A payment of a block; the first of each has a document, and goes to the bank of the next block.
fn payment(height: u64, number: u64) -> Transfer {
    let from = (height % 3) as u32;
    let leg = Leg {
        debit: AccountNumber(from),
        credit: AccountNumber((from + 1 + (number % 2) as u32) % 3),
        amount: Amount::new(12_345 + number),
    };
    Transfer {
        id: id(u128::from(height * PAYMENTS_A_BLOCK + number)),
        legs: Legs::new(vec![leg]).unwrap(),
        document: (number == 0).then_some(Digest([height as u8; 32])),
        options: None,
    }
}

/// The bank of a block erases the document of its first payment, or in every second such block, with the sealing key to
/// which it came, that of the first payment of the block before, which was to it.
fn erasure(height: u64, from: u32) -> EraseDocument {
    let received = height.is_multiple_of(2 * BLOCKS_AN_ACCESS);
    EraseDocument {
        id: id(u128::from(height) | 1 << 41),
        participant: ParticipantNumber(from),
        destroyed: LedgerTime(height),
        sealing_key: received.then_some([height as u8; 32]),
        by: format!("officer {from}"),
        ground: format!("retention {height}"),
        payment: payment(height - u64::from(received), 0),
    }
}

/// Six blocks a day, each a batch of one bank's payments to the others in turn.
fn records(genesis: &Genesis, blocks: u64) -> (Vec<Vec<u8>>, String) {
    let mut ledger = genesis.ledger().unwrap();
    let root = ledger.seal_block();
    let mut records = Vec::new();
    let mut frontier = Frontier::new();
    let mut made = Vec::new();
    record::genesis(&mut made, &genesis.domain.network, &root.0);
    let mut previous = frontier.append(&made);
    records.push(made.clone());
    for height in 1..=blocks {
        let time = LedgerTime(genesis.time.0 + height * 4 * 3_600_000_000_000);
        let from = (height % 3) as u32;
        let first_leaf = records.len() as u64;
        ledger.open_block(time);
        let mut builder =
            BatchBuilder::new(&genesis.domain, ParticipantNumber(from), LedgerTime(u64::MAX));
        for number in 0..PAYMENTS_A_BLOCK {
            builder.push(&Command::Transfer(payment(height, number)));
        }
        if height.is_multiple_of(BLOCKS_AN_ACCESS) {
            builder.push(&Command::RecordAccess(Box::new(access(height, from))));
            builder.push(&Command::EraseDocument(Box::new(erasure(height, from))));
        }
        let (bytes, _) = builder.sign(&[(ParticipantNumber(from), &key(from as usize))]);
        let batch = SignedBatch::decode(bytes).unwrap().verify(&genesis.domain).unwrap();
        record::batch(&mut made, batch.signed().header(), batch.signed().signatures());
        records.push(made.clone());
        let (mut outcomes, mut events) = (Vec::new(), Vec::new());
        let context = BatchContext { height: Height(height), time, first_leaf: first_leaf + 1 };
        ledger.apply_batch(&context, batch.batch(), &OldIds::new(&[]), &mut outcomes, &mut events);
        for (position, outcome) in outcomes.iter().enumerate() {
            assert!(outcome.answer.is_settled(), "{outcome:?}");
            let code = outcome.answer.code();
            record::command(&mut made, code, outcome.original, batch.command_slice(position));
            records.push(made.clone());
        }
        assert!(ledger.close_block(records.len() as u64).is_empty());
        let seal = Seal {
            height,
            time: time.0,
            first_leaf,
            records: (records.len() as u64 - first_leaf) as u32,
            commands: outcomes.len() as u32,
            previous,
            state_root: ledger.seal_block().0,
        };
        records.push(seal.encode().to_vec());
        records[first_leaf as usize..].iter().for_each(|bytes| previous = frontier.append(bytes));
    }
    let origin = origin(&genesis.domain.network);
    let checkpoint =
        Checkpoint { origin: origin.clone(), size: frontier.size(), root: frontier.root() };
    let text = checkpoint.to_string();
    let signer = NoteSigner::from_seed(&origin, KeyType::Note, &[7; 32]).unwrap();
    let line = signer.sign(&text, 0);
    (records, Note::new(text, vec![line]).unwrap().to_string())
}
