//! From the bytes of a checkpoint back to a ledger.
//!
//! The bytes may come from a damaged disk or from a stranger: every count is bounded before memory is taken
//! for it, every reference and every rule of admission is checked as when the thing was first added, and at
//! the end the state root and all invariants. Nothing here panics, and a ledger comes out whole or not at all.

use std::io::{self, ErrorKind, Read};

use thiserror::Error;

use super::restore_waiting::read_waiting;
use super::{ACCOUNT_BYTES, MAGIC, VERSION, VERSION_FIRST};
use crate::account::{Account, AccountStatus};
use crate::amount::{Balance, Exponent};
use crate::answer::Answer;
use crate::apply::Authority;
use crate::command::{AddAsset, AdmitParticipant, OpenAccount, RULES_LIFE_CYCLE};
use crate::fx::section;
use crate::id::{AssetNumber, Digest, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::ids::{GENESIS_LEAF, IdEntry, ROW_BYTES};
use crate::invariant::Violation;
use crate::limits::{
    ACCOUNTS_MAX, ASSETS_MAX, BALANCE_MAX, GENERATION_IDS, LABEL_LEN_MAX, PARTICIPANTS_MAX,
    SIGNING_KEYS_MAX,
};
use crate::name::{Bic, Label};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Accounts and ids are read in pieces of this many.
const AT_ONCE: usize = 1024;

/// Bytes that are no checkpoint of a ledger.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The bytes end too early.
    #[error("the checkpoint ends inside the {0}")]
    Truncated(&'static str),
    /// The source of the bytes failed.
    #[error("read the {0} of the checkpoint")]
    Read(&'static str, #[source] io::Error),
    /// The bytes are something else.
    #[error("not a checkpoint of a ledger")]
    Magic,
    /// Written by another version of the rules.
    #[error("the checkpoint has version {0}, which this program does not read")]
    Version(u32),
    /// More of something than there can be.
    #[error("{count} {what}: out of bounds")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The number found.
        count: u64,
    },
    /// A field whose bytes are no value of its type, or one in a form that is never written.
    #[error("{what} {number}: {field} is not well formed")]
    Field {
        /// Participant, asset, account, id or waiting transfer.
        what: &'static str,
        /// Which one, from 0.
        number: u64,
        /// Which field.
        field: &'static str,
    },
    /// Something that the rules would not have let in.
    #[error("{what} {number}: {}", .refusal.operator_text())]
    Refused {
        /// Participant, asset or account.
        what: &'static str,
        /// Which one, from 0.
        number: u64,
        /// Why.
        refusal: Refusal,
    },
    /// An id is not greater than the one before it.
    #[error("id {0}: not in strictly ascending order")]
    Order(u64),
    /// An id was first used in a leaf that is yet to come.
    #[error("id {number}: leaf {leaf} is beyond the end of the records")]
    Leaf {
        /// Which id, from 0.
        number: u64,
        /// Its leaf.
        leaf: u64,
    },
    /// The state is not the one that was written.
    #[error("the state root is {computed}, the checkpoint says {stated}")]
    Root {
        /// Computed from the state.
        computed: Digest,
        /// In the checkpoint.
        stated: Digest,
    },
    /// An invariant does not hold.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// What the head says is to come.
struct Head {
    root: Digest,
    participants: u64,
    assets: u64,
    accounts: u64,
    ids: u64,
    /// Rule version 2 or later: waiting transfers follow.
    life_cycle: bool,
}

/// A position in the bytes. Reads exactly what it is asked for and says in which part it failed.
pub(crate) struct Source<'a> {
    input: &'a mut dyn Read,
    part: &'static str,
}

impl Source<'_> {
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RestoreError> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => RestoreError::Truncated(self.part),
            _ => RestoreError::Read(self.part, error),
        })
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RestoreError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The tag of the next section, `None` where the bytes end.
    fn tag(&mut self) -> Result<Option<u8>, RestoreError> {
        let mut tag = [0];
        match self.fill(&mut tag) {
            Ok(()) => Ok(Some(tag[0])),
            Err(RestoreError::Truncated(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RestoreError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length byte and that many bytes; `None` when they are not UTF-8.
    fn text(&mut self) -> Result<Option<String>, RestoreError> {
        let mut bytes = vec![0; usize::from(self.u8()?)];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// Reads `count` items of `N` bytes and gives each with its number to `each`.
    fn items<const N: usize>(
        &mut self,
        count: u64,
        mut each: impl FnMut(u64, &[u8; N]) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let mut piece = vec![[0; N]; AT_ONCE.min(count as usize)];
        let mut number = 0;
        while number < count {
            let items = (count - number).min(AT_ONCE as u64) as usize;
            self.fill(piece[..items].as_flattened_mut())?;
            for item in &piece[..items] {
                each(number, item)?;
                number += 1;
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// Reads a checkpoint: exactly the bytes of one. What follows them is left in rule version 1; later the bytes must
    /// end with it. `leaf_end` is the number of leaves of the record log at the moment of the checkpoint.
    ///
    /// The bytes are read in small parts, so give a buffered reader. The caller has compared the SHA-256 of
    /// the bytes, compares `state_root` with the seal of the block, and has the runs of all generations below
    /// `current_generation` on disk. It sets the key of the duplicate table afterwards, as after genesis.
    ///
    /// # Errors
    /// `RestoreError` when the bytes are not those of a checkpoint, or cannot be read.
    pub fn restore(input: &mut dyn Read, leaf_end: u64) -> Result<Self, RestoreError> {
        let mut source = Source { input, part: "head" };
        let (mut ledger, head) = read_head(&mut source)?;
        source.part = "participants";
        for number in 0..head.participants {
            read_participant(&mut ledger, &mut source, number)?;
        }
        source.part = "assets";
        for number in 0..head.assets {
            read_asset(&mut ledger, &mut source, number)?;
        }
        source.part = "accounts";
        source.items(head.accounts, |number, bytes| add_account(&mut ledger, bytes, number))?;
        source.part = "ids";
        let mut before = None;
        source.items(head.ids, |number, row| {
            add_id(&mut ledger, row, number, leaf_end, &mut before)
        })?;
        if head.life_cycle {
            source.part = "waiting transfers";
            read_waiting(&mut ledger, &mut source, leaf_end)?;
            source.part = "quotes and reports";
            match source.tag()? {
                Some(section::TAG) => section::read(&mut ledger, &mut source, leaf_end)?,
                Some(_) => return Err(RestoreError::Magic),
                None => {}
            }
        }
        ledger.rebuild_digests();
        #[cfg(feature = "planted")]
        if crate::planted::is(crate::planted::Bug::CheckpointBelieved) {
            return Ok(ledger);
        }
        if ledger.root != head.root {
            return Err(RestoreError::Root { computed: ledger.root, stated: head.root });
        }
        ledger.check_invariants()?;
        Ok(ledger)
    }
}

fn read_head(source: &mut Source<'_>) -> Result<(Ledger, Head), RestoreError> {
    if source.array()? != MAGIC {
        return Err(RestoreError::Magic);
    }
    let version = source.u32()?;
    if version != VERSION && version != VERSION_FIRST {
        return Err(RestoreError::Version(version));
    }
    let genesis_digest = Digest(source.array()?);
    let genesis_time = LedgerTime(u64::from_le_bytes(source.array()?));
    let root = Digest(source.array()?);
    let mut count = |what, most: usize| {
        let count = u64::from(source.u32()?);
        if count <= most as u64 { Ok(count) } else { Err(RestoreError::Count { what, count }) }
    };
    let participants = count("participants", PARTICIPANTS_MAX)?;
    let assets = count("assets", ASSETS_MAX)?;
    let accounts = count("accounts", ACCOUNTS_MAX)?;
    let generation = u64::from_le_bytes(source.array()?);
    let ids = u64::from(source.u32()?);
    // The first of later generations is made by its first id, so only that of genesis can be empty.
    if ids > GENERATION_IDS as u64 || (ids == 0 && generation > 0) {
        return Err(RestoreError::Count { what: "ids of the generation", count: ids });
    }
    let mut ledger = Ledger::empty(genesis_time, genesis_digest);
    if !ledger.ids.resume(generation) {
        return Err(RestoreError::Count { what: "full generations", count: generation });
    }
    let life_cycle = version == VERSION;
    if life_cycle {
        // The version itself comes with the waiting transfers.
        ledger.rules = RULES_LIFE_CYCLE;
    }
    Ok((ledger, Head { root, participants, assets, accounts, ids, life_cycle }))
}

fn read_participant(
    ledger: &mut Ledger,
    source: &mut Source<'_>,
    number: u64,
) -> Result<(), RestoreError> {
    const WHAT: &str = "participant";
    let wrong = |field| RestoreError::Field { what: WHAT, number, field };
    let bic = Bic::from_bytes(source.array()?).map_err(|_| wrong("BIC"))?;
    let name = source.text()?.ok_or_else(|| wrong("name"))?;
    let sealing_key = source.array()?;
    let keys = source.u8()?;
    if usize::from(keys) > SIGNING_KEYS_MAX {
        return Err(RestoreError::Count { what: "signing keys", count: u64::from(keys) });
    }
    let mut signing_keys = Vec::with_capacity(usize::from(keys));
    for _ in 0..keys {
        signing_keys.push(PublicKey(source.array()?));
    }
    let admit = AdmitParticipant { bic, name, signing_keys, sealing_key };
    admit
        .check_form()
        .and_then(|()| admit.check(ledger, &Authority::Genesis))
        .map_err(|refusal| RestoreError::Refused { what: WHAT, number, refusal })?;
    admit.apply(ledger);
    Ok(())
}

fn read_asset(
    ledger: &mut Ledger,
    source: &mut Source<'_>,
    number: u64,
) -> Result<(), RestoreError> {
    const WHAT: &str = "asset";
    let wrong = |field| RestoreError::Field { what: WHAT, number, field };
    let code = source.text()?.and_then(|text| text.parse().ok()).ok_or_else(|| wrong("code"))?;
    let exponent = Exponent::new(source.u8()?).ok_or_else(|| wrong("exponent"))?;
    let issuer = ParticipantNumber(source.u32()?);
    let add = AddAsset { code, exponent, issuer };
    add.check(ledger, &Authority::Genesis).map_err(|refusal| RestoreError::Refused {
        what: WHAT,
        number,
        refusal,
    })?;
    let at = add.apply(ledger).0 as usize;
    let mut total = |field| {
        let total = u128::from_le_bytes(source.array()?);
        if total <= BALANCE_MAX.unsigned_abs() { Ok(total) } else { Err(wrong(field)) }
    };
    ledger.registry.assets[at].issued = total("what was issued")?;
    ledger.registry.assets[at].redeemed = total("what was redeemed")?;
    Ok(())
}

fn add_account(
    ledger: &mut Ledger,
    bytes: &[u8; ACCOUNT_BYTES],
    number: u64,
) -> Result<(), RestoreError> {
    const WHAT: &str = "account";
    let wrong = |field| RestoreError::Field { what: WHAT, number, field };
    let mut source = Source { input: &mut &bytes[..], part: "accounts" };
    let balance = |bytes, field| {
        let minor = i128::from_le_bytes(bytes);
        // Not by `abs`, which the smallest number of all does not have.
        let bounded = (-BALANCE_MAX..=BALANCE_MAX).contains(&minor);
        if bounded { Ok(Balance::new(minor)) } else { Err(wrong(field)) }
    };
    let posted = balance(source.array()?, "balance")?;
    let held = balance(source.array()?, "what is held")?;
    let floor = i64::from_le_bytes(source.array()?);
    let owner = ParticipantNumber(source.u32()?);
    let asset = AssetNumber(source.u32()?);
    let status = AccountStatus::from_number(source.u8()?).ok_or_else(|| wrong("status"))?;
    let length = usize::from(source.u8()?);
    let padded: [u8; LABEL_LEN_MAX] = source.array()?;
    let (label, padding) = padded.split_at_checked(length).ok_or_else(|| wrong("label"))?;
    let label = std::str::from_utf8(label).ok().and_then(|text| text.parse::<Label>().ok());
    let label = label.filter(|_| padding.iter().all(|byte| *byte == 0));
    let label = label.ok_or_else(|| wrong("label"))?;
    let open = OpenAccount { owner, asset, label };
    open.check(ledger).map_err(|refusal| RestoreError::Refused { what: WHAT, number, refusal })?;
    let at = open.apply(ledger).0 as usize;
    // The list of what is to be hashed is made anew at the end.
    ledger.touched.clear();
    let account = Account::open(owner, asset);
    ledger.accounts[at] = Account { posted, held, floor, status, ..account };
    Ok(())
}

fn add_id(
    ledger: &mut Ledger,
    row: &[u8; ROW_BYTES],
    number: u64,
    leaf_end: u64,
    before: &mut Option<TransferId>,
) -> Result<(), RestoreError> {
    let (id, entry) = IdEntry::from_row(row);
    if before.replace(id).is_some_and(|before| before >= id) {
        return Err(RestoreError::Order(number));
    }
    // Under the first rules nothing waits.
    let known = Answer::from_code(entry.code);
    if known.is_none_or(|answer| !answer.is_final() && !ledger.has_life_cycle()) {
        return Err(RestoreError::Field { what: "id", number, field: "answer" });
    }
    if entry.leaf >= leaf_end && entry.leaf != GENESIS_LEAF {
        return Err(RestoreError::Leaf { number, leaf: entry.leaf });
    }
    #[cfg(feature = "planted")]
    if crate::planted::is(crate::planted::Bug::IdsLostInCheckpoint) {
        ledger.ids.count_only(&id, entry);
        return Ok(());
    }
    ledger.ids.insert(&id, entry);
    Ok(())
}
