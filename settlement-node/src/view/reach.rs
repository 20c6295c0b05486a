//! Who takes part and who can be paid in what: the directory for whoever routes a payment.
//!
//! Answers come in pages: ask again with the `next` of a page until there is none.

use ledger::{AccountNumber, AssetNumber, DirectoryEntry, ParticipantNumber, Reach};
use serde::Serialize;
use wire::genesis::hex;

use crate::chain::Chain;

/// Most rows of one page.
pub const REACH_PAGE_MAX: usize = 500;

/// One page.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// Height at which it was read.
    pub height: u64,
    /// The rows.
    pub rows: Vec<T>,
    /// What to ask with, as `after`, for the next page; none on the last.
    pub next: Option<u32>,
}

/// A participant as others need to know it.
#[derive(Clone, Debug, Serialize)]
pub struct MemberView {
    /// BIC of 11 characters.
    pub bic: String,
    /// For people.
    pub name: String,
    /// What the others let it do: `active`, `send-only` ...
    pub state: &'static str,
    /// Whether it votes on proposals.
    pub votes: bool,
    /// How many live signing keys it has.
    pub live_keys: usize,
    /// Its X25519 key, to which documents are sealed, hex.
    pub sealing_key: String,
    /// Codes of the assets that it issues.
    pub issues: Vec<String>,
}

/// An account that others pay to or are paid from.
#[derive(Clone, Debug, Serialize)]
pub struct ReachView {
    /// `BIC/ASSET[/label]`.
    pub account: String,
    /// Whether a payment to it is not refused for its status or its owner's state.
    pub receives: bool,
    /// Whether a payment from it is not refused for these reasons.
    pub pays: bool,
    /// Within how many nanoseconds its owner accepts or refuses a credit; none where credits settle at once.
    pub accepts_within_ns: Option<u64>,
    /// Within how many nanoseconds its owner reports the credit to its customer; none where it need not.
    pub reports_within_ns: Option<u64>,
}

fn page<F, T>(
    chain: &Chain,
    found: Vec<F>,
    last: impl Fn(&F) -> u32,
    row: impl Fn(F) -> T,
) -> Page<T> {
    let next = found.last().filter(|_| found.len() == REACH_PAGE_MAX).map(last);
    Page { height: chain.height().0, rows: found.into_iter().map(row).collect(), next }
}

/// Participants after a number.
#[must_use]
pub fn members(chain: &Chain, after: Option<u32>) -> Page<MemberView> {
    let ledger = chain.ledger();
    let found = ledger.directory(after.map(ParticipantNumber), REACH_PAGE_MAX);
    let code = |number: &AssetNumber| {
        ledger.asset(*number).map_or_else(|| number.to_string(), |asset| asset.code.to_string())
    };
    let row = |one: DirectoryEntry| MemberView {
        bic: one.bic.to_string(),
        name: one.name,
        state: one.state.name(),
        votes: one.votes,
        live_keys: one.live_keys,
        sealing_key: hex(&one.sealing_key),
        issues: one.issues.iter().map(code).collect(),
    };
    page(chain, found, |one| one.number.0, row)
}

/// Accounts of a participant after one of them.
#[must_use]
pub fn reach_of(chain: &Chain, of: ParticipantNumber, after: Option<u32>) -> Page<ReachView> {
    let found = chain.ledger().reach(of, after.map(AccountNumber), REACH_PAGE_MAX);
    page(chain, found, |one| one.account.0, |one| view(chain, &one))
}

/// Who can be paid in an asset, each with the first of its accounts that receives.
#[must_use]
pub fn reachable(chain: &Chain, asset: AssetNumber, after: Option<u32>) -> Page<ReachView> {
    let ledger = chain.ledger();
    let found = ledger.reachable_in(asset, after.map(ParticipantNumber), REACH_PAGE_MAX);
    let owner = |one: &Reach| ledger.account(one.account).map_or(0, |view| view.account.owner.0);
    page(chain, found, owner, |one| view(chain, &one))
}

fn view(chain: &Chain, one: &Reach) -> ReachView {
    let ledger = chain.ledger();
    ReachView {
        account: one.name.to_string(),
        receives: one.receives,
        pays: one.pays,
        accepts_within_ns: ledger.controls(one.account).and_then(|controls| controls.acceptance),
        reports_within_ns: ledger.reports_within(one.account),
    }
}
