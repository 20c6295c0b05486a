//! Who votes, and how many it takes.
//!
//! The *voters* are the participants that the policy names, or all where it names none; a blocked or removed
//! participant is no voter. A proposal is carried when k voters are in favour. Its maker is never its checker: the
//! proposer does not vote on it, so k of n are k of the n - 1 others. Where the policy gives no number, k is more than
//! half of n. k is never more than n - 1: a network whose voters were suspended can still decide. Votes of those who
//! are no voters any more do not count.

use crate::id::ParticipantNumber;
use crate::limits::VOTERS_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Who votes, and how many it takes. The default is all participants, and more than half of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VotingPolicy {
    /// How many must be in favour beside the proposer: 0 for more than half of the voters, otherwise at least 1
    /// and less than the number of voters named.
    pub needed: u16,
    /// Who votes: 2 to 64 in ascending order; none for all participants.
    pub voters: Vec<ParticipantNumber>,
}

impl VotingPolicy {
    /// True when the counts are within their limits and the voters in ascending order.
    pub(crate) fn is_well_formed(&self) -> bool {
        let ascending = self.voters.windows(2).all(|pair| pair[0] < pair[1]);
        let reachable = usize::from(self.needed) < self.voters.len() || self.voters.is_empty();
        self.voters.len() != 1 && self.voters.len() <= VOTERS_MAX && ascending && reachable
    }
}

impl Ledger {
    /// Who votes, and how many it takes.
    #[must_use]
    pub const fn voting_policy(&self) -> &VotingPolicy {
        &self.gov.policy
    }

    /// True when the participant exists and votes.
    #[must_use]
    pub fn is_voter(&self, participant: ParticipantNumber) -> bool {
        let voters = &self.gov.policy.voters;
        let named = voters.is_empty() || voters.binary_search(&participant).is_ok();
        named
            && self.participant(participant).is_some()
            && self.participant_state(participant).takes_part()
    }

    /// How many of how many voters a proposal takes now, without its proposer.
    ///
    /// # Errors
    /// `Refusal::VotersTooFew` when there is nobody who could check a proposal.
    pub fn votes_needed(&self) -> Result<(usize, usize), Refusal> {
        let voters = &self.gov.policy.voters;
        let count = if voters.is_empty() {
            let out = self.gov.states.iter().filter(|state| !state.takes_part()).count();
            self.participants().len() - out
        } else {
            voters.iter().filter(|one| self.is_voter(**one)).count()
        };
        if count < 2 {
            return Err(Refusal::VotersTooFew);
        }
        let needed = match usize::from(self.gov.policy.needed) {
            0 => count / 2 + 1,
            needed => needed,
        };
        Ok((needed.min(count - 1), count))
    }
}
