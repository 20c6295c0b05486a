//! The first part of the demo: single payments in three currencies, what the receiver sees, files in
//! a folder, a bulk message, and every kind of mistake with the answer it gets.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ledger::TransferId;

use crate::clock::now_ns;
use crate::cluster::Cluster;
use crate::gateway_api::{self, Answered};
use crate::http::HttpClient;
use crate::init::uuid_v4;
use crate::layout::long_bic;
use crate::messages::{DEBTOR_NAME, Payment, Reply, Status, pacs008, read_reply};

use super::book::{Book, is_settled};
use super::voice::{Voice, amount_text, short, status_text};

const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(15);
const BULK_PAYMENTS: u64 = 20;
/// How much of each file of a node is searched for names, in bytes.
const HEAD_BYTES: u64 = 1 << 20;

/// A bank of the demo.
#[derive(Debug)]
pub(crate) struct DemoBank {
    /// BIC in long form.
    pub(crate) bic: String,
    /// Its gateway, with token.
    pub(crate) client: HttpClient,
    /// Folder of its gateway, with the keys.
    pub(crate) dir: PathBuf,
}

/// The network and all that the demo remembers of it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The processes.
    pub(crate) cluster: Cluster,
    /// Every payment sent; shared with the clients of the traffic.
    pub(crate) book: Arc<Mutex<Book>>,
    /// What is printed.
    pub(crate) voice: Voice,
    /// All banks with a gateway.
    pub(crate) banks: Vec<DemoBank>,
    /// Mistakes tried, and those answered as they should be.
    mistakes: (u32, u32),
    messages: u32,
    first: Option<Payment>,
}

/// Takes the book; nothing that can panic runs while somebody holds it.
pub(crate) fn locked(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    /// A stage on a network that is ready.
    pub(crate) fn new(cluster: Cluster, book: Book, voice: Voice) -> Result<Self> {
        let layout = cluster.layout();
        let banks = layout
            .gateways()
            .map(|bank| {
                Ok(DemoBank {
                    bic: long_bic(&bank.bic),
                    client: cluster.gateway_client(&bank.bic)?,
                    dir: layout.participant_dir(bank),
                })
            })
            .collect::<Result<_>>()?;
        let book = Arc::new(Mutex::new(book));
        Ok(Self { cluster, book, voice, banks, mistakes: (0, 0), messages: 0, first: None })
    }

    /// Whether each wrong message got the answer it should.
    pub(crate) fn refusals_as_expected(&self) -> bool {
        self.mistakes.0 > 0 && self.mistakes.0 == self.mistakes.1
    }

    fn payment(&self, from: usize, to: usize, currency: &str, minor: u64) -> Result<Payment> {
        Ok(Payment {
            uetr: uuid_v4()?,
            end_to_end_id: format!("INVOICE-{}", self.messages + 1),
            debtor_bank: self.banks[from].bic.clone(),
            creditor_bank: self.banks[to].bic.clone(),
            currency: currency.to_owned(),
            exponent: if currency == "JPY" { 0 } else { 2 },
            minor,
            remittance: "Goods as ordered".to_owned(),
        })
    }

    fn message(&mut self, payments: &[Payment]) -> String {
        self.messages += 1;
        pacs008(&format!("DEMO-{:06}", self.messages), payments, now_ns())
    }

    /// Hands a message with one payment over, keeps the book, and says what came back.
    async fn pay(&mut self, from: usize, payment: &Payment, xml: &str) -> Result<Answered> {
        let number = locked(&self.book).sent(payment.clone());
        let answered = gateway_api::submit(&mut self.banks[from].client, xml.as_bytes()).await?;
        if let Reply::Status(report) = &answered.reply {
            locked(&self.book).answered(number, report.first(), answered.elapsed);
        }
        Ok(answered)
    }

    fn say_payment(&self, payment: &Payment, status: &Status, elapsed: Duration) {
        self.voice.line(format!(
            "{} -> {}  {:>20}   pacs.002: {:<22} {:>7.1} ms",
            &payment.debtor_bank[..4],
            &payment.creditor_bank[..4],
            amount_text(&payment.currency, payment.minor, payment.exponent),
            status_text(status),
            elapsed.as_secs_f64() * 1000.0
        ));
    }

    /// Single payments in three currencies.
    pub(crate) async fn first_payments(&mut self) -> Result<()> {
        self.voice.step("Payments: a pacs.008 in at the sender's gateway, a pacs.002 back");
        let last = self.banks.len() - 1;
        let plan = [
            (0, 1, "EUR", 125_000),
            (1, 2, "USD", 999_999),
            (1, last, "JPY", 1_500_000),
            (last, 0, "EUR", 4_200),
        ];
        for (from, to, currency, minor) in plan {
            let payment = self.payment(from, to, currency, minor)?;
            let xml = self.message(std::slice::from_ref(&payment));
            let answered = self.pay(from, &payment, &xml).await?;
            let status = status_of(&answered.reply)?;
            self.say_payment(&payment, &status, answered.elapsed);
            ensure!(is_settled(&status), "a sound payment was refused: {}", status.text);
            self.first.get_or_insert(payment);
        }
        Ok(())
    }

    /// What the receiving bank gets.
    pub(crate) async fn delivery(&mut self) -> Result<()> {
        let payment = self.first.clone().context("no payment was sent")?;
        let receiver = &mut self.banks[1];
        self.voice.step("Delivery: the creditor's bank takes the same pacs.008 from its outbox");
        let start = Instant::now();
        let mut after = 0;
        loop {
            let page = gateway_api::outbox(&mut receiver.client, after, Duration::from_secs(1));
            for entry in page.await? {
                after = entry.cursor;
                if entry.uetr == payment.uetr && entry.is_payment() {
                    self.voice.line(format!(
                        "{} received UETR {} (outbox entry {})",
                        &receiver.bic[..4],
                        payment.uetr,
                        entry.cursor
                    ));
                    return self.secrecy(&payment);
                }
            }
            ensure!(start.elapsed() < ARRIVAL_TIME_MAX, "the payment never reached its receiver");
        }
    }

    /// Looks for the customer's name on the disks of the nodes, where it must not be.
    fn secrecy(&self, payment: &Payment) -> Result<()> {
        let id: TransferId = payment.uetr.parse().context("read the payment's UETR")?;
        let (mut ids, mut names) = (0, 0);
        for node in self.cluster.node_ids() {
            let mut data = Vec::new();
            read_heads(&self.cluster.layout().node_dir(node).join("data"), &mut data)?;
            ids += u32::from(contains(&data, &id.0));
            names += u32::from(contains(&data, DEBTOR_NAME.as_bytes()));
        }
        self.voice.line(format!(
            "searched the nodes' disks: {ids} hold the payment, {names} hold the name of the customer who paid"
        ));
        self.voice
            .line("(documents are encrypted from bank to bank; nodes see banks, amount and UETR)");
        ensure!(ids > 0, "no node has the payment on its disk");
        ensure!(names == 0, "a customer's name is on a node's disk");
        Ok(())
    }

    /// A payment as a file.
    pub(crate) async fn folder(&mut self) -> Result<()> {
        self.voice.step("Files: the same through a folder, for systems that speak no HTTP");
        let payment = self.payment(0, 2, "USD", 77_500)?;
        let xml = self.message(std::slice::from_ref(&payment));
        let folder = self.banks[0].dir.join("folder");
        let number = locked(&self.book).sent(payment.clone());
        let start = Instant::now();
        // Written beside and moved in, so that the gateway never sees half a file.
        let beside = self.banks[0].dir.join("payment.xml");
        fs::write(&beside, &xml).with_context(|| format!("write {}", beside.display()))?;
        fs::rename(&beside, folder.join("in/payment.xml"))
            .context("move a file into the folder")?;
        let (status, file) = loop {
            if let Some(found) = answer_in(&folder.join("archive"), &payment.uetr)? {
                break found;
            }
            ensure!(start.elapsed() < ARRIVAL_TIME_MAX, "no answer appeared in the folder");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        locked(&self.book).answered(number, status.clone(), start.elapsed());
        self.say_payment(&payment, &status, start.elapsed());
        self.voice.line(format!("folder/in/payment.xml was answered in folder/archive/{file}"));
        ensure!(is_settled(&status), "a sound payment was refused: {}", status.text);
        Ok(())
    }

    /// Many payments in one message.
    pub(crate) async fn bulk(&mut self) -> Result<()> {
        self.voice.step("Bulk: one message with many payments, an answer for each");
        let payments = (0..BULK_PAYMENTS)
            .map(|number| self.payment(1, 0, "EUR", 1_000 + number))
            .collect::<Result<Vec<_>>>()?;
        let xml = self.message(&payments);
        let numbers: Vec<_> =
            payments.iter().map(|payment| locked(&self.book).sent(payment.clone())).collect();
        let answered = gateway_api::submit(&mut self.banks[1].client, xml.as_bytes()).await?;
        let Reply::Status(report) = &answered.reply else { bail!("the bulk message was not read") };
        let mut settled = 0;
        for (number, payment) in numbers.into_iter().zip(&payments) {
            let own = report.transactions.iter().find(|(uetr, _)| *uetr == payment.uetr);
            let status = own.map(|(_, status)| status).or(report.group.as_ref());
            let status = status.context("a payment of the bulk message has no answer")?.clone();
            settled += u64::from(is_settled(&status));
            locked(&self.book).answered(number, status, answered.elapsed);
        }
        self.voice.line(format!(
            "{} -> {}  {BULK_PAYMENTS} payments in one pacs.008: {settled} settled in {:.1} ms",
            &self.banks[1].bic[..4],
            &self.banks[0].bic[..4],
            answered.elapsed.as_secs_f64() * 1000.0
        ));
        ensure!(settled == BULK_PAYMENTS, "not every payment of the bulk message settled");
        Ok(())
    }

    /// Every kind of mistake.
    pub(crate) async fn mistakes(&mut self) -> Result<()> {
        self.voice.step("Mistakes: each gets the answer that a bank's system can act on");
        self.resend().await?;
        let last = self.banks.len() - 1;

        let mut same_id = self.payment(0, 1, "EUR", 2_500)?;
        same_id.uetr = self.first.as_ref().context("no payment was sent")?.uetr.clone();
        self.expect_refusal("a used UETR with other content", &same_id, "AM05").await?;

        let uncovered = self.payment(last, 0, "EUR", 900_000_000_000)?;
        self.expect_refusal("more than the account holds", &uncovered, "AM04").await?;

        let mut nobody = self.payment(1, 0, "USD", 500)?;
        nobody.creditor_bank = "ZZZZDEFFXXX".to_owned();
        self.expect_refusal("a bank that is no participant", &nobody, "RC01").await?;

        let payment = self.payment(2, 1, "JPY", 100)?;
        let xml = self.message(std::slice::from_ref(&payment));
        let broken = xml.replace("<ChrgBr>SHAR<", "<ChrgBr>LATER<");
        let answered = self.pay(2, &payment, &broken).await?;
        let status = status_of(&answered.reply)?;
        let located = status.text.contains('/') && status.code == "RJCT";
        self.say_mistake("an invalid charge bearer", located, &status_text(&status), &status.text);

        let answer = gateway_api::submit(&mut self.banks[0].client, b"Dear bank, please pay Bob.");
        match answer.await?.reply {
            Reply::Unreadable { code, text } => {
                self.say_mistake("not XML at all", true, &format!("admi.002 {code}"), &text);
            }
            Reply::Status(report) => {
                let got = status_text(&report.first());
                self.say_mistake("not XML at all", false, &got, "an admi.002 was expected");
            }
        }
        Ok(())
    }

    async fn resend(&mut self) -> Result<()> {
        let payment = self.payment(0, 1, "EUR", 3_100)?;
        let xml = self.message(std::slice::from_ref(&payment));
        let first = self.pay(0, &payment, &xml).await?;
        let again = gateway_api::submit(&mut self.banks[0].client, xml.as_bytes()).await?;
        let same = first.reply == again.reply && is_settled(&status_of(&first.reply)?);
        let status = status_text(&status_of(&again.reply)?);
        let note = if same { "the first answer again, paid once" } else { "another answer" };
        self.say_mistake("the same message twice", same, &status, note);
        Ok(())
    }

    async fn expect_refusal(&mut self, what: &str, payment: &Payment, reason: &str) -> Result<()> {
        let xml = self.message(std::slice::from_ref(payment));
        let from = self.banks.iter().position(|bank| bank.bic == payment.debtor_bank);
        let answered = self.pay(from.context("no such bank")?, payment, &xml).await?;
        let status = status_of(&answered.reply)?;
        let fits = status.code == "RJCT" && status.reason == reason;
        self.say_mistake(what, fits, &status_text(&status), &status.text);
        Ok(())
    }

    fn say_mistake(&mut self, what: &str, as_expected: bool, answer: &str, note: &str) {
        self.mistakes.0 += 1;
        self.mistakes.1 += u32::from(as_expected);
        let mark = if as_expected { "" } else { "  <- NOT AS EXPECTED" };
        self.voice.line(format!("{what:<31} {answer:<22} {}{mark}", short(note, 110)));
    }
}

/// Appends the beginning of each file below a folder: all that a network writes in its first moments.
fn read_heads(folder: &Path, data: &mut Vec<u8>) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("read {}", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_heads(&path, data)?;
        } else {
            let file = fs::File::open(&path).with_context(|| format!("read {}", path.display()))?;
            file.take(HEAD_BYTES)
                .read_to_end(data)
                .with_context(|| format!("read {}", path.display()))?;
        }
    }
    Ok(())
}

fn contains(data: &[u8], wanted: &[u8]) -> bool {
    data.windows(wanted.len()).any(|window| window == wanted)
}

/// The status of a single payment.
fn status_of(reply: &Reply) -> Result<Status> {
    match reply {
        Reply::Status(report) => Ok(report.first()),
        Reply::Unreadable { code, text } => {
            bail!("a readable message was answered with admi.002 {code}: {text}")
        }
    }
}

/// The file in a folder that answers a payment definitively, with the status.
fn answer_in(folder: &Path, uetr: &str) -> Result<Option<(Status, String)>> {
    let Ok(entries) = folder.read_dir() else { return Ok(None) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // What begins with a dot is still being written.
        if name.starts_with('.') {
            continue;
        }
        // A file may be moved away between listing and reading.
        let Ok(bytes) = fs::read(entry.path()) else { continue };
        let Ok(Reply::Status(report)) = read_reply(&bytes) else { continue };
        if report.is_definitive() && report.transactions.iter().any(|(own, _)| own == uetr) {
            return Ok(Some((report.first(), name)));
        }
    }
    Ok(None)
}
