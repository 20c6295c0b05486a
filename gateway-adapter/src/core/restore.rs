//! After a start: the book is filled from the store, and what was not answered is submitted again.

use std::sync::Arc;

use super::{Core, Entered, Place, Prepared, ReceiveError, StoreError, TransactionRow};
use crate::{book::Finished, limits::REPORT_BYTES};

/// What has to be done for the messages that were open when the gateway ended.
pub(crate) struct Restored {
    /// Payments to submit again, with the same bytes.
    pub(crate) submissions: Vec<Place>,
    finished: Vec<Finished>,
}

impl Core {
    /// Fills the book. Reads the store: for blocking threads, before any channel is open.
    ///
    /// # Errors
    /// When the store cannot be read or contradicts itself.
    pub(crate) fn restore(&self) -> Result<Restored, StoreError> {
        let mut submissions = Vec::new();
        let mut finished = Vec::new();
        for sequence in self.store.open_messages()? {
            let row = self.store.message(sequence)?.ok_or(StoreError::Corrupt("open message"))?;
            let context = row.context.ok_or(StoreError::Corrupt("open message"))?;
            let entry = match self.book.enter_restored(row.key) {
                Entered::New(entry) => entry,
                _ => return Err(StoreError::Corrupt("open messages")),
            };
            let mut fates = Vec::with_capacity(row.transactions.len());
            let mut waits = Vec::new();
            for (index, transaction) in row.transactions.into_iter().enumerate() {
                fates.push(match transaction {
                    TransactionRow::Known(fate) => fate,
                    TransactionRow::Payment(place) => match self.store.fate(place)? {
                        Some(fate) => fate,
                        None => {
                            waits.push((place, index as u32));
                            translate::Fate::Pending
                        }
                    },
                });
            }
            self.book.register(entry, sequence, Arc::new(context), fates);
            for (place, index) in waits {
                let payment =
                    self.store.payment(place)?.ok_or(StoreError::Corrupt("open payment"))?;
                let waiting = Place { message: sequence, index };
                if self.book.restore(payment.uetr, payment.instruction, place, waiting) {
                    submissions.push(place);
                }
            }
            finished.extend(self.book.accepted(sequence));
        }
        Ok(Restored { submissions, finished })
    }

    /// Answers what can be answered now and hands the rest to the node's side.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn resume(self: Arc<Self>, restored: Restored) -> Result<(), ReceiveError> {
        self.settle(Vec::new(), restored.finished).await?;
        self.submit_stored(restored.submissions).await
    }

    /// Hands stored payments to the node's side, one at a time: together they may be large.
    pub(super) async fn submit_stored(
        self: &Arc<Self>,
        places: Vec<Place>,
    ) -> Result<(), ReceiveError> {
        for place in places {
            let core = self.clone();
            let payment = self
                .on_worker(REPORT_BYTES, move || {
                    core.store.payment(place)?.ok_or(StoreError::Corrupt("open payment").into())
                })
                .await?;
            // Closed only when the gateway stops; the payment is journalled and open.
            if self.submit.send(Arc::new(Prepared::of(&payment))).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}
