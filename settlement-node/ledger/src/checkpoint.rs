//! The whole state as bytes: what a node stores so that it need not apply all history again.
//!
//! Little-endian, one state one byte string, whatever node writes it:
//!
//! | part | bytes |
//! |---|---|
//! | head | magic `corr-led`, version u32, genesis digest 32, genesis time u64, state root 32 |
//! | counts | participants u32, assets u32, accounts u32, generation u64, ids u32 |
//! | participants | BIC 11, name (length u8, UTF-8), sealing key 32, count u8, signing keys 32 each |
//! | assets | code (length u8, characters), exponent u8, issuer u32, issued u128, redeemed u128 |
//! | accounts | posted i128, held i128, floor i64, owner u32, asset u32, status u8, label (length u8, 16, padded) |
//! | ids | rows of 32 (`IdEntry::to_row`) in strictly ascending order |
//! | waiting | only in version 2: rule version u16, next order u64, first order u64, last offsetting u64, wanted u8, accounts to look at (count u32, u32 each), places u32, transfers u32; each: place u32, ascending, and its bytes |
//! | liquidity | only where anything was ever set: `L`, records u32, and the records by number (`liquidity/codec.rs`) |
//! | decisions | only where anything was ever decided: `G`, length u32, and the tables (`govern/bytes.rs`) |
//! | quotes and reports | only in version 2, where there ever were any: `fx/section.rs` |
//!
//! The version is 1 under rule version 1, where nothing waits, and 2 later. The bytes of a waiting transfer: leaf
//! u64, submitter u32, stage u8, priority u8, order u64, due u64, number of conditions u8, of each the members that approved
//! and that refused (bits of a u16 each), length u16 and canonical bytes of the transfer.
//!
//! Only the ids of the current generation are in it: those of older ones are in runs on disk, which it stands
//! on. What follows from the rest (names digest, account tree, number of ids) is computed again when it is
//! read, and the state root compared. The root covers everything but the genesis time, which the caller knows,
//! and the rows of ids, of which it covers the number: whoever stores a checkpoint keeps a SHA-256 of all of
//! its bytes and checks it first.

mod restore;
mod restore_waiting;

use std::io;

pub use restore::RestoreError;
pub(crate) use restore::Source;

use crate::account::Account;
use crate::command::RULES_LIFE_CYCLE;
use crate::fx::Fx;
use crate::govern::{Governance, TAG};
use crate::id::{Digest, LedgerTime};
use crate::ids::{ROW_BYTES, Rows};
use crate::limits::LABEL_LEN_MAX;
use crate::liquidity::Liquidity;
use crate::name::Label;
use crate::registry::{Asset, Participant};
use crate::state::Ledger;
use crate::waiting::WaitingTable;

const MAGIC: [u8; 8] = *b"corr-led";
/// Of rule version 1.
const VERSION_FIRST: u32 = 1;
const VERSION: u32 = 2;
const HEAD_BYTES: usize = 8 + 4 + 32 + 8 + 32 + 4 + 4 + 4 + 8 + 4;
const ACCOUNT_BYTES: usize = 16 + 16 + 8 + 4 + 4 + 1 + 1 + LABEL_LEN_MAX;
/// Written in pieces of about this size.
const PIECE_BYTES: usize = 1 << 16;

/// A copy of the state at one moment, to be encoded by another thread while the ledger goes on.
///
/// It shares the rows of the current generation's ids with the ledger, which only adds to them.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    genesis_digest: Digest,
    genesis_time: LedgerTime,
    root: Digest,
    participants: Vec<Participant>,
    assets: Vec<Asset>,
    accounts: Vec<Account>,
    labels: Vec<Label>,
    generation: u64,
    ids: Rows,
    rules: u16,
    waiting: WaitingTable,
    gov: Governance,
    liquidity: Liquidity,
    fx: Fx,
}

impl Ledger {
    /// A copy of the state after the last sealed block.
    ///
    /// `runs_below` says which generations are on disk: all with a number below it. `None` when a full
    /// generation is not, or when something was applied since the last seal: ask again after a later block.
    /// The cost is that of copying the accounts, 81 bytes each; the ids are shared.
    #[must_use]
    pub fn checkpoint(&self, runs_below: u64) -> Option<Checkpoint> {
        if runs_below < self.ids.current_number() || !self.is_sealed() {
            return None;
        }
        Some(Checkpoint {
            genesis_digest: self.genesis_digest,
            genesis_time: self.genesis_time,
            root: self.root,
            participants: self.registry.participants.clone(),
            assets: self.registry.assets.clone(),
            accounts: self.accounts.clone(),
            labels: self.registry.labels.clone(),
            generation: self.ids.current_number(),
            ids: self.ids.rows().share(),
            rules: self.rules,
            waiting: self.waiting.clone(),
            gov: self.gov.clone(),
            liquidity: self.liquidity.clone(),
            fx: self.fx.clone(),
        })
    }
}

impl Checkpoint {
    /// The state root of the block after which it was taken.
    #[must_use]
    pub const fn state_root(&self) -> Digest {
        self.root
    }

    /// The generation whose ids it holds. It stands on the runs of all generations below.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Gives the bytes to `write`, piece by piece. Sorts the ids: up to 32 MiB of memory, part of a second.
    ///
    /// # Errors
    /// The first error of `write`, which is not called again.
    pub fn encode(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE_BYTES + 1024);
        self.put_head(&mut piece);
        for participant in &self.participants {
            put_participant(participant, &mut piece);
            flush(&mut piece, PIECE_BYTES, write)?;
        }
        for asset in &self.assets {
            put_asset(asset, &mut piece);
            flush(&mut piece, PIECE_BYTES, write)?;
        }
        for (account, label) in self.accounts.iter().zip(&self.labels) {
            put_account(account, *label, &mut piece);
            flush(&mut piece, PIECE_BYTES, write)?;
        }
        flush(&mut piece, 1, write)?;
        let mut rows: Vec<[u8; ROW_BYTES]> = self.ids.iter().copied().collect();
        rows.sort_unstable();
        rows.as_flattened().chunks(PIECE_BYTES).try_for_each(&mut *write)?;
        if self.rules < RULES_LIFE_CYCLE {
            return Ok(());
        }
        self.put_waiting(write)?;
        if !self.liquidity.records().is_empty() {
            self.liquidity.encode(write)?;
        }
        if !self.gov.is_first() {
            self.put_decisions(write)?;
        }
        self.fx.put(write)
    }

    fn put_waiting(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE_BYTES + 1024);
        piece.extend_from_slice(&self.rules.to_le_bytes());
        piece.extend_from_slice(&self.waiting.next_order.to_le_bytes());
        piece.extend_from_slice(&self.waiting.first_order.to_le_bytes());
        piece.extend_from_slice(&self.waiting.last_offset.0.to_le_bytes());
        piece.push(u8::from(self.waiting.offset_wanted));
        piece.extend_from_slice(&(self.waiting.to_release.len() as u32).to_le_bytes());
        for account in &self.waiting.to_release {
            piece.extend_from_slice(&account.0.to_le_bytes());
        }
        piece.extend_from_slice(&(self.waiting.slots().len() as u32).to_le_bytes());
        piece.extend_from_slice(&(self.waiting.count() as u32).to_le_bytes());
        for (place, waiting) in (0u32..).zip(self.waiting.slots()) {
            if let Some(waiting) = waiting {
                piece.extend_from_slice(&place.to_le_bytes());
                waiting.encode(&mut piece);
                flush(&mut piece, PIECE_BYTES, write)?;
            }
        }
        flush(&mut piece, 1, write)
    }

    fn put_decisions(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.gov.encode(&mut bytes);
        write(&[TAG])?;
        // The tables are bounded far below 2^32 bytes.
        write(&(bytes.len() as u32).to_le_bytes())?;
        bytes.chunks(PIECE_BYTES).try_for_each(write)
    }

    fn put_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        let version = if self.rules >= RULES_LIFE_CYCLE { VERSION } else { VERSION_FIRST };
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&self.genesis_digest.0);
        out.extend_from_slice(&self.genesis_time.0.to_le_bytes());
        out.extend_from_slice(&self.root.0);
        // Numbers of participants, assets, accounts and ids are bounded far below 2^32.
        for count in [self.participants.len(), self.assets.len(), self.accounts.len()] {
            out.extend_from_slice(&(count as u32).to_le_bytes());
        }
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&(self.ids.len() as u32).to_le_bytes());
        debug_assert_eq!(out.len(), HEAD_BYTES);
    }
}

/// Writes the piece when it has `least` bytes or more.
fn flush(
    piece: &mut Vec<u8>,
    least: usize,
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    if piece.len() >= least {
        write(piece)?;
        piece.clear();
    }
    Ok(())
}

/// A length byte and the characters; all texts here are bounded below 256 bytes.
fn put_text(text: &str, out: &mut Vec<u8>) {
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn put_participant(participant: &Participant, out: &mut Vec<u8>) {
    out.extend_from_slice(participant.bic.as_bytes());
    put_text(&participant.name, out);
    out.extend_from_slice(&participant.sealing_key);
    out.push(participant.signing_keys.len() as u8);
    participant.signing_keys.iter().for_each(|key| out.extend_from_slice(&key.0));
}

fn put_asset(asset: &Asset, out: &mut Vec<u8>) {
    put_text(asset.code.as_str(), out);
    out.push(asset.exponent.get());
    out.extend_from_slice(&asset.issuer.0.to_le_bytes());
    out.extend_from_slice(&asset.issued.to_le_bytes());
    out.extend_from_slice(&asset.redeemed.to_le_bytes());
}

fn put_account(account: &Account, label: Label, out: &mut Vec<u8>) {
    out.extend_from_slice(&account.posted.minor().to_le_bytes());
    out.extend_from_slice(&account.held.minor().to_le_bytes());
    out.extend_from_slice(&account.floor.to_le_bytes());
    out.extend_from_slice(&account.owner.0.to_le_bytes());
    out.extend_from_slice(&account.asset.0.to_le_bytes());
    out.push(account.status as u8);
    put_text(label.as_str(), out);
    out.resize(out.len() + LABEL_LEN_MAX - label.as_str().len(), 0);
}
