//! The naive model of what is proposed: whether it could be, and what it brings about.

use ledger::{Content, ParticipantNumber, ParticipantState, Refusal};

use super::super::Model;
use super::{first_keys, found, set};

impl Model {
    pub(super) fn judge_content(&self, content: &Content) -> Result<(), Refusal> {
        let known = |who: &ParticipantNumber| {
            let known = (who.0 as usize) < self.participants.len();
            if known { Ok(()) } else { Err(Refusal::UnknownParticipant) }
        };
        let asset_known = |asset: &ledger::AssetNumber| {
            let known = (asset.0 as usize) < self.assets.len();
            if known { Ok(()) } else { Err(Refusal::UnknownAsset) }
        };
        let gov = &self.gov;
        let same = match content {
            Content::Admit(admit) => {
                if self.participants.iter().any(|(bic, _)| *bic == admit.bic.to_string()) {
                    return Err(Refusal::ParticipantExists);
                }
                if admit.signing_keys.iter().any(|key| self.used_ever(key)) {
                    return Err(Refusal::KeyInUse);
                }
                false
            }
            Content::SetState { participant, state } => {
                known(participant)?;
                let before = self.state(participant.0);
                if before != *state && before == ParticipantState::Removed {
                    return Err(Refusal::RemovedForEver);
                }
                let total = |of: &std::collections::BTreeMap<u32, i128>, asset: u32| {
                    of.get(&asset).copied().unwrap_or(0)
                };
                let owes = (0..self.assets.len() as u32).any(|asset| {
                    self.assets[asset as usize].1 == participant.0
                        && total(&self.issued, asset) > total(&self.redeemed, asset)
                });
                if before != *state && *state == ParticipantState::Removed && owes {
                    return Err(Refusal::MoneyOutstanding);
                }
                before == *state
            }
            Content::AddAsset(add) => {
                known(&add.issuer)?;
                if self.assets.iter().any(|(code, _)| *code == add.code.to_string()) {
                    return Err(Refusal::AssetExists);
                }
                false
            }
            Content::SetCalendar { asset, calendar } => {
                asset_known(asset)?;
                let before = found(&gov.calendars, &asset.0).map(|at| &gov.calendars[at].1);
                before == calendar.as_ref()
            }
            Content::SetLegLimit { asset, most } => {
                asset_known(asset)?;
                found(&gov.leg_limits, &asset.0).map(|at| gov.leg_limits[at].1) == *most
            }
            Content::AddNode { id, node } => {
                known(&node.operator)?;
                gov.nodes.contains(&(*id, Some(node.clone())))
            }
            Content::RemoveNode { id } => gov.nodes.contains(&(*id, None)),
            Content::ActivateRules(_) => return Err(Refusal::RuleNotActive),
            Content::SetFinality { faulty } => gov.finality == Some(*faulty),
            Content::SetVoting(policy) => {
                policy.voters.iter().try_for_each(known)?;
                let voters: Vec<u32> = policy.voters.iter().map(|one| one.0).collect();
                (gov.needed, &gov.voters) == (usize::from(policy.needed), &voters)
            }
            Content::ReplaceKeys { participant, signing_keys } => {
                known(participant)?;
                if self.state(participant.0) == ParticipantState::Removed {
                    return Err(Refusal::RemovedForEver);
                }
                let twice = (1..signing_keys.len())
                    .any(|at| signing_keys[..at].contains(&signing_keys[at]));
                if twice || signing_keys.iter().any(|key| self.used_ever(key)) {
                    return Err(Refusal::KeyInUse);
                }
                if signing_keys.len() < self.keys_needed(participant.0) {
                    return Err(Refusal::KeyNeeded);
                }
                false
            }
        };
        if same { Err(Refusal::NothingToChange) } else { Ok(()) }
    }

    pub(super) fn bring_about(&mut self, content: &Content, now: u64) {
        match content {
            Content::Admit(admit) => {
                self.participants.push((admit.bic.to_string(), admit.signing_keys.clone()));
                self.gov.keys.push(first_keys(&admit.signing_keys, now));
            }
            Content::SetState { participant, state } => {
                set(&mut self.gov.states, participant.0, Some(*state));
                if *state == ParticipantState::Removed {
                    self.gov.removed.push(participant.0);
                }
            }
            Content::AddAsset(add) => self.assets.push((add.code.to_string(), add.issuer.0)),
            Content::SetCalendar { asset, calendar } => {
                set(&mut self.gov.calendars, asset.0, calendar.clone());
            }
            Content::SetLegLimit { asset, most } => {
                set(&mut self.gov.leg_limits, asset.0, *most);
            }
            Content::AddNode { id, node } => {
                set(&mut self.gov.nodes, *id, Some(Some(node.clone())));
            }
            Content::RemoveNode { id } => set(&mut self.gov.nodes, *id, Some(None)),
            Content::ActivateRules(activate) => self.rules = activate.version,
            Content::SetFinality { faulty } => self.gov.finality = Some(*faulty),
            Content::SetVoting(policy) => {
                self.gov.needed = usize::from(policy.needed);
                self.gov.voters = policy.voters.iter().map(|one| one.0).collect();
            }
            Content::ReplaceKeys { participant, signing_keys } => {
                let keys = &mut self.gov.keys[participant.0 as usize];
                for one in keys.iter_mut().filter(|one| one.until.is_none_or(|at| at > now)) {
                    one.until = Some(now);
                }
                keys.extend(first_keys(signing_keys, now));
            }
        }
    }
}
