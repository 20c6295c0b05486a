//! Why a transfer waits, in a sentence: amounts in the units of their asset, participants by BIC.

use super::Obstacle;
use crate::id::{AccountNumber, AssetNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Minor units with thousands parted by commas and the decimals of the asset.
fn amount(minor: u128, exponent: u8) -> String {
    let exponent = usize::from(exponent);
    let digits = format!("{minor:0>width$}", width = exponent + 1);
    let (whole, decimals) = digits.split_at(digits.len() - exponent);
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if exponent > 0 {
        text.push('.');
        text.push_str(decimals);
    }
    text
}

impl Ledger {
    /// Why a waiting transfer waits, and what would let it go on, as a sentence; `None` when no transfer of this id
    /// waits. For the participants of the transfer: it names others whose queued transfers would bring cover.
    #[must_use]
    pub fn explain_in_words(&self, id: &TransferId, now: LedgerTime) -> Option<String> {
        let obstacles = self.explain(id, now)?;
        let incoming = self.incoming_for(id, now);
        let mut parts = Vec::new();
        for obstacle in &obstacles {
            let mut text = self.in_words(obstacle);
            if let Obstacle::Cover { account, .. } | Obstacle::Reserved { account, .. } = obstacle {
                let brings = incoming.iter().filter(|one| one.account == *account);
                for one in brings {
                    let much = self.minor(one.amount, *account);
                    text += &format!(" or for {}'s {much}", self.bic_of(one.from));
                }
            }
            parts.push(text);
        }
        Some(if parts.is_empty() { "nothing is in its way".to_owned() } else { parts.join("; ") })
    }

    fn in_words(&self, obstacle: &Obstacle) -> String {
        match obstacle {
            Obstacle::Start(time) => format!("starts at {time}"),
            Obstacle::Opening(time) => format!("closed until {time}"),
            Obstacle::Condition(number) => format!("condition {} is open", number + 1),
            Obstacle::Agreement(who) => format!("{} has not agreed", self.bic_of(*who)),
            Obstacle::Cover { account, missing } => {
                format!("waits for {} {}", self.minor(*missing, *account), self.code_of(*account))
            }
            Obstacle::Behind { account, transfer } => {
                format!("{} of higher priority waits for {}", transfer, self.name_of(*account))
            }
            Obstacle::Reserved { account, missing } => {
                let much = self.minor(*missing, *account);
                format!("waits for {much} {} beyond what is reserved", self.code_of(*account))
            }
            Obstacle::Limit { account, limit, towards, by, moves_on } => {
                let which = match (limit, towards) {
                    (Refusal::BilateralLimit, Some(who)) => {
                        format!("bilateral limit towards {}", self.bic_of(*who))
                    }
                    (Refusal::MultilateralLimit, _) => "multilateral limit".to_owned(),
                    (Refusal::VelocityLimitOfIssuer, _) => {
                        "the issuer's limit over time".to_owned()
                    }
                    _ => "limit over time".to_owned(),
                };
                let (name, much) = (self.name_of(*account), self.minor(*by, *account));
                let until = |LedgerTime(time): &LedgerTime| format!(", moves on at {time}");
                let until = moves_on.as_ref().map(until).unwrap_or_default();
                format!("waits: {which} of {name} by {much} {}{until}", self.code_of(*account))
            }
        }
    }

    fn minor(&self, minor: u128, account: AccountNumber) -> String {
        amount(minor, self.asset_of(account).map_or(0, |asset| asset.exponent.get()))
    }

    fn asset_of(&self, account: AccountNumber) -> Option<&crate::registry::Asset> {
        let AssetNumber(number) = self.hot(account)?.asset;
        self.asset(AssetNumber(number))
    }

    fn code_of(&self, account: AccountNumber) -> String {
        self.asset_of(account).map(|asset| asset.code.to_string()).unwrap_or_default()
    }

    fn name_of(&self, account: AccountNumber) -> String {
        self.account(account).map(|view| view.name.to_string()).unwrap_or_default()
    }

    fn bic_of(&self, who: ParticipantNumber) -> String {
        self.participant(who).map(|one| one.bic.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_have_their_decimals_and_thousands() {
        for (minor, exponent, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (7, 2, "0.07"),
            (120_400_000, 2, "1,204,000.00"),
            (999, 0, "999"),
            (1_000, 0, "1,000"),
            (1_234_567, 3, "1,234.567"),
        ] {
            assert_eq!(amount(minor, exponent), text);
        }
    }
}
