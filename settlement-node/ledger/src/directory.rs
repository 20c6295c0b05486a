//! The directory: who takes part, in what state, and which assets reach it.
//!
//! Pure queries for whoever routes a payment or shows the network to people. They come in pages: ask again with the
//! last number of a page until one is empty. A page reads no more than it returns, plus the accounts passed over.

use crate::account::AccountView;
use crate::govern::ParticipantState;
use crate::id::{AccountNumber, AssetNumber, ParticipantNumber};
use crate::name::{AccountName, Bic};
use crate::state::Ledger;

/// A participant as others need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its number.
    pub number: ParticipantNumber,
    /// Its BIC.
    pub bic: Bic,
    /// Its name for people.
    pub name: String,
    /// What the others let it do.
    pub state: ParticipantState,
    /// True when it votes on proposals.
    pub votes: bool,
    /// How many live signing keys it has; none once it is removed.
    pub live_keys: usize,
    /// Its X25519 public key, to which documents are sealed.
    pub sealing_key: [u8; 32],
    /// Assets that it issues.
    pub issues: Vec<AssetNumber>,
}

/// An account of a participant as one that others pay to or are paid from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The account.
    pub account: AccountNumber,
    /// Its full name; the asset is in it.
    pub name: AccountName,
    /// What it holds.
    pub asset: AssetNumber,
    /// True when a payment to it would not be refused: by its own status and its owner's state.
    pub receives: bool,
    /// True when a payment from it would not be refused for these reasons.
    pub pays: bool,
}

impl Reach {
    fn of(view: &AccountView, owner: ParticipantState) -> Self {
        Self {
            account: view.number,
            name: view.name,
            asset: view.asset,
            receives: owner.may_receive() && view.status.may_receive(),
            pays: owner.may_pay() && view.status.may_pay(),
        }
    }
}

impl Ledger {
    /// The participants after a number, all from the start for `None`: at most `most`, by number.
    #[must_use]
    pub fn directory(&self, after: Option<ParticipantNumber>, most: usize) -> Vec<DirectoryEntry> {
        let start = after.map_or(0, |after| after.0 as usize + 1);
        let page = self.participants().iter().skip(start).take(most);
        page.map(|participant| {
            let number = participant.number;
            let state = self.participant_state(number);
            let gone = state == ParticipantState::Removed;
            let issued = self.assets().iter().filter(|asset| asset.issuer == number);
            DirectoryEntry {
                number,
                bic: participant.bic,
                name: participant.name.clone(),
                state,
                votes: self.is_voter(number),
                live_keys: if gone { 0 } else { participant.signing_keys.len() },
                sealing_key: participant.sealing_key,
                issues: issued.map(|asset| asset.number).collect(),
            }
        })
        .collect()
    }

    /// The accounts of a participant by asset and label, after one of them or from the start: at most `most`.
    #[must_use]
    pub fn reach(
        &self,
        of: ParticipantNumber,
        after: Option<AccountNumber>,
        most: usize,
    ) -> Vec<Reach> {
        let state = self.participant_state(of);
        let place =
            |number: AccountNumber| self.account(number).map(|view| (view.asset, view.name.label));
        let after = after.and_then(place);
        let later = self
            .accounts_of(of)
            .skip_while(|view| after.is_some_and(|after| (view.asset, view.name.label) <= after));
        later.take(most).map(|view| Reach::of(&view, state)).collect()
    }

    /// Who can be paid in an asset, after a number or from the start: at most `most` participants, each with the first
    /// of its accounts that receives.
    #[must_use]
    pub fn reachable_in(
        &self,
        asset: AssetNumber,
        after: Option<ParticipantNumber>,
        most: usize,
    ) -> Vec<Reach> {
        let start = after.map_or(0, |after| after.0 as usize + 1);
        let each = self.participants().iter().skip(start).map(|one| one.number);
        let open = each.filter(|one| self.participant_state(*one).may_receive());
        let first = open.filter_map(|one| {
            let state = self.participant_state(one);
            let in_asset = self.accounts_of(one).filter(|view| view.asset == asset);
            in_asset.map(|view| Reach::of(&view, state)).find(|reach| reach.receives)
        });
        first.take(most).collect()
    }
}
