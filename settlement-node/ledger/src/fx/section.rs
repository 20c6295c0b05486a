//! The part of the state root and of a checkpoint that holds quotes and reports.
//!
//! In the root, after all that was there before: nothing while no quote was ever placed and no account ever had to
//! report; otherwise `F`, next order u64, places u32 and root 32 of the quotes, places u32 and root 32 of the awaited
//! reports, digest of the reporting accounts 32, digest of the scorecards 32. A root is a tree like that of accounts;
//! a leaf is SHA-256(5 ‖ bytes of a quote) or SHA-256(6 ‖ bytes of an awaited report), 32 zero bytes where a place is
//! free. The digests are SHA-256 of the count u32 and the rows below; 32 zero bytes while there was never a row.
//!
//! In a checkpoint: `F`, next order u64; places u32, count u32, of each quote its place u32, ascending, and its bytes;
//! the same of awaited reports; accounts that report: count u32, each account u32 and nanoseconds u64, ascending;
//! scorecards: count u32, each bank u32, in time, late, rejected, missing, not asked u64 each, delay u128, ascending;
//! which of these two lists ever had a row u8 each.
//! Quote: id 16, leaf u64, provider u32, sells u32, buys u32, pay, get, left, least, until, order u64 each.
//! Awaited report: transfer 16, account u32, settled u64, by u64, overdue u8.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::amount::Amount;
use crate::checkpoint::{RestoreError, Source};
use crate::id::{AccountNumber, Digest, LedgerTime, ParticipantNumber, TransferId};
use crate::ids::GENESIS_LEAF;
use crate::limits::{PARTICIPANTS_MAX, QUOTES_MAX, REPORTING_ACCOUNTS_MAX, REPORTS_MAX};
use crate::state::Ledger;

use super::Fx;
use super::book::Quote;
use super::last_mile::{AwaitedReport, LastMile, Scorecard};
use super::rate::Rate;
use super::slots::{Slots, Stored};

/// First byte of the section.
pub(crate) const TAG: u8 = b'F';

impl Fx {
    fn is_initial(&self) -> bool {
        self.book.next_order == 0 && self.last_mile.digests == [None; 2]
    }

    /// Brings the roots up to date.
    pub(crate) fn seal(&mut self) {
        self.book.quotes.seal();
        self.last_mile.seal();
    }

    /// True when nothing was changed since the last seal.
    pub(crate) fn is_sealed(&self) -> bool {
        self.book.quotes.is_sealed()
            && self.last_mile.awaited.is_sealed()
            && self.last_mile.changed == [false; 2]
    }

    /// What is hashed into the state root, as of the last seal.
    pub(crate) fn root_section(&self) -> Vec<u8> {
        let roots = [self.book.quotes.root(), self.last_mile.awaited.root()];
        self.section_over(roots, &self.last_mile.digests)
    }

    /// The same from all that there is.
    pub(crate) fn recompute_section(&self) -> Vec<u8> {
        let roots = [self.book.quotes.recompute_root(), self.last_mile.awaited.recompute_root()];
        let fresh = self.last_mile.compute_digests();
        let known = &self.last_mile.digests;
        let digests = [0, 1].map(|at| known[at].map(|_| fresh[at]));
        self.section_over(roots, &digests)
    }

    fn section_over(&self, roots: [[u8; 32]; 2], digests: &[Option<Digest>; 2]) -> Vec<u8> {
        if self.is_initial() {
            return Vec::new();
        }
        let mut out = vec![TAG];
        out.extend_from_slice(&self.book.next_order.to_le_bytes());
        let places = [self.book.quotes.places().len(), self.last_mile.awaited.places().len()];
        for (places, root) in places.into_iter().zip(roots) {
            out.extend_from_slice(&(places as u32).to_le_bytes());
            out.extend_from_slice(&root);
        }
        let each = digests.iter().map(|digest| digest.map_or([0; 32], |digest| digest.0));
        each.for_each(|digest| out.extend_from_slice(&digest));
        out
    }

    /// Gives the bytes of a checkpoint's section to `write`; none when there never was anything.
    pub(crate) fn put(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if self.is_initial() {
            return Ok(());
        }
        let mut piece = vec![TAG];
        piece.extend_from_slice(&self.book.next_order.to_le_bytes());
        put_slots(&self.book.quotes, &mut piece, write)?;
        put_slots(&self.last_mile.awaited, &mut piece, write)?;
        self.last_mile.put_within(&mut piece);
        self.last_mile.put_cards(&mut piece);
        let ever = self.last_mile.digests.map(|digest| u8::from(digest.is_some()));
        piece.extend_from_slice(&ever);
        write(&piece)
    }
}

fn put_slots<T: Stored>(
    table: &Slots<T>,
    piece: &mut Vec<u8>,
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    piece.extend_from_slice(&(table.places().len() as u32).to_le_bytes());
    piece.extend_from_slice(&(table.count() as u32).to_le_bytes());
    for (place, value) in (0u32..).zip(table.places()) {
        if let Some(value) = value {
            piece.extend_from_slice(&place.to_le_bytes());
            value.encode(piece);
            if piece.len() >= 1 << 16 {
                write(piece)?;
                piece.clear();
            }
        }
    }
    Ok(())
}

impl LastMile {
    fn seal(&mut self) {
        self.awaited.seal();
        if self.changed != [false; 2] {
            let fresh = self.compute_digests();
            for at in [0, 1] {
                if self.changed[at] {
                    self.digests[at] = Some(fresh[at]);
                }
            }
            self.changed = [false; 2];
        }
    }

    fn compute_digests(&self) -> [Digest; 2] {
        let (mut within, mut cards) = (Vec::new(), Vec::new());
        self.put_within(&mut within);
        self.put_cards(&mut cards);
        [within, cards].map(|bytes| Digest(Sha256::digest(bytes).into()))
    }

    fn put_within(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.within.len() as u32).to_le_bytes());
        for (account, within) in &self.within {
            out.extend_from_slice(&account.0.to_le_bytes());
            out.extend_from_slice(&within.to_le_bytes());
        }
    }

    fn put_cards(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.cards.len() as u32).to_le_bytes());
        for (bank, card) in &self.cards {
            let Scorecard { in_time, late, rejected, missing, not_asked, delay } = card;
            out.extend_from_slice(&bank.0.to_le_bytes());
            for count in [in_time, late, rejected, missing, not_asked] {
                out.extend_from_slice(&count.to_le_bytes());
            }
            out.extend_from_slice(&delay.to_le_bytes());
        }
    }
}

fn wrong(what: &'static str, number: u64, field: &'static str) -> RestoreError {
    RestoreError::Field { what, number, field }
}

/// Reads a section whose tag was read, into a ledger that has its accounts.
pub(crate) fn read(
    ledger: &mut Ledger,
    source: &mut Source<'_>,
    leaf_end: u64,
) -> Result<(), RestoreError> {
    ledger.fx.book.next_order = u64::from_le_bytes(source.array()?);
    let (places, count) = read_counts(source, "quotes", QUOTES_MAX)?;
    ledger.fx.book.quotes.reserve(places);
    let mut before = None;
    for number in 0..u64::from(count) {
        let place = read_place(source, places, &mut before, "quote", number)?;
        let quote = read_quote(ledger, source, number, leaf_end)?;
        let pair = ledger.pair_of(quote.sells, quote.buys);
        ledger.fx.book.quotes.insert_at(place, quote);
        ledger.fx.book.index(place, pair);
    }
    let (places, count) = read_counts(source, "awaited reports", REPORTS_MAX)?;
    ledger.fx.last_mile.awaited.reserve(places);
    let mut before = None;
    for number in 0..u64::from(count) {
        let place = read_place(source, places, &mut before, "awaited report", number)?;
        let report = read_report(ledger, source, number)?;
        ledger.fx.last_mile.awaited.insert_at(place, report);
        ledger.fx.last_mile.index(place);
    }
    read_within(ledger, source)?;
    read_cards(ledger, source)?;
    for at in [0, 1] {
        let known = [ledger.fx.last_mile.within.is_empty(), ledger.fx.last_mile.cards.is_empty()];
        ledger.fx.last_mile.changed[at] = match source.u8()? {
            0 if known[at] => false,
            1 => true,
            _ => return Err(wrong("list", at as u64, "whether it ever had a row")),
        };
    }
    Ok(())
}

fn read_counts(
    source: &mut Source<'_>,
    what: &'static str,
    most: usize,
) -> Result<(u32, u32), RestoreError> {
    let (places, count) = (source.u32()?, source.u32()?);
    if places as usize > most || count > places {
        return Err(RestoreError::Count { what, count: u64::from(places.max(count)) });
    }
    Ok((places, count))
}

fn read_place(
    source: &mut Source<'_>,
    places: u32,
    before: &mut Option<u32>,
    what: &'static str,
    number: u64,
) -> Result<u32, RestoreError> {
    let place = source.u32()?;
    if place >= places || before.replace(place).is_some_and(|before| before >= place) {
        return Err(wrong(what, number, "place"));
    }
    Ok(place)
}

fn read_quote(
    ledger: &Ledger,
    source: &mut Source<'_>,
    number: u64,
    leaf_end: u64,
) -> Result<Quote, RestoreError> {
    let wrong = |field| wrong("quote", number, field);
    let id = TransferId(source.array()?);
    let leaf = u64::from_le_bytes(source.array()?);
    if leaf >= leaf_end && leaf != GENESIS_LEAF {
        return Err(RestoreError::Leaf { number, leaf });
    }
    let provider = ParticipantNumber(source.u32()?);
    let sells = AccountNumber(source.u32()?);
    let buys = AccountNumber(source.u32()?);
    let mut u64_next = || source.array().map(u64::from_le_bytes);
    let rate = Rate::new(u64_next()?, u64_next()?).ok_or_else(|| wrong("rate"))?;
    let (left, least) = (Amount::new(u64_next()?), Amount::new(u64_next()?));
    let (until, order) = (LedgerTime(u64_next()?), u64_next()?);
    let known = |account| ledger.hot(account).is_some_and(|account| account.owner == provider);
    if !known(sells) || !known(buys) || ledger.fx.book.get(&id).is_some() {
        return Err(wrong("id or accounts"));
    }
    let (pays, gets) = ledger.pair_of(sells, buys);
    if pays == gets || least.is_zero() || left < least || order >= ledger.fx.book.next_order {
        return Err(wrong("terms"));
    }
    Ok(Quote { id, leaf, provider, sells, buys, rate, left, least, until, order })
}

fn read_report(
    ledger: &Ledger,
    source: &mut Source<'_>,
    number: u64,
) -> Result<AwaitedReport, RestoreError> {
    let wrong = |field| wrong("awaited report", number, field);
    let transfer = TransferId(source.array()?);
    let account = AccountNumber(source.u32()?);
    let settled = LedgerTime(u64::from_le_bytes(source.array()?));
    let by = LedgerTime(u64::from_le_bytes(source.array()?));
    let overdue = match source.u8()? {
        0 => false,
        1 => true,
        _ => return Err(wrong("mark")),
    };
    let payer = ParticipantNumber(source.u32()?);
    let bank = ledger.hot(account).ok_or_else(|| wrong("account"))?.owner;
    if ledger.participant(payer).is_none() {
        return Err(wrong("payer"));
    }
    if by < settled || ledger.fx.last_mile.place_of(&transfer, account).is_some() {
        return Err(wrong("times or transfer"));
    }
    Ok(AwaitedReport { transfer, account, bank, payer, settled, by, overdue })
}

fn read_within(ledger: &mut Ledger, source: &mut Source<'_>) -> Result<(), RestoreError> {
    let count = source.u32()?;
    if count as usize > REPORTING_ACCOUNTS_MAX {
        return Err(RestoreError::Count { what: "reporting accounts", count: u64::from(count) });
    }
    for number in 0..u64::from(count) {
        let account = AccountNumber(source.u32()?);
        let within = u64::from_le_bytes(source.array()?);
        let last = ledger.fx.last_mile.within.last_key_value().map(|(account, _)| *account);
        if within == 0 || last >= Some(account) || ledger.hot(account).is_none() {
            return Err(wrong("reporting account", number, "number or time"));
        }
        ledger.fx.last_mile.within.insert(account, within);
        ledger.accounts[account.0 as usize].reports = true;
    }
    Ok(())
}

fn read_cards(ledger: &mut Ledger, source: &mut Source<'_>) -> Result<(), RestoreError> {
    let count = source.u32()?;
    if count as usize > PARTICIPANTS_MAX {
        return Err(RestoreError::Count { what: "scorecards", count: u64::from(count) });
    }
    for number in 0..u64::from(count) {
        let bank = ParticipantNumber(source.u32()?);
        let mut next = || source.array().map(u64::from_le_bytes);
        let (in_time, late, rejected) = (next()?, next()?, next()?);
        let (missing, not_asked) = (next()?, next()?);
        let delay = u128::from_le_bytes(source.array()?);
        let last = ledger.fx.last_mile.cards.last_key_value().map(|(bank, _)| *bank);
        if last >= Some(bank) || ledger.participant(bank).is_none() {
            return Err(wrong("scorecard", number, "bank"));
        }
        let card = Scorecard { in_time, late, rejected, missing, not_asked, delay };
        ledger.fx.last_mile.cards.insert(bank, card);
    }
    Ok(())
}
