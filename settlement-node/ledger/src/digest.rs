//! The state root: one SHA-256 over all of the replicated state, cheap to keep up to date.
//!
//! root = SHA-256("corridor state root" ‖ version u8 ‖ genesis digest ‖ account count u32 ‖ accounts root ‖
//! names digest ‖ participants digest ‖ assets digest ‖ id count u64), numbers little-endian. The version is 1 under
//! rule version 1; later it is 2 and there follow: rule version u16 ‖ next order u64 ‖ first order u64 ‖ last
//! offsetting u64 ‖ offsetting wanted u8 ‖ accounts to look at (count u32, u32 each) ‖ places u32 ‖ places root.
//!
//! *Accounts root*: a binary tree over the accounts by number. A leaf is SHA-256(0 ‖ posted i128 ‖ held i128 ‖
//! floor i64 ‖ owner u32 ‖ asset u32 ‖ status u8), one SHA block; a node is SHA-256(1 ‖ left ‖ right). The
//! tree is filled up to a power of two: where a whole subtree is beyond the last account its hash is 32 zero
//! bytes. Only touched accounts and the nodes above them are hashed again. No accounts: 32 zero bytes.
//!
//! *Places root*: the same kind of tree over the places of waiting transfers; a leaf is SHA-256(2 ‖ the bytes of
//! the transfer in a checkpoint), or 32 zero bytes where a place is free.
//!
//! Where a quote was ever placed, or an account ever had to report its credits, there follows at the end the section of
//! `fx/section.rs`.
//!
//! *Names digest*: a chain over owner, asset and label of each account, in order of opening. Participants and
//! assets (with what was issued and redeemed) are few and hashed whole. Ids are counted, not hashed: they are
//! determined by the record log, which has its own root.

use sha2::{Digest as _, Sha256};

use crate::account::Account;
use crate::id::{AssetNumber, Digest, ParticipantNumber};
use crate::name::Label;
use crate::registry::{Asset, Participant};
use crate::state::Ledger;
use crate::waiting::WaitingTable;

const ROOT_DOMAIN: &[u8] = b"corridor state root";
/// Of rule version 1, which has nothing that waits: networks that run it keep their roots.
const ROOT_VERSION_FIRST: u8 = 1;
const ROOT_VERSION: u8 = 2;
const LEAF_BYTES: usize = 50;
const NODE_BYTES: usize = 65;

/// The initial state of SHA-256 (FIPS 180-4, 5.3.3).
const SHA256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

const EMPTY: [u8; 32] = [0; 32];

/// A tree over accounts or places: level 0 is the leaves, the last level has one node.
#[derive(Debug, Clone, Default)]
pub(crate) struct HashTree {
    levels: Vec<Vec<[u8; 32]>>,
}

impl HashTree {
    /// Hashes the `touched` leaves of `count` and the nodes above them. New ones must be among them.
    pub(crate) fn update(
        &mut self,
        count: usize,
        touched: &mut Vec<u32>,
        leaf: impl Fn(u32) -> [u8; 32],
    ) {
        if touched.is_empty() {
            return;
        }
        touched.sort_unstable();
        if self.levels.is_empty() {
            self.levels.push(Vec::new());
        }
        self.levels[0].resize(count, EMPTY);
        for &index in touched.iter() {
            self.levels[0][index as usize] = leaf(index);
        }
        let mut level = 0;
        while self.levels[level].len() > 1 {
            if self.levels.len() == level + 1 {
                self.levels.push(Vec::new());
            }
            let (below, above) = self.levels.split_at_mut(level + 1);
            let (children, nodes) = (&below[level], &mut above[0]);
            nodes.resize(children.len().div_ceil(2), EMPTY);
            touched.iter_mut().for_each(|index| *index /= 2);
            touched.dedup();
            for &index in touched.iter() {
                let left = index as usize * 2;
                nodes[index as usize] =
                    node(&children[left], children.get(left + 1).unwrap_or(&EMPTY));
            }
            level += 1;
        }
        touched.clear();
    }

    pub(crate) fn root(&self) -> [u8; 32] {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(EMPTY)
    }
}

#[inline]
fn leaf(account: &Account) -> [u8; 32] {
    let mut blocks = [[0; 64]];
    let bytes = &mut blocks[0];
    bytes[1..17].copy_from_slice(&account.posted.minor().to_le_bytes());
    bytes[17..33].copy_from_slice(&account.held.minor().to_le_bytes());
    bytes[33..41].copy_from_slice(&account.floor.to_le_bytes());
    bytes[41..45].copy_from_slice(&account.owner.0.to_le_bytes());
    bytes[45..49].copy_from_slice(&account.asset.0.to_le_bytes());
    bytes[49] = account.status as u8;
    sha256_in_place::<LEAF_BYTES>(&mut blocks)
}

/// Hashes the touched places of waiting transfers. A place is SHA-256(2 ‖ its bytes), a free one 32 zero bytes.
fn update_waiting(tree: &mut HashTree, table: &WaitingTable, touched: &mut Vec<u32>) {
    let place = |at: u32| {
        let Some(waiting) = table.place(at) else { return EMPTY };
        let mut bytes = vec![2];
        waiting.encode(&mut bytes);
        Digest::of(&bytes).0
    };
    tree.update(table.slots().len(), touched, place);
}

#[inline]
fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut blocks = [[0; 64]; 2];
    let bytes = blocks.as_flattened_mut();
    bytes[0] = 1;
    bytes[1..33].copy_from_slice(left);
    bytes[33..NODE_BYTES].copy_from_slice(right);
    sha256_in_place::<NODE_BYTES>(&mut blocks)
}

/// SHA-256 of the first `LENGTH` bytes of `blocks`; the rest is zero and takes the padding. The tree hashes
/// millions of short strings of two known lengths: this leaves out the buffering of the general interface.
#[inline]
fn sha256_in_place<const LENGTH: usize>(blocks: &mut [[u8; 64]]) -> [u8; 32] {
    let bytes = blocks.as_flattened_mut();
    let length_at = bytes.len() - 8;
    bytes[LENGTH] = 0x80;
    bytes[length_at..].copy_from_slice(&(LENGTH as u64 * 8).to_be_bytes());
    let mut state = SHA256_START;
    sha2::block_api::compress256(&mut state, blocks);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// The names digest after one more account.
pub(crate) fn chain_name(
    before: &Digest,
    owner: ParticipantNumber,
    asset: AssetNumber,
    label: Label,
) -> Digest {
    let mut hash = Sha256::new();
    hash.update(before.0);
    hash.update(owner.0.to_le_bytes());
    hash.update(asset.0.to_le_bytes());
    hash.update([label.as_str().len() as u8]);
    hash.update(label.as_str());
    Digest(hash.finalize().into())
}

fn participants_digest(participants: &[Participant]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((participants.len() as u32).to_le_bytes());
    for participant in participants {
        hash.update(participant.bic.as_bytes());
        hash.update([participant.name.len() as u8]);
        hash.update(&participant.name);
        hash.update(participant.sealing_key);
        hash.update([participant.signing_keys.len() as u8]);
        participant.signing_keys.iter().for_each(|key| hash.update(key.0));
    }
    hash.finalize().into()
}

fn assets_digest(assets: &[Asset]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((assets.len() as u32).to_le_bytes());
    for asset in assets {
        hash.update([asset.code.as_str().len() as u8]);
        hash.update(asset.code.as_str());
        hash.update([asset.exponent.get()]);
        hash.update(asset.issuer.0.to_le_bytes());
        hash.update(asset.issued.to_le_bytes());
        hash.update(asset.redeemed.to_le_bytes());
    }
    hash.finalize().into()
}

impl Ledger {
    /// Ends a block: brings the state root up to date with everything applied and returns it.
    ///
    /// The root depends on the state alone, so several blocks may be sealed together. The cost grows with the
    /// number of accounts touched since the last time and the logarithm of the number of accounts.
    pub fn seal_block(&mut self) -> Digest {
        for &index in &self.touched {
            self.accounts[index as usize].touched = false;
        }
        let accounts = &self.accounts;
        self.tree.update(accounts.len(), &mut self.touched, |at| leaf(&accounts[at as usize]));
        if self.has_life_cycle() {
            debug_assert!(self.progress.is_empty(), "a block is closed before it is sealed");
            let mut touched = std::mem::take(&mut self.waiting.touched).into_iter().collect();
            update_waiting(&mut self.waiting_tree, &self.waiting, &mut touched);
            self.fx.seal();
        }
        let waiting = self.waiting_tree.root();
        let fx = self.fx.root_section();
        self.root = self.root_over(self.tree.root(), &self.names_digest, waiting, &fx);
        self.root
    }

    /// The state root from the whole state, for tests and for whoever loads a state from elsewhere.
    #[must_use]
    pub fn recompute_root(&self) -> Digest {
        let mut tree = HashTree::default();
        let mut all = (0..self.accounts.len() as u32).collect();
        tree.update(self.accounts.len(), &mut all, |at| leaf(&self.accounts[at as usize]));
        let mut waiting = HashTree::default();
        let mut all = (0..self.waiting.slots().len() as u32).collect();
        update_waiting(&mut waiting, &self.waiting, &mut all);
        let fx = self.fx.recompute_section();
        self.root_over(tree.root(), &self.recompute_names(), waiting.root(), &fx)
    }

    /// True when nothing was applied since the last seal.
    pub(crate) fn is_sealed(&self) -> bool {
        let root = || {
            let (tree, waiting) = (self.tree.root(), self.waiting_tree.root());
            self.root_over(tree, &self.names_digest, waiting, &self.fx.root_section())
        };
        self.touched.is_empty()
            && self.waiting.touched.is_empty()
            && self.progress.is_empty()
            && self.fx.is_sealed()
            && self.root == root()
    }

    /// Computes tree, names digest and root of a state that was put together from elsewhere.
    pub(crate) fn rebuild_digests(&mut self) {
        self.names_digest = self.recompute_names();
        self.touched = (0..self.accounts.len() as u32).collect();
        self.tree = HashTree::default();
        let places = self.waiting.slots().len() as u32;
        self.waiting.touched = (0..places).collect();
        self.waiting_tree = HashTree::default();
        self.seal_block();
    }

    fn recompute_names(&self) -> Digest {
        let named = self.accounts.iter().zip(&self.registry.labels);
        named.fold(Digest([0; 32]), |before, (account, label)| {
            chain_name(&before, account.owner, account.asset, *label)
        })
    }

    fn root_over(
        &self,
        accounts_root: [u8; 32],
        names: &Digest,
        waiting_root: [u8; 32],
        fx: &[u8],
    ) -> Digest {
        let mut hash = Sha256::new();
        hash.update(ROOT_DOMAIN);
        hash.update([if self.has_life_cycle() { ROOT_VERSION } else { ROOT_VERSION_FIRST }]);
        hash.update(self.genesis_digest.0);
        hash.update((self.accounts.len() as u32).to_le_bytes());
        hash.update(accounts_root);
        hash.update(names.0);
        hash.update(participants_digest(&self.registry.participants));
        hash.update(assets_digest(&self.registry.assets));
        hash.update(self.ids.count().to_le_bytes());
        if self.has_life_cycle() {
            hash.update(self.rules.to_le_bytes());
            hash.update(self.waiting.next_order.to_le_bytes());
            hash.update(self.waiting.first_order.to_le_bytes());
            hash.update(self.waiting.last_offset.0.to_le_bytes());
            hash.update([u8::from(self.waiting.offset_wanted)]);
            hash.update((self.waiting.to_release.len() as u32).to_le_bytes());
            for account in &self.waiting.to_release {
                hash.update(account.0.to_le_bytes());
            }
            hash.update((self.waiting.slots().len() as u32).to_le_bytes());
            hash.update(waiting_root);
        }
        hash.update(fx);
        Digest(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(count: u32) -> Vec<Account> {
        (0..count).map(|owner| Account::open(ParticipantNumber(owner), AssetNumber(0))).collect()
    }

    /// The definition of the header, word for word.
    fn by_definition(leaves: &[[u8; 32]], width: usize) -> [u8; 32] {
        match (leaves.len(), width) {
            (0, _) => EMPTY,
            (_, 1) => leaves[0],
            (count, _) => {
                let (left, right) = leaves.split_at(count.min(width / 2));
                node(&by_definition(left, width / 2), &by_definition(right, width / 2))
            }
        }
    }

    #[test]
    fn growing_tree_equals_its_definition() {
        let mut tree = HashTree::default();
        for count in 1..=70 {
            let accounts = accounts(count);
            // The new account and one old one.
            let mut touched = vec![count - 1];
            if count > 1 {
                touched.push(count / 2 - 1);
            }
            tree.update(accounts.len(), &mut touched, |at| leaf(&accounts[at as usize]));
            let leaves: Vec<_> = accounts.iter().map(leaf).collect();
            let expected = by_definition(&leaves, leaves.len().next_power_of_two());
            assert_eq!(tree.root(), expected, "{count} accounts");
        }
    }

    #[test]
    fn short_hashes_are_sha256() {
        let bytes: Vec<u8> = (1..=64).collect();
        let (left, right) = (bytes[..32].try_into().unwrap(), bytes[32..].try_into().unwrap());
        let whole = [&[1][..], &bytes[..]].concat();
        assert_eq!(node(&left, &right), Digest::of(&whole).0);
        let account = Account::open(ParticipantNumber(0x0102), AssetNumber(3));
        let mut whole = [0; LEAF_BYTES];
        whole[41..50].copy_from_slice(&[2, 1, 0, 0, 3, 0, 0, 0, 1]);
        assert_eq!(leaf(&account), Digest::of(&whole).0);
    }

    #[test]
    fn no_accounts_is_zero() {
        assert_eq!(HashTree::default().root(), EMPTY);
    }
}
