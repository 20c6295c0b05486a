//! Random votes, keys, hours and limits, for the histories that are about them.

use ledger::*;

use super::{ASSETS, Draw, PARTICIPANTS, id, key};

const MINUTE: u64 = 60 * 1_000_000_000;

impl Draw {
    /// A command of this part.
    pub(super) fn govern(&mut self, now: u64, signers: &[Authorisation]) -> Command {
        let who = ParticipantNumber(self.below(u64::from(PARTICIPANTS)) as u32);
        let own = signers[self.below(signers.len() as u64) as usize].participant;
        let (who, own) = if self.chance(6) { (own, who) } else { (who, own) };
        match self.below(20) {
            0..5 => Command::Propose(Propose {
                id: id(400 + self.below(200)),
                proposer: own,
                expires: LedgerTime((now + 40).saturating_sub(self.below(42))),
                content: Box::new(self.content(now, who)),
            }),
            5..10 => {
                let in_favour = !self.chance(4);
                Command::Vote(Vote { proposal: self.undecided(), in_favour })
            }
            10 => Command::Withdraw(Withdraw { id: self.undecided() }),
            11 | 12 => Command::Confirm(Confirm { id: self.undecided() }),
            13 | 14 => Command::AddKey(AddKey {
                id: id(600 + self.below(100)),
                participant: own,
                key: key(own.0, 1 + self.below(9) as u8),
                from: self.maybe_time(now),
            }),
            15 => Command::RetireKey(RetireKey {
                participant: own,
                key: key(own.0, 1 + self.below(6) as u8),
                at: self.maybe_time(now),
            }),
            16 => {
                let key = key(own.0, 1 + self.below(6) as u8);
                Command::RevokeKey(RevokeKey { participant: own, key })
            }
            17 => Command::SetSealingKey(SetSealingKey {
                id: id(600 + self.below(100)),
                participant: own,
                sealing_key: [self.below(4) as u8; 32],
            }),
            _ => {
                let above = if self.chance(4) { None } else { Some(self.below(60)) };
                Command::SetFundingLimit(SetFundingLimit {
                    id: id(700 + self.below(50)),
                    asset: AssetNumber(self.below(u64::from(ASSETS)) as u32),
                    above: above.map(Amount::new),
                })
            }
        }
    }

    fn maybe_time(&mut self, now: u64) -> Option<LedgerTime> {
        let time = LedgerTime((now + 30).saturating_sub(self.below(32)));
        if self.chance(2) { None } else { Some(time) }
    }

    /// Mostly something that waits for a vote or a second person.
    fn undecided(&mut self) -> TransferId {
        if self.undecided.is_empty() || self.chance(10) {
            return id(400 + self.below(300));
        }
        let at = self.below(self.undecided.len() as u64) as usize;
        self.undecided[at]
    }

    fn content(&mut self, now: u64, participant: ParticipantNumber) -> Content {
        let asset = AssetNumber(self.below(u64::from(ASSETS)) as u32);
        match self.below(20) {
            0..7 => {
                // Removal is for ever: seldom, or soon nobody is left.
                let number = match self.below(10) {
                    0 => 5,
                    1..6 => 1,
                    _ => 1 + self.below(4) as u8,
                };
                let state = ParticipantState::from_number(number).unwrap();
                Content::SetState { participant, state }
            }
            7 => {
                let number = self.below(3);
                Content::Admit(AdmitParticipant {
                    bic: format!("NEW{number}DEFF").parse().unwrap(),
                    name: "New".to_owned(),
                    signing_keys: vec![key(100 + number as u32, 1)],
                    sealing_key: [0; 32],
                })
            }
            8 => Content::AddAsset(AddAsset {
                code: format!("NEW{}", self.below(2)).parse().unwrap(),
                exponent: Exponent::new(0).unwrap(),
                issuer: participant,
            }),
            9..13 => Content::SetCalendar { asset, calendar: self.calendar(now) },
            13 | 14 => {
                let most = if self.chance(2) { None } else { Some(self.below(120)) };
                Content::SetLegLimit { asset, most }
            }
            15 => Content::SetFinality { faulty: self.below(3) as u16 },
            16 => {
                let voters = match self.below(3) {
                    0 => Vec::new(),
                    1 => vec![0, 2, 3],
                    _ => vec![1, 3],
                };
                let needed = self.below(voters.len().max(2) as u64) as u16;
                let voters = voters.into_iter().map(ParticipantNumber).collect();
                Content::SetVoting(VotingPolicy { needed, voters })
            }
            17 => Content::RemoveNode { id: 1 + self.below(2) },
            18 => Content::AddNode {
                id: 1 + self.below(2),
                node: NodeDescription {
                    operator: participant,
                    link_key: [1; 32],
                    address: "a:1".to_owned(),
                    client_address: "a:2".to_owned(),
                },
            },
            _ => {
                let count = 1 + self.below(2) as u8;
                let first = 10 + 2 * self.below(6) as u8;
                let signing_keys = (0..count).map(|at| key(participant.0, first + at)).collect();
                Content::ReplaceKeys { participant, signing_keys }
            }
        }
    }

    /// Hours around the present minute, or none.
    fn calendar(&mut self, now: u64) -> Option<Calendar> {
        if self.chance(3) {
            return None;
        }
        let minute = (now / MINUTE % 1440) as u16;
        let opens = (minute + self.below(4) as u16).saturating_sub(1) % 1440;
        let cut_off = (opens + 1 + self.below(3) as u16) % 1440;
        Some(Calendar { opens, cut_off: cut_off.max(1), weekdays: 0x7f, holidays: Vec::new() })
    }
}
