//! `corridor bench stages`: each stage of a payment by itself, in microseconds of one core.
//!
//! The stages run the very functions that gateways and nodes run, one after the other on the same
//! payments, each fed with what the one before made. What this leaves out: sockets, waiting (for the
//! disk too), group commits of the gateway's store. Stages that every node does are marked: they
//! cost that much on each.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use clap::Args;
use ed25519_dalek::SigningKey;
use gateway_adapter::seal::{Opener, Reader, Sealed, Sealer};
use iso20022::{Limits, Profile};
use ledger::{
    BatchContext, Bic, Command, Exponent, Height, IdEntry, LedgerTime, OldIds, Outcome,
    ParticipantNumber, Transfer, TransferId,
};
use link::keyfile;
use proof::{record, tree::Frontier};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use settlement_node::chain::{AppliedBlock, Chain};
use settlement_node::prepare::{OldIdSource, PreparedBlock, PreparedSubmission};
use settlement_node::store::history::{History, HistoryOptions};
use settlement_node::store::vfs::DiskVfs;
use translate::{AnswerContext, Directory, Fate, Instruction, Received};
use wire::batch::{Attachment, BatchBuilder, encode_submission};
use wire::client::{DirectoryCounts, Outcomes};
use wire::genesis::Genesis;

use crate::clock::now_ns;
use crate::description::{Description, PortPlan};
use crate::init;
use crate::layout::Layout;
use crate::messages::{Payment, pacs008};

use super::measure::rounded;
use super::place::{Place, PlaceArguments};
use super::raft::Group;

const VALID_NS: u64 = 3_600_000_000_000;
const MESSAGES_AT_A_TIME: usize = 16;

/// Arguments of `corridor bench stages`.
#[derive(Debug, Args)]
pub struct StagesArguments {
    /// Payments that go through each stage
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    payments: u32,
    /// Payments under one signature and in one block, 1 to 400
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=400))]
    batch: u32,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// One stage.
#[derive(Debug, Serialize)]
struct Stage {
    name: &'static str,
    /// Microseconds of processor time a payment.
    us: f64,
    /// Whether each node does it.
    on_each_node: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct StagesResult {
    payments: u32,
    batch: u32,
    stages: Vec<Stage>,
    /// Sum of all stages once.
    total_us: f64,
    dominating: &'static str,
}

/// Runs `corridor bench stages`.
pub(crate) fn run(arguments: StagesArguments) -> Result<()> {
    let place = Place::new(&arguments.place)?;
    let bench = Bench::new(&place, &arguments)?;
    let stages = bench.run(place.path())?;
    let slowest = stages.iter().max_by(|a, b| a.us.total_cmp(&b.us)).context("no stages")?;
    let dominating = slowest.name;
    let total_us = rounded(stages.iter().map(|stage| stage.us).sum());
    let result = StagesResult {
        payments: arguments.payments,
        batch: arguments.batch,
        stages,
        total_us,
        dominating,
    };
    println!(
        "{} payments, {} in a batch and block; microseconds of one core a payment",
        result.payments, result.batch
    );
    for stage in &result.stages {
        let note = if stage.on_each_node { "  on each node" } else { "" };
        println!("  {:<10} {:>8.2}{note}", stage.name, stage.us);
    }
    println!("  {:<10} {:>8.2}", "sum", result.total_us);
    println!("{} dominates", result.dominating);
    if arguments.json {
        println!("{}", serde_json::to_string(&result).context("write the result")?);
    }
    place.done()
}

/// No ids are on disk in a short run.
struct NoOldIds;

impl OldIdSource for NoOldIds {
    fn version(&self) -> u64 {
        0
    }

    fn find(
        &self,
        _ids: &[TransferId],
        _runs_below: u64,
    ) -> Result<Vec<(TransferId, IdEntry)>, std::io::Error> {
        Ok(Vec::new())
    }
}

struct Bench {
    genesis: Genesis,
    directory: Directory,
    own: Bic,
    signing_key: SigningKey,
    sealing_secret: [u8; 32],
    messages: Vec<String>,
    batch: usize,
}

/// Processor time of this thread in seconds: other work on the machine does not count.
fn own_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Runs `work` and notes what it took for each of `count` payments.
fn timed<T>(
    stages: &mut Vec<Stage>,
    (name, on_each_node): (&'static str, bool),
    count: usize,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let start = own_seconds();
    let made = black_box(work().with_context(|| format!("stage `{name}`"))?);
    let us = rounded((own_seconds() - start) * 1e6 / count as f64);
    stages.push(Stage { name, us, on_each_node });
    Ok(made)
}

/// What is kept of a message, which has one payment, once it is translated.
struct Translated {
    context: AnswerContext,
    instruction: Instruction,
    document: Vec<u8>,
}

impl Bench {
    fn new(place: &Place, arguments: &StagesArguments) -> Result<Self> {
        let description = Description::example("bench", 2, 1, PortPlan::Free)?;
        let layout = init::create(place.path(), description)?;
        let genesis = Genesis::parse(&std::fs::read(layout.genesis())?)?;
        let chain = Chain::genesis(&genesis, [1, 2])?;
        let messages = messages(&layout, arguments.payments)?;
        let banks = &layout.description().banks;
        let key = |bank: usize, name: &str| {
            keyfile::read(&layout.participant_dir(&banks[bank]).join(name))
        };
        Ok(Self {
            directory: directory(&chain)?,
            own: banks[0].bic.parse().context("read the bank's BIC")?,
            signing_key: SigningKey::from_bytes(&*key(0, "signing.key")?),
            sealing_secret: *key(1, "sealing.key")?,
            genesis,
            messages,
            batch: arguments.batch as usize,
        })
    }

    fn run(&self, dir: &Path) -> Result<Vec<Stage>> {
        let mut stages = Vec::new();
        let payments = self.gateway_in(&mut stages)?;
        let (submissions, sealed) = self.seal_and_sign(&mut stages, &payments)?;
        let blocks = self.node(&mut stages, dir, &submissions)?;
        self.gateway_out(&mut stages, &payments, &sealed, &blocks)?;
        Ok(stages)
    }

    /// XML to instructions.
    fn gateway_in(&self, stages: &mut Vec<Stage>) -> Result<Vec<Translated>> {
        let limits = Limits::default();
        let mut translated = Vec::with_capacity(self.messages.len());
        let (mut parse, mut validate, mut receive) = (0.0, 0.0, 0.0);
        // A few at a time, as in operation: keeping all trees would measure the allocator.
        for messages in self.messages.chunks(MESSAGES_AT_A_TIME) {
            let start = own_seconds();
            let read = |xml: &String| iso20022::read(xml.as_bytes(), &limits);
            let read = messages.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            parse += own_seconds() - start;
            let start = own_seconds();
            for message in &read {
                let findings = message.validate(Profile::Corridor);
                ensure!(!findings.iter().any(iso20022::Finding::is_error), "{findings:?}");
            }
            validate += own_seconds() - start;
            drop(read);
            let start = own_seconds();
            let now = LedgerTime(now_ns());
            for xml in messages {
                let bytes = xml.as_bytes();
                let received = translate::receive(bytes, &limits, &self.directory, &self.own, now);
                translated.push(self.translated(received)?);
            }
            receive += own_seconds() - start;
        }
        // Receiving reads and validates as well; what is left is the translation itself.
        let translate = (receive - parse - validate).max(0.0);
        for (name, seconds) in [("parse", parse), ("validate", validate), ("translate", translate)]
        {
            let us = rounded(seconds * 1e6 / self.messages.len() as f64);
            stages.push(Stage { name, us, on_each_node: false });
        }
        Ok(translated)
    }

    fn translated(&self, received: Received) -> Result<Translated> {
        let Received::Payments(payments) = received else {
            bail!("a payment is not read as one: {received:?}")
        };
        let first = payments.transactions.first().context("no transaction")?;
        match &first.result {
            Ok(instruction) => Ok(Translated {
                context: payments.answer_context(self.own),
                instruction: instruction.clone(),
                document: payments.document(0),
            }),
            Err(findings) => bail!("a sound payment is refused: {findings:?}"),
        }
    }

    /// Instructions to signed submissions with sealed documents.
    fn seal_and_sign(
        &self,
        stages: &mut Vec<Stage>,
        payments: &[Translated],
    ) -> Result<(Vec<Bytes>, Vec<Sealed>)> {
        let sealer = Sealer::new(self.genesis.domain.network);
        let reader = |number: ParticipantNumber| {
            let bank = self.directory.participant(number).context("no such bank")?;
            Ok::<_, anyhow::Error>(Reader { participant: number, key: bank.sealing_key })
        };
        let sealed = timed(stages, ("seal", false), payments.len(), || {
            let seal = |translated: &Translated| {
                let one = &translated.instruction;
                let readers = [reader(one.debtor_bank)?, reader(one.creditor_bank)?];
                Ok(sealer.seal(one.id, &translated.document, &readers)?)
            };
            payments.iter().map(seal).collect::<Result<Vec<_>>>()
        })?;
        let submissions = timed(stages, ("sign", false), payments.len(), || {
            let both = payments.chunks(self.batch).zip(sealed.chunks(self.batch));
            Ok(both.map(|(payments, sealed)| self.sign(payments, sealed)).collect::<Vec<_>>())
        })?;
        Ok((submissions, sealed))
    }

    fn sign(&self, payments: &[Translated], sealed: &[Sealed]) -> Bytes {
        let bank = payments[0].instruction.debtor_bank;
        let valid_until = LedgerTime(now_ns() + VALID_NS);
        let mut builder = BatchBuilder::new(&self.genesis.domain, bank, valid_until);
        let mut attachments = Vec::with_capacity(payments.len());
        for (position, (payment, sealed)) in payments.iter().zip(sealed).enumerate() {
            let one = &payment.instruction;
            builder.push(&Command::Transfer(Transfer {
                id: one.id,
                legs: ledger::Legs::One(one.leg),
                document: Some(sealed.commitment()),
                options: None,
            }));
            attachments.push(Attachment {
                position: position as u32,
                salted: sealed.salted,
                sealed: Bytes::copy_from_slice(&sealed.bytes),
            });
        }
        let (bytes, _) = builder.sign(&[(bank, &self.signing_key)]);
        encode_submission(&bytes, &attachments)
    }

    /// Submissions to applied, recorded and stored blocks.
    fn node(
        &self,
        stages: &mut Vec<Stage>,
        dir: &Path,
        submissions: &[Bytes],
    ) -> Result<Vec<AppliedBlock>> {
        let count = self.messages.len();
        let prepared = timed(stages, ("verify", true), count, || {
            let check = |bytes: &Bytes| {
                PreparedSubmission::check(bytes.clone(), &self.genesis.domain, &NoOldIds)
            };
            Ok(submissions.iter().map(check).collect::<Result<Vec<_>, _>>()?)
        })?;
        let time = LedgerTime(now_ns());
        let entries: Vec<_> =
            submissions.iter().map(|one| wire::block::encode(time, std::iter::once(one))).collect();
        let mut group = Group::new()?;
        timed(stages, ("order", false), count, || group.order(&entries))?;

        let outcomes = self.apply(stages, &prepared, time)?;
        let settled = |outcome: &Outcome| outcome.answer.is_settled();
        ensure!(outcomes.iter().flatten().all(settled), "a payment was refused");
        timed(stages, ("record", true), count, || {
            let (mut frontier, mut bytes) = (Frontier::new(), Vec::new());
            for (one, outcomes) in prepared.iter().zip(&outcomes) {
                let batch = &one.submission.batch;
                record::batch(&mut bytes, batch.signed().header(), batch.signed().signatures());
                frontier.append(&bytes);
                for (position, outcome) in outcomes.iter().enumerate() {
                    let code = outcome.answer.code();
                    record::command(&mut bytes, code, None, batch.command_slice(position));
                    frontier.append(&bytes);
                }
            }
            Ok(frontier.root())
        })?;

        let blocks = self.blocks(time, prepared, &entries)?;
        let mut history =
            History::open(Arc::new(DiskVfs), &dir.join("history"), HistoryOptions::default())?;
        timed(stages, ("history", true), count, || {
            for block in &blocks {
                history.append(&settlement_node::forms::history_block(block))?;
            }
            Ok(history.sync()?)
        })?;
        Ok(blocks)
    }

    /// Carries out the blocks: deciding and posting, and by itself the state's digest, one for each block.
    fn apply(
        &self,
        stages: &mut Vec<Stage>,
        prepared: &[PreparedSubmission],
        time: LedgerTime,
    ) -> Result<Vec<Vec<Outcome>>> {
        let mut state = self.genesis.ledger()?;
        let mut all = Vec::with_capacity(prepared.len());
        let mut events = Vec::new();
        let (mut apply, mut seal, mut first_leaf) = (0.0, 0.0, 1);
        for (number, one) in prepared.iter().enumerate() {
            let batch = one.submission.batch.batch();
            let height = Height(number as u64 + 1);
            let context = BatchContext { height, time, first_leaf };
            let mut outcomes = Vec::new();
            events.clear();
            let start = own_seconds();
            state.apply_batch(&context, batch, &OldIds::NONE, &mut outcomes, &mut events);
            let applied = own_seconds();
            black_box(state.seal_block());
            seal += own_seconds() - applied;
            apply += applied - start;
            first_leaf += batch.commands.len() as u64;
            all.push(outcomes);
        }
        for (name, seconds) in [("apply", apply), ("state root", seal)] {
            let us = rounded(seconds * 1e6 / self.messages.len() as f64);
            stages.push(Stage { name, us, on_each_node: true });
        }
        Ok(all)
    }

    fn blocks(
        &self,
        time: LedgerTime,
        prepared: Vec<PreparedSubmission>,
        entries: &[Bytes],
    ) -> Result<Vec<AppliedBlock>> {
        let mut chain = Chain::genesis(&self.genesis, [1, 2])?;
        let mut blocks = Vec::with_capacity(prepared.len());
        for (number, (one, bytes)) in prepared.into_iter().zip(entries).enumerate() {
            let block = PreparedBlock { time, submissions: vec![one], bytes: bytes.clone() };
            blocks.push(chain.apply(number as u64 + 1, Arc::new(block), &NoOldIds)?);
        }
        Ok(blocks)
    }

    /// Outcomes to answers and delivered documents.
    fn gateway_out(
        &self,
        stages: &mut Vec<Stage>,
        payments: &[Translated],
        sealed: &[Sealed],
        blocks: &[AppliedBlock],
    ) -> Result<()> {
        let count = payments.len();
        timed(stages, ("notify", false), count, || {
            for block in blocks {
                for one in &block.submissions {
                    let outcomes = Outcomes {
                        batch: one.batch,
                        height: block.height,
                        time: block.time,
                        first_leaf: one.first_leaf,
                        outcomes: one.outcomes.clone(),
                    };
                    black_box(Outcomes::decode(outcomes.encode())?);
                }
            }
            Ok(())
        })?;
        timed(stages, ("answer", false), count, || {
            let now = LedgerTime(now_ns());
            let fates = [Fate::Settled { time: now }];
            for payment in payments {
                black_box(translate::status_report(&payment.context, &fates, "ANSWER", now)?);
            }
            Ok(())
        })?;
        let creditor = payments[0].instruction.creditor_bank;
        let opener = Opener::new(self.genesis.domain.network, creditor, &self.sealing_secret)
            .context("the sealing key cannot be used")?;
        timed(stages, ("open", false), count, || {
            for (payment, sealed) in payments.iter().zip(sealed) {
                let opened = opener.open(payment.instruction.id, &sealed.bytes)?;
                ensure!(opened.document == payment.document, "a document opens to another one");
            }
            Ok(())
        })
    }
}

fn messages(layout: &Layout, count: u32) -> Result<Vec<String>> {
    let banks = &layout.description().banks;
    (0..count)
        .map(|number| {
            let payment = Payment {
                uetr: init::uuid_v4()?,
                end_to_end_id: format!("BENCH-{number}"),
                debtor_bank: banks[0].bic.clone(),
                creditor_bank: banks[1].bic.clone(),
                currency: "EUR".to_owned(),
                exponent: 2,
                minor: 100,
                remittance: "Benchmark".to_owned(),
            };
            Ok(pacs008(&format!("STAGE-{number}"), &[payment], now_ns()))
        })
        .collect()
}

/// The directory as a gateway gets it from a node.
fn directory(chain: &Chain) -> Result<Directory> {
    let known = DirectoryCounts::default();
    let rows = settlement_node::view::directory(chain, ParticipantNumber(0), known);
    let accounts = rows.accounts.len();
    ensure!(accounts == rows.all.accounts as usize, "the accounts are more than one answer holds");
    let participant = |row: wire::client::ParticipantRow| translate::Participant {
        number: row.number,
        bic: row.bic,
        name: row.name,
        sealing_key: row.sealing_key,
    };
    let asset = |row: wire::client::AssetRow| {
        let exponent = Exponent::new(row.exponent).context("an exponent is above 18")?;
        Ok(translate::Asset { number: row.number, code: row.code, exponent, issuer: row.issuer })
    };
    let account = |row: wire::client::AccountRow| translate::Account {
        number: row.number,
        owner: row.owner,
        asset: row.asset,
        label: row.label,
    };
    Ok(Directory::new(
        rows.participants.into_iter().map(participant).collect(),
        rows.assets.into_iter().map(asset).collect::<Result<_>>()?,
        rows.accounts.into_iter().map(account).collect(),
    ))
}
