//! The tables back from the bytes of a checkpoint: every count bounded, every reference checked, no panic.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{RestoreError, Source};
use crate::codec::DecodeError;
use crate::codec::govern::{read_calendar, read_node};
use crate::codec::reader::Reader;
use crate::command::{Command, Propose};
use crate::id::{AssetNumber, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::limits::{
    ACTS_MAX, AUTHORISATIONS_PER_BATCH_MAX, CALENDARS_MAX, COMMAND_BYTES_MAX, KEYS_EVER_MAX,
    NODES_DECIDED_MAX, PROPOSALS_MAX, VOTERS_MAX,
};
use crate::state::Ledger;

use super::keys::LEAF_NONE;
use super::{Act, KeyEnd, KeyRecord, ParticipantState, Proposal, Seat, VotingPolicy};

/// The tag of this section.
pub(crate) const TAG: u8 = b'G';
/// Bytes are taken from the source in pieces of this many, so that a length alone costs no memory.
const PIECE_BYTES: usize = 1 << 16;
const WHAT: &str = "decision table";

/// Why a table was not taken: the number of the table and the field.
struct Wrong(u64, &'static str);

/// Reads the section behind its tag into a ledger that has its participants, assets, accounts and waiting transfers.
pub(crate) fn read(ledger: &mut Ledger, source: &mut Source<'_>) -> Result<(), RestoreError> {
    let mut left = source.u32()? as usize;
    let mut bytes = Vec::new();
    while left > 0 {
        let mut piece = vec![0; left.min(PIECE_BYTES)];
        source.fill(&mut piece)?;
        left -= piece.len();
        bytes.append(&mut piece);
    }
    let mut tables = Tables { reader: Reader::new(&bytes), table: 0, ledger };
    let read = tables.read();
    let whole = tables.reader.consumed() == bytes.len();
    let wrong = |Wrong(number, field)| RestoreError::Field { what: WHAT, number, field };
    read.map_err(wrong)?;
    // A table that says nothing is left out.
    if !whole || ledger.gov.is_first() {
        return Err(wrong(Wrong(0, "length")));
    }
    ledger.gov.rebuild();
    Ok(())
}

struct Tables<'a, 'b> {
    reader: Reader<'a>,
    table: u64,
    ledger: &'b mut Ledger,
}

type Read<T> = Result<T, Wrong>;

impl<'a> Tables<'a, '_> {
    fn read(&mut self) -> Read<()> {
        self.policy()?;
        self.table = 1;
        self.states()?;
        self.table = 2;
        self.keys()?;
        self.table = 3;
        self.calendars()?;
        self.table = 4;
        self.ledger.gov.leg_limits = self.amounts()?;
        self.ledger.gov.funding_limits = self.amounts()?;
        self.table = 5;
        self.nodes()?;
        self.table = 6;
        self.proposals()?;
        self.table = 7;
        self.acts()?;
        self.table = 8;
        self.seats()
    }

    fn wrong<T>(&self, field: &'static str) -> Read<T> {
        Err(Wrong(self.table, field))
    }

    fn take<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>) -> Read<T> {
        let table = self.table;
        read(&mut self.reader).map_err(|_| Wrong(table, "value"))
    }

    fn u32(&mut self) -> Read<u32> {
        self.take(Reader::u32)
    }

    fn u64(&mut self) -> Read<u64> {
        self.take(Reader::u64)
    }

    fn count(&mut self, most: usize) -> Read<usize> {
        let count = self.u32()? as usize;
        if count <= most { Ok(count) } else { self.wrong("count") }
    }

    fn flag(&mut self) -> Read<bool> {
        match self.take(Reader::u8)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => self.wrong("presence"),
        }
    }

    fn participant(&mut self) -> Read<ParticipantNumber> {
        let number = ParticipantNumber(self.u32()?);
        let known = self.ledger.participant(number).is_some();
        if known { Ok(number) } else { self.wrong("participant") }
    }

    fn asset(&mut self) -> Read<AssetNumber> {
        let number = AssetNumber(self.u32()?);
        if self.ledger.asset(number).is_some() { Ok(number) } else { self.wrong("asset") }
    }

    /// Participants in ascending order.
    fn participants(&mut self, most: usize) -> Read<BTreeSet<ParticipantNumber>> {
        let mut all = BTreeSet::new();
        for _ in 0..self.count(most)? {
            let one = self.participant()?;
            if all.last().is_some_and(|last| *last >= one) {
                return self.wrong("order");
            }
            all.insert(one);
        }
        Ok(all)
    }

    /// Adds an entry that comes after all others.
    fn add<K: Ord, V>(&self, map: &mut BTreeMap<K, V>, key: K, value: V) -> Read<()> {
        if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return self.wrong("order");
        }
        map.insert(key, value);
        Ok(())
    }

    fn policy(&mut self) -> Read<()> {
        let needed = self.take(Reader::u16)?;
        let voters = self.participants(VOTERS_MAX)?.into_iter().collect();
        let policy = VotingPolicy { needed, voters };
        if !policy.is_well_formed() {
            return self.wrong("policy");
        }
        self.ledger.gov.policy = policy;
        if self.flag()? {
            self.ledger.gov.finality = Some(self.take(Reader::u16)?);
        }
        Ok(())
    }

    fn states(&mut self) -> Read<()> {
        let all = self.ledger.participants().len();
        for _ in 0..self.count(all)? {
            let at = self.participant()?.0 as usize;
            let state = ParticipantState::from_number(self.take(Reader::u8)?);
            let state = state.filter(|state| *state != ParticipantState::Active);
            let Some(state) = state else { return self.wrong("state") };
            if at < self.ledger.gov.states.len() {
                return self.wrong("order");
            }
            self.ledger.gov.states.resize(at + 1, ParticipantState::Active);
            self.ledger.gov.states[at] = state;
        }
        let mut sweeping = BTreeMap::new();
        for _ in 0..self.count(all)? {
            let (participant, place) = (self.participant()?, self.u32()?);
            self.add(&mut sweeping, participant, place)?;
        }
        self.ledger.gov.sweeping = sweeping;
        Ok(())
    }

    fn keys(&mut self) -> Read<()> {
        let mut keys = BTreeMap::new();
        let all = self.ledger.participants().len();
        for _ in 0..self.count(all)? {
            let owner = self.participant()?;
            let count = self.count(2 * KEYS_EVER_MAX)?;
            let mut records: Vec<KeyRecord> = Vec::new();
            for _ in 0..count {
                let record = self.key()?;
                let others = self.ledger.registry.owner_of_key(&record.key);
                let known = records.iter().any(|other| other.key == record.key);
                if known || others.is_some_and(|other| other != owner) {
                    return self.wrong("key");
                }
                self.ledger.registry.claim_key(record.key, owner);
                records.push(record);
            }
            let live = records.iter().filter(|one| one.from_leaf.is_some());
            let live: BTreeSet<PublicKey> =
                live.filter(|one| one.until_leaf.is_none()).map(|one| one.key).collect();
            let found = self.ledger.participant(owner).map(|one| &one.signing_keys);
            let same = found.is_some_and(|keys| {
                keys.len() == live.len() && keys.iter().all(|key| live.contains(key))
            });
            if !same {
                return self.wrong("live keys");
            }
            self.add(&mut keys, owner, records)?;
        }
        self.ledger.gov.keys = keys;
        Ok(())
    }

    fn key(&mut self) -> Read<KeyRecord> {
        let key = PublicKey(self.take(Reader::array)?);
        let from = LedgerTime(self.u64()?);
        let leaf = |leaf| Some(leaf).filter(|leaf| *leaf != LEAF_NONE);
        let from_leaf = leaf(self.u64()?);
        let until = self.u64()?;
        let until = match self.take(Reader::u8)? {
            0 if until == u64::MAX => None,
            how => match KeyEnd::from_number(how) {
                Some(end) => Some((LedgerTime(until), end)),
                None => return self.wrong("end"),
            },
        };
        let until_leaf = leaf(self.u64()?);
        if until.is_none() && until_leaf.is_some() {
            return self.wrong("end");
        }
        Ok(KeyRecord { key, from, from_leaf, until, until_leaf })
    }

    fn calendars(&mut self) -> Read<()> {
        let mut calendars = BTreeMap::new();
        for _ in 0..self.count(CALENDARS_MAX)? {
            let (asset, calendar) = (self.asset()?, self.take(read_calendar)?);
            if !calendar.is_well_formed() {
                return self.wrong("calendar");
            }
            self.add(&mut calendars, asset, calendar)?;
        }
        self.ledger.gov.calendars = calendars;
        Ok(())
    }

    fn amounts(&mut self) -> Read<BTreeMap<AssetNumber, u64>> {
        let mut amounts = BTreeMap::new();
        for _ in 0..self.count(self.ledger.assets().len())? {
            let (asset, amount) = (self.asset()?, self.u64()?);
            self.add(&mut amounts, asset, amount)?;
        }
        Ok(amounts)
    }

    fn nodes(&mut self) -> Read<()> {
        let mut nodes = BTreeMap::new();
        for _ in 0..self.count(NODES_DECIDED_MAX)? {
            let id = self.u64()?;
            let node = if self.flag()? { Some(self.take(read_node)?) } else { None };
            self.add(&mut nodes, id, node)?;
        }
        self.ledger.gov.nodes = nodes;
        Ok(())
    }

    fn proposals(&mut self) -> Read<()> {
        let mut proposals = BTreeMap::new();
        let voters = self.ledger.participants().len();
        for _ in 0..self.count(PROPOSALS_MAX)? {
            let id = TransferId(self.take(Reader::array)?);
            let leaf = self.u64()?;
            let in_favour = self.participants(voters)?;
            let against = self.participants(voters)?;
            let Command::Propose(Propose { id: own, proposer, expires, content }) =
                self.command()?
            else {
                return self.wrong("proposal");
            };
            if own != id || !content.is_well_formed() || !in_favour.is_disjoint(&against) {
                return self.wrong("proposal");
            }
            let content = *content;
            let proposal = Proposal { content, proposer, leaf, expires, in_favour, against };
            self.add(&mut proposals, id, proposal)?;
        }
        self.ledger.gov.proposals = proposals;
        Ok(())
    }

    fn acts(&mut self) -> Read<()> {
        let mut acts = BTreeMap::new();
        for _ in 0..self.count(ACTS_MAX)? {
            let id = TransferId(self.take(Reader::array)?);
            let (leaf, of, deadline) = (self.u64()?, self.participant()?, LedgerTime(self.u64()?));
            let mut makers = Vec::new();
            for _ in 0..self.count(AUTHORISATIONS_PER_BATCH_MAX)? {
                makers.push(PublicKey(self.take(Reader::array)?));
            }
            let command = self.command()?;
            let account = |account| self.ledger.account(account).is_some();
            let sound = match &command {
                Command::Issue(issue) => account(issue.account),
                Command::Redeem(redeem) => account(redeem.account),
                Command::AddKey(add) => self.ledger.participant(add.participant).is_some(),
                Command::SetFundingLimit(set) => self.ledger.asset(set.asset).is_some(),
                _ => false,
            };
            if !sound || command.id() != Some(id) {
                return self.wrong("act");
            }
            self.add(&mut acts, id, Act { command, of, makers, leaf, deadline })?;
        }
        self.ledger.gov.acts = acts;
        Ok(())
    }

    /// The last table, which is left out where it is empty.
    fn seats(&mut self) -> Read<()> {
        let mut seats = BTreeMap::new();
        if !self.reader.is_empty() {
            for _ in 0..self.count(NODES_DECIDED_MAX)? {
                let (id, seat) = (self.u64()?, self.take(Reader::u8)?);
                let Some(seat) = Seat::from_number(seat) else { return self.wrong("seat") };
                if !self.ledger.gov.nodes.contains_key(&id) {
                    return self.wrong("seat of a node that nothing was decided about");
                }
                self.add(&mut seats, id, seat)?;
            }
            if seats.is_empty() {
                return self.wrong("count");
            }
        }
        self.ledger.gov.seats = seats;
        Ok(())
    }

    fn command(&mut self) -> Read<Command> {
        let length = usize::from(self.take(Reader::u16)?);
        if length > COMMAND_BYTES_MAX {
            return self.wrong("length of a command");
        }
        let bytes = {
            let table = self.table;
            self.reader.bytes(length).map_err(|_| Wrong(table, "command"))?
        };
        match Command::decode(bytes) {
            Ok((command, used)) if used == length => Ok(command),
            _ => self.wrong("command"),
        }
    }
}
