//! A small log of a network of four nodes: records of every kind, tiles, a signed checkpoint.

#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

use std::collections::BTreeMap;

use proof::{
    Hash,
    checkpoint::{Checkpoint, origin},
    final_rule::{Cosigner, cosigner_name, policy_text},
    key::{KeyType, NoteSigner},
    note::Note,
    path::inclusion,
    policy::Policy,
    receipt::Receipt,
    record::{self, Seal},
    tile::{TileKind, TileName, hashes, put_entry},
    tile_tree::{TileTree, Tiles, tile_root},
    tree::{Frontier, leaf_hash},
};

/// Nodes of the network.
pub const NODES: u8 = 4;
/// Second in which everything was signed.
pub const SECOND: u64 = 1_750_000_000;

/// The network's origin.
pub fn log_origin() -> String {
    origin(&[0xc0; 32])
}

fn name(node: u8) -> String {
    cosigner_name("BANKDEFFXXX", node.into())
}

/// A node's key as cosigner or as the log.
pub fn signer(node: u8, kind: KeyType) -> NoteSigner {
    let name = if kind == KeyType::Note { log_origin() } else { name(node) };
    NoteSigner::from_seed(&name, kind, &[node; 32]).unwrap()
}

/// The network's policy file.
pub fn policy() -> String {
    let cosigner = |node| Cosigner {
        name: name(node),
        key: *signer(node, KeyType::Cosignature).verifier().public(),
    };
    let cosigners: Vec<Cosigner> = (1..=NODES).map(cosigner).collect();
    policy_text(&log_origin(), &cosigners).unwrap()
}

/// Canonical records: genesis, then blocks of one batch with two commands, sealed.
pub fn records(count: usize) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    record::genesis(&mut record, &[0xc0; 32], &[1; 32]);
    records.push(record.clone());
    for height in 1u64.. {
        record::batch(&mut record, &[height as u8; 58], &[7; 101]);
        records.push(record.clone());
        for number in 0..2u8 {
            let command = [&[1, 0, 1, 0][..], &[number; 32], &height.to_le_bytes()].concat();
            record::command(&mut record, 1, (number == 1).then_some(height), &command);
            records.push(record.clone());
        }
        record::progress(&mut record, &[height as u8; record::PROGRESS_BODY_BYTES]);
        records.push(record.clone());
        let first_leaf = records.len() as u64 - 4;
        let (previous, state_root) = ([height as u8; 32], [9; 32]);
        let (records_of_block, commands) = (4, 2);
        let seal = Seal {
            height,
            time: height,
            first_leaf,
            records: records_of_block,
            commands,
            previous,
            state_root,
        };
        records.push(seal.encode().to_vec());
        if records.len() >= count {
            break;
        }
    }
    records.truncate(count);
    records
}

/// Tiles and bundles as files, by name.
pub struct Files(pub BTreeMap<TileName, Vec<u8>>);

impl Tiles for Files {
    type Error = String;

    fn tile(&self, name: TileName) -> Result<Vec<Hash>, String> {
        let bytes = self.0.get(&name).ok_or_else(|| format!("no {name}"))?;
        hashes(bytes, name.width).map_err(|error| error.to_string())
    }
}

/// All files of a log.
pub fn files(records: &[Vec<u8>]) -> Files {
    let mut files = BTreeMap::new();
    for (number, records) in records.chunks(256).enumerate() {
        let mut bundle = Vec::new();
        records.iter().for_each(|record| put_entry(&mut bundle, record));
        let (kind, width) = (TileKind::Entries, records.len() as u16);
        files.insert(TileName { kind, number: number as u64, width }, bundle);
    }
    let mut row: Vec<Hash> = records.iter().map(|record| leaf_hash(record)).collect();
    for level in 0.. {
        if row.is_empty() {
            break;
        }
        for (number, hashes) in row.chunks(256).enumerate() {
            let (kind, width) = (TileKind::Hashes { level }, hashes.len() as u16);
            files.insert(TileName { kind, number: number as u64, width }, hashes.concat());
        }
        row = row.as_chunks::<256>().0.iter().map(tile_root).collect();
    }
    Files(files)
}

/// What the log is at the end of these records.
pub fn checkpoint(records: &[Vec<u8>]) -> Checkpoint {
    let mut frontier = Frontier::new();
    for record in records {
        frontier.append(record);
    }
    Checkpoint { origin: log_origin(), size: frontier.size(), root: frontier.root() }
}

/// A checkpoint signed by node 1 as the log and cosigned by some.
pub fn signed(checkpoint: &Checkpoint, cosigners: &[u8]) -> Note {
    let text = checkpoint.to_string();
    let mut lines = vec![signer(1, KeyType::Note).sign(&text, 0)];
    for node in cosigners {
        lines.push(signer(*node, KeyType::Cosignature).sign(&text, SECOND + u64::from(*node)));
    }
    Note::new(text, lines).unwrap()
}

/// Receipt of a record.
pub fn receipt(records: &[Vec<u8>], index: usize, cosigners: &[u8]) -> Receipt {
    let files = files(records);
    let size = records.len() as u64;
    let path = inclusion(&TileTree::new(&files, size), index as u64, size).unwrap();
    let checkpoint = signed(&checkpoint(records), cosigners);
    Receipt { record: records[index].clone(), index: index as u64, path, checkpoint }
}

/// The policy, read.
pub fn read_policy() -> Policy {
    Policy::parse(policy().as_bytes()).unwrap()
}
