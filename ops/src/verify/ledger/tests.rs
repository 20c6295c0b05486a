//! Ledgers that hold, and the same with one bit changed anywhere.

#![allow(clippy::unwrap_used)]

mod steps;

use std::{fs, path::Path};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Command, IdEntry, LedgerTime, Leg, Legs, ParticipantNumber, Transfer,
    TransferId,
};
use proof::{
    record,
    tile::{TILE_LEVEL_MAX, TILE_WIDTH, TileKind, TileName, put_entry},
    tile_tree::tile_root,
    tree::{Frontier, leaf_hash},
};
use settlement_node::{
    chain::Chain,
    finality::{Certificate, Cosigning},
    prepare::{Admitted, OldIdSource, PreparedBlock},
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    cosign::FinalAt,
};

use super::*;

const NODES: u64 = 3;
const EVER: LedgerTime = LedgerTime(u64::MAX);

struct NoOldIds;

impl OldIdSource for NoOldIds {
    fn version(&self) -> u64 {
        0
    }

    fn find(&self, _: &[TransferId], _: u64) -> Result<Vec<(TransferId, IdEntry)>, std::io::Error> {
        Ok(Vec::new())
    }
}

/// The genesis file with more lines at its head, and with nodes that stand by.
fn genesis(head: &str, standby: u64) -> String {
    use std::fmt::Write as _;
    let public = |seed: u8| {
        let key = SigningKey::from_bytes(&[seed; 32]);
        wire::genesis::hex(key.verifying_key().as_bytes())
    };
    let mut text = format!("version = 1\nnetwork = \"test\"\ntime_ns = 5\n{head}");
    for id in 1..=NODES + standby {
        let (link, cosign) = (public(100 + id as u8), public(id as u8));
        write!(
            text,
            "[[nodes]]\nid = {id}\nbic = \"BANKDEFF\"\nlink_key = \"{link}\"\n\
             cosign_key = \"{cosign}\"\naddress = \"127.0.0.1:{}\"\n\
             client_address = \"127.0.0.1:{}\"\nstandby = {}\n",
            1_000 + id,
            2_000 + id,
            id > NODES
        )
        .unwrap();
    }
    for (seed, bic) in [(50, "BANKDEFF"), (51, "BANKFRPP")] {
        let key = public(seed);
        let sealing = "09".to_owned() + &"00".repeat(31);
        write!(
            text,
            "[[participants]]\nbic = \"{bic}\"\nname = \"{bic}\"\nsigning_keys = [\"{key}\"]\n\
             sealing_key = \"{sealing}\"\ngateway_keys = [\"{}\"]\n",
            public(seed + 10)
        )
        .unwrap();
    }
    text += "[[assets]]\ncode = \"EUR\"\nexponent = 2\nissuer = \"BANKDEFF\"\n";
    for bic in ["BANKDEFF", "BANKFRPP"] {
        write!(text, "[[accounts]]\naccount = \"{bic}/EUR\"\n").unwrap();
    }
    text += "[[funding]]\nid = \"00000000-0000-4000-8000-000000000001\"\n\
             account = \"BANKDEFF/EUR\"\namount = 1000000\n";
    text
}

fn transfer(number: u64, amount: u64) -> Command {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    (id[6], id[8]) = (0x40, 0x80 | id[8]);
    let leg =
        Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(amount) };
    Command::Transfer(Transfer {
        id: TransferId(id),
        legs: Legs::One(leg),
        document: None,
        options: None,
    })
}

/// A ledger in the making, with its records.
struct Making {
    genesis: Genesis,
    chain: Chain,
    records: Vec<Vec<u8>>,
}

impl Making {
    fn new(genesis: Genesis) -> Self {
        let chain = Chain::genesis(&genesis, [1, 2]).unwrap();
        let state = genesis.ledger().unwrap().seal_block();
        let mut one = Vec::new();
        record::genesis(&mut one, &genesis.domain.network, &state.0);
        Self { genesis, chain, records: vec![one] }
    }

    /// The time of the next block.
    fn next_time(&self) -> LedgerTime {
        LedgerTime(10 * (self.chain.height().0 + 1))
    }

    /// A submission of the first bank, signed by some of the two.
    fn submission(&self, commands: &[Command], signers: &[u32]) -> Bytes {
        let mut builder = BatchBuilder::new(&self.genesis.domain, ParticipantNumber(0), EVER);
        commands.iter().for_each(|command| {
            builder.push(command);
        });
        let key = |bank: u32| SigningKey::from_bytes(&[50 + bank as u8; 32]);
        let keys: Vec<_> =
            signers.iter().map(|bank| (ParticipantNumber(*bank), key(*bank))).collect();
        let keys: Vec<_> = keys.iter().map(|(bank, key)| (*bank, key)).collect();
        encode_submission(&builder.sign(&keys).0, &[])
    }

    /// Applies a block as a node does, which asks before whether it may, and keeps its records.
    fn block(&mut self, bytes: Bytes) {
        let domain = &self.genesis.domain;
        let block = PreparedBlock::check(bytes, domain, &NoOldIds, &Admitted::default()).unwrap();
        let index = self.chain.height().0 + 1;
        let applied = self.chain.apply(index, block.into(), &NoOldIds).unwrap();
        let mut one = Vec::new();
        for (prepared, outcome) in applied.block.submissions.iter().zip(&applied.submissions) {
            let batch = &prepared.submission.batch;
            record::batch(&mut one, batch.signed().header(), batch.signed().signatures());
            self.records.push(one.clone());
            for (at, outcome) in outcome.outcomes.iter().enumerate() {
                let (answer, command) = (outcome.answer.code(), batch.command_slice(at));
                record::command(&mut one, answer, outcome.original, command);
                self.records.push(one.clone());
            }
        }
        if let Some(step) = applied.block.step() {
            record::step(&mut one, step.node, step.seat as u8);
            self.records.push(one);
        }
        self.records.push(applied.seal.encode().to_vec());
        assert_eq!(self.chain.leaves(), self.records.len() as u64);
    }
}

/// A mirror of a ledger with so many transfers, written to a folder; the genesis file beside it.
pub(in crate::verify) fn ledger(dir: &Path, transfers: u64, batch: u64, batches: u64) -> Genesis {
    let file = genesis("", 0);
    let mut making = Making::new(Genesis::parse(file.as_bytes()).unwrap());
    let mut number = 0;
    while number < transfers {
        let mut submissions = Vec::new();
        for _ in 0..batches {
            let mut commands = Vec::new();
            for _ in 0..batch {
                // Every 50th asks for more than there is; every 20th comes twice.
                let wanted = if number % 50 == 49 { 1 << 40 } else { number % 3 + 1 };
                commands.push(transfer(number, wanted));
                number += 1;
            }
            if number.is_multiple_of(20) {
                commands.push(transfer(0, 1));
            }
            submissions.push(making.submission(&commands, &[0]));
        }
        making.block(block::encode(making.next_time(), submissions.iter()));
    }
    let Making { genesis, chain, records } = making;
    mirrored(dir, &records);
    let at = FinalAt { height: chain.height().0, size: chain.leaves() };
    fs::write(dir.join("checkpoint"), note(&genesis, at, chain.log_root(), &[1, 2, 3])).unwrap();
    fs::write(dir.join("genesis.toml"), file).unwrap();
    genesis
}

/// Writes bundles and tiles.
fn mirrored(dir: &Path, records: &[Vec<u8>]) {
    let put = |kind, number: usize, width: usize, bytes: &[u8]| {
        let name = TileName { kind, number: number as u64, width: width as u16 };
        let path = dir.join(name.to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let width = usize::from(TILE_WIDTH);
    for (number, some) in records.chunks(width).enumerate() {
        let mut bundle = Vec::new();
        some.iter().for_each(|record| put_entry(&mut bundle, record));
        put(TileKind::Entries, number, some.len(), &bundle);
    }
    let mut hashes: Vec<Hash> = records.iter().map(|record| leaf_hash(record)).collect();
    for level in 0..=TILE_LEVEL_MAX {
        for (number, some) in hashes.chunks(width).enumerate() {
            put(TileKind::Hashes { level }, number, some.len(), some.as_flattened());
        }
        let full = hashes.chunks_exact(width);
        hashes = full.map(|full| tile_root(full.try_into().unwrap())).collect();
    }
}

/// A checkpoint with the cosignatures of some nodes.
fn note(genesis: &Genesis, at: FinalAt, root: Hash, nodes: &[u64]) -> String {
    let cosigning = |id: u64| Cosigning::new(genesis, id, &[id as u8; 32]).unwrap().unwrap();
    let cosignatures = nodes.iter().map(|id| (*id, cosigning(*id).cosign(at.size, &root, 7)));
    let voters = std::sync::Arc::new(nodes.iter().copied().collect());
    let certificate = Certificate { at, root, voters, cosignatures: cosignatures.collect() };
    certificate.note(&cosigning(nodes[0])).unwrap().to_string()
}

fn arguments(dir: &Path) -> LedgerArguments {
    LedgerArguments {
        ledger: dir.to_string_lossy().into_owned(),
        genesis: dir.join("genesis.toml"),
        mirror: dir.join("unused"),
        checkpoint: Vec::new(),
        policy: None,
        threads: Some(2),
        json: true,
    }
}

/// All files of a mirror.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().unwrap() != "genesis.toml" {
            found.push(path);
        }
    }
}

#[test]
fn a_ledger_holds_and_one_changed_bit_anywhere_does_not() {
    let dir = tempfile::tempdir().unwrap();
    ledger(dir.path(), 8, 2, 2);
    let good = check(&arguments(dir.path())).unwrap();
    assert!(good.valid, "{good:?}");
    assert_eq!((good.height, good.transfers, good.batches, good.signatures), (2, 8, 4, 4));
    assert_eq!((good.leaves, good.final_leaves), (15, 15));
    assert_eq!(good.checkpoints[0].cosigned.len(), 3);
    assert!(text(&good).ends_with("VALID: everything that was looked at holds.\n"));
    let mut all = Vec::new();
    files(dir.path(), &mut all);
    assert_eq!(all.len(), 3, "checkpoint, one tile, one bundle: {all:?}");
    for path in all {
        let bytes = fs::read(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &changed).unwrap();
            let verdict = check(&arguments(dir.path()));
            let passes = verdict.is_ok_and(|report| report.valid);
            assert!(!passes, "{}: bit {bit} was changed unnoticed", path.display());
        }
        fs::write(&path, bytes).unwrap();
    }
    assert!(check(&arguments(dir.path())).unwrap().valid);
}

/// Records that were changed and hashed anew, under a checkpoint that all nodes signed: the rules refuse them.
#[test]
fn what_a_quorum_signed_against_the_rules_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let genesis = ledger(dir.path(), 8, 2, 2);
    let bundle = fs::read(dir.path().join("tile/entries/000.p/15")).unwrap();
    let records = proof::tile::entries(&bundle, 15).unwrap();
    let sign = |records: &[Vec<u8>]| {
        let mut frontier = Frontier::new();
        records.iter().for_each(|record| {
            frontier.append(record);
        });
        mirrored(dir.path(), records);
        let at = FinalAt { height: 2, size: 15 };
        fs::write(dir.path().join("checkpoint"), note(&genesis, at, frontier.root(), &[1, 2, 3]))
            .unwrap();
        check(&arguments(dir.path())).unwrap()
    };
    let changed = |leaf: usize, at: usize, to: u8| {
        let mut all: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
        all[leaf][at] = to;
        sign(&all).wrong.unwrap()
    };
    assert!(sign(&records.iter().map(|record| record.to_vec()).collect::<Vec<_>>()).valid);
    // Leaf 1 is a batch, 2 its first command, 7 the first seal.
    assert!(changed(0, 40, 0xff).contains("another genesis"));
    assert!(changed(1, 58 + 2 + 1 + 36, 0xff).contains("does not verify"));
    assert!(changed(2, 2, 100).contains("the rules say 1"));
    assert!(changed(2, records[2].len() - 8, 9).contains("does not verify"));
    assert!(changed(7, 70, 0).contains("another state root"));
    assert!(changed(7, 40, 0).contains("does not follow"));
}

#[test]
fn what_is_missing_or_cut_is_no_valid_ledger() {
    let dir = tempfile::tempdir().unwrap();
    ledger(dir.path(), 600, 5, 4);
    let good = check(&arguments(dir.path())).unwrap();
    assert!(good.valid, "{good:?}");
    assert_eq!((good.commands, good.leaves), (630, 781));
    let tile = dir.path().join("tile/0/001");
    let bytes = fs::read(&tile).unwrap();
    fs::remove_file(&tile).unwrap();
    assert!(check(&arguments(dir.path())).is_err(), "no verdict without all files");
    fs::write(&tile, &bytes[..bytes.len() - 1]).unwrap();
    let cut = check(&arguments(dir.path())).unwrap();
    assert!(cut.wrong.unwrap().contains("tile/0/001"));
}
