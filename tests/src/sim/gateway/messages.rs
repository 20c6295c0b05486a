//! The messages that a simulated bank sends: payments alone and in bulk, unpayable ones, the same
//! payment in two messages, another payment under a used UETR, and what nobody can read.

use std::collections::VecDeque;

use corridor::messages::{Payment, pacs008};
use ledger::TransferId;

use super::super::{network::BICS, rng::Rng};

/// Payments that are remembered, to be sent in other messages.
const REMEMBERED: usize = 12;

/// A message as text.
pub(super) struct Made {
    pub(super) raw: String,
    /// Ids of its payments in order; empty when it cannot be read.
    pub(super) ids: Vec<TransferId>,
}

/// Writes the messages of one bank.
pub(super) struct Writer {
    bank: usize,
    banks: usize,
    made: u64,
    former: VecDeque<Payment>,
}

impl Writer {
    pub(super) fn new(bank: usize, banks: usize) -> Self {
        Self { bank, banks, made: 0, former: VecDeque::new() }
    }

    pub(super) fn bank(&self) -> usize {
        self.bank
    }

    pub(super) fn make(&mut self, rng: &mut Rng, wall_ns: u64) -> Made {
        let kind = rng.range(0, 100);
        let count = if kind < 15 { rng.range(2, 9) as usize } else { 1 };
        let (other, asset) =
            ((self.bank + 1 + rng.index(self.banks - 1)) % self.banks, rng.index(2));
        let mut payments: Vec<Payment> =
            (0..count).map(|_| self.payment(rng, other, asset)).collect();
        let former =
            (!self.former.is_empty()).then(|| self.former[rng.index(self.former.len())].clone());
        match (kind, former) {
            // The same payment again, alone or with others of its kind.
            (0..5 | 15..22, Some(former)) => {
                payments.retain(|one| {
                    (&one.creditor_bank, &one.currency) == (&former.creditor_bank, &former.currency)
                });
                payments.push(former);
            }
            // Another payment under its UETR.
            (22..29, Some(former)) => payments[0].uetr = former.uetr,
            (29..34, _) => payments[0].creditor_bank = "NOBKDEFF".to_owned(),
            _ => {}
        }
        for payment in &payments {
            self.former.push_back(payment.clone());
        }
        while self.former.len() > REMEMBERED {
            self.former.pop_front();
        }
        self.made += 1;
        let message_id = format!("SIM-{}-{}", self.bank, self.made);
        let mut raw = pacs008(&message_id, &payments, wall_ns);
        if (34..40).contains(&kind) {
            raw.truncate(rng.range(1, raw.len() as u64 - 1) as usize);
            payments.iter().for_each(|one| self.former.retain(|former| former != one));
            return Made { raw, ids: Vec::new() };
        }
        let id = |one: &Payment| one.uetr.parse().expect("a UETR is an id");
        Made { raw, ids: payments.iter().map(id).collect() }
    }

    fn payment(&self, rng: &mut Rng, other: usize, asset: usize) -> Payment {
        let mut bytes = [0; 16];
        bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&rng.next().to_le_bytes()));
        // Version 4 and the usual variant.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let minor = match rng.range(0, 10) {
            0 => rng.range(30_000, 900_000),
            1 => rng.range(3_000, 20_000),
            _ => rng.range(1, 800),
        };
        Payment {
            uetr: TransferId(bytes).to_string(),
            end_to_end_id: format!("E2E-{}", rng.range(0, 1_000_000)),
            debtor_bank: BICS[self.bank].to_owned(),
            creditor_bank: BICS[other].to_owned(),
            currency: ["EUR", "USD"][asset].to_owned(),
            exponent: 2,
            minor,
            remittance: format!("Invoice {} & more", rng.range(0, 10_000)),
        }
    }
}
