//! Random commands about liquidity: small limits, so that they meet the payments.

use ledger::*;

use super::{Draw, id};

impl Draw {
    /// A time that a window of a second notices, now and then.
    pub(crate) fn long_step(&mut self) -> u64 {
        if self.about_limits && self.chance(3) { self.below(700_000_000) } else { 0 }
    }

    fn most(&mut self) -> Option<u64> {
        if self.chance(5) { None } else { Some(self.below(160)) }
    }

    fn limit(&mut self) -> Limit {
        match self.below(5) {
            0 => Limit::Payment { most: self.most() },
            1 | 2 => {
                let window = 1_000_000_000 * (1 + self.below(2));
                let rolling = self.chance(2);
                let most = self.most().map(|amount| Pace { amount: amount * 2, window, rolling });
                Limit::Velocity { most }
            }
            3 => Limit::Bilateral {
                towards: ParticipantNumber(if self.chance(20) { 9 } else { self.below(4) as u32 }),
                most: self.most(),
                restart: self.chance(3),
            },
            _ => Limit::Multilateral { most: self.most(), restart: self.chance(3) },
        }
    }

    pub(crate) fn liquidity(&mut self, now: u64) -> Command {
        let (id, account) = (id(300 + self.below(400)), self.account());
        match self.below(13) {
            0..6 => {
                let limit = self.limit();
                let shared = matches!(limit, Limit::Payment { .. } | Limit::Velocity { .. });
                let issuers = shared && self.chance(3);
                let by = if issuers { LimitSetter::Issuer } else { LimitSetter::Owner };
                Command::SetLimit(SetLimit { id, account, by, limit })
            }
            6 | 7 => {
                let priority = if self.chance(2) { Priority::Urgent } else { Priority::High };
                let amount = if self.chance(4) { 0 } else { self.below(70) };
                Command::SetReservation(SetReservation { id, account, priority, amount })
            }
            8 | 9 => {
                let within = 1 + if self.chance(2) { self.below(20) } else { self.below(1 << 30) };
                let within = if self.chance(2) { None } else { Some(within) };
                Command::SetAcceptance(SetAcceptance { id, account, within })
            }
            10 => {
                let mut line = || if self.chance(3) { None } else { Some(self.below(200) as i64) };
                let (floor, ceiling) = (line(), line());
                Command::SetNotices(SetNotices { id, account, floor, ceiling })
            }
            11 => Command::RecordAccess(Box::new(RecordAccess {
                id,
                participant: ParticipantNumber(self.below(4) as u32),
                access: Access::ALL[self.below(4) as usize],
                payment: self.chance(2).then_some(id),
                what: Digest::of(&now.to_le_bytes()),
                reader: format!("reader {}", self.below(3)),
                ground: "a question of the regulator".to_owned(),
            })),
            _ => Command::Attest(Attest {
                id,
                participant: ParticipantNumber(self.below(4) as u32),
                document: Digest::of(&now.to_le_bytes()),
            }),
        }
    }
}
