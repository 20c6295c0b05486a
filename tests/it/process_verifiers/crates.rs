//! The crates `signed_note` and `tlog_tiles` on what nodes wrote. They know notes of type 0x01; what signs with
//! type 0x04 is given to them as a verifier of its own.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use ed25519_dalek::{Signature, VerifyingKey};
use proof::{
    key::{KeyType, VerifierKey},
    policy::Policy,
    receipt::Receipt,
    tile::{TileKind, entries},
};
use signed_note::{Note, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader, Tile, TileHashReader, TileReader, check_record,
    check_tree, prove_record, prove_tree, record_hash, stored_hash_index,
    stored_hashes_for_record_hash, tree_hash,
};

use super::own::Mirror;

const TILE_HEIGHT: u8 = 8;

/// A cosigner as `signed_note` wants it.
struct Cosigner {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl Cosigner {
    fn new(key: &VerifierKey) -> Result<Self> {
        let material = [&[KeyType::Cosignature.code()], &key.public()[..]].concat();
        let id = signed_note::key_id(key.name(), &material);
        Ok(Self { name: key.name().into(), id, key: VerifyingKey::from_bytes(key.public())? })
    }
}

impl Verifier for Cosigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        let time = u64::from_be_bytes(*time);
        let signed = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        self.key.verify_strict(&signed, &signature).is_ok()
    }
}

/// Tiles of a mirror by the names of Go, which have the height in them.
struct Fetched(BTreeMap<String, Vec<u8>>);

impl TileReader for Fetched {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let one = |tile: &Tile| self.0.get(&tile.path()).cloned().ok_or(Error::InvalidTile);
        tiles.iter().map(one).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// All hashes of a log, computed from its leaves.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let one = |index: &u64| self.0.get(*index as usize).copied();
        indexes.iter().map(|index| one(index).ok_or(Error::IndexesNotInTree)).collect()
    }
}

/// Opens a checkpoint: the log and each cosigner must have signed.
fn open(note: &[u8], policy: &Policy) -> Result<Checkpoint> {
    let mut known: Vec<Box<dyn Verifier>> = Vec::new();
    for log in policy.logs() {
        let standard = StandardVerifier::new(&log.key.to_string());
        known.push(Box::new(standard.map_err(|error| anyhow::anyhow!("{error}"))?));
    }
    for witness in policy.witnesses() {
        known.push(Box::new(Cosigner::new(&witness.key)?));
    }
    let note = Note::from_bytes(note).map_err(|error| anyhow::anyhow!("{error}"))?;
    let (good, unknown) =
        note.verify(&VerifierList::new(known)).map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(unknown.is_empty(), "lines of unknown keys: {unknown:?}");
    let origin = policy.logs()[0].key.name();
    ensure!(good.iter().any(|line| line.name() == origin), "the log did not sign");
    for witness in policy.witnesses() {
        let signed = good.iter().any(|line| line.name() == witness.key.name());
        ensure!(signed, "{} did not cosign", witness.name);
    }
    let checkpoint = Checkpoint::from_bytes(note.text());
    let checkpoint = checkpoint.map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(checkpoint.origin() == origin && checkpoint.extension().is_empty(), "another log");
    Ok(checkpoint)
}

/// Checks all of the kit: signatures, tiles, entries, receipts, consistency of the checkpoints.
pub(super) fn check(kit: &Path) -> Result<()> {
    let policy = Policy::parse(&fs::read(kit.join("ledger.policy"))?)?;
    let note = fs::read(kit.join("mirror/checkpoint"))?;
    let newest = open(&note, &policy)?;
    let mirror = Mirror::read(&kit.join("mirror"), &note, &policy)?;
    let mut tiles = BTreeMap::new();
    for (name, bytes) in &mirror.files {
        if matches!(name.kind, TileKind::Hashes { .. }) {
            tiles.insert(name.to_string().replacen("tile/", "tile/8/", 1), bytes.clone());
        }
    }
    let fetched = Fetched(tiles);
    let (size, root) = (newest.size(), *newest.hash());
    let reader = TileHashReader::new(size, root, &fetched);
    ensure!(tree_hash(size, &reader)? == root, "the tiles lead to another root");
    let indexes: Vec<u64> = (0..size).map(|leaf| stored_hash_index(0, leaf)).collect();
    let leaves = reader.read_hashes(&indexes)?;
    // The reader does not compare each full tile with its parent, so the root is computed from the leaves too.
    let mut all = Stored(Vec::new());
    for (leaf, hash) in leaves.iter().enumerate() {
        all.0.extend(stored_hashes_for_record_hash(leaf as u64, *hash, &all)?);
    }
    ensure!(tree_hash(size, &all)? == root, "the leaves lead to another root");
    let mut at = 0;
    for (name, bundle) in mirror.files.iter().filter(|(name, _)| name.kind == TileKind::Entries) {
        for record in entries(bundle, name.width)? {
            ensure!(record_hash(record) == leaves[at], "leaf {at} is another record");
            at += 1;
        }
    }
    ensure!(at as u64 == size, "{at} of {size} records are there");
    for entry in fs::read_dir(kit.join("receipts"))? {
        let receipt = Receipt::parse(&fs::read(entry?.path())?)?;
        let signed = open(receipt.checkpoint.to_string().as_bytes(), &policy)?;
        let path: Vec<Hash> = receipt.path.iter().map(|hash| Hash(*hash)).collect();
        let leaf = record_hash(&receipt.record);
        check_record(&path, signed.size(), *signed.hash(), receipt.index, leaf)?;
        let own = prove_record(size, receipt.index, &reader)?;
        check_record(&own, size, root, receipt.index, leaf)?;
    }
    let mut checked = 0;
    for entry in fs::read_dir(kit.join("mirror/checkpoints"))? {
        let old = open(&fs::read(entry?.path())?, &policy).context("an earlier checkpoint")?;
        let proof = prove_tree(size, old.size(), &reader)?;
        check_tree(&proof, size, root, old.size(), *old.hash())?;
        checked += 1;
    }
    ensure!(checked == 3, "{checked} checkpoints were mirrored");
    Ok(())
}
