//! `corridor audit trace`: everything that the log says of one payment, in the order in which it happened.
//!
//! Found is each record that names the id: the command and its repetitions, what became of it while it waited, who
//! approved or refused it, the rates of an exchange. Leaf and block of each are shown, and whether it is final.

use std::io::{BufWriter, Write as _, stdout};

use anyhow::{Context, Result, ensure};
use clap::Args;
use ledger::TransferId;
use proof::record::{KIND_BATCH, KIND_SEAL, Seal};
use serde::Serialize;

use super::{
    reader::ReaderArguments,
    search::{LedgerPlace, Log},
};
use crate::{
    clock::date_time,
    verify::{Facts, Names, Progress, describe},
};

/// Most records that one block may bring here; a UETR is repeated far less often.
const FOUND_MAX: usize = 100_000;

/// Arguments of `corridor audit trace`.
#[derive(Args, Clone, Debug)]
pub struct TraceArguments {
    /// UETR of the payment, or the id of another command
    uetr: String,
    #[command(flatten)]
    place: LedgerPlace,
    #[command(flatten)]
    reader: ReaderArguments,
    /// Print one JSON object a record
    #[arg(long)]
    json: bool,
}

/// A record that names the payment.
#[derive(Serialize)]
struct Step {
    leaf: u64,
    height: u64,
    time: String,
    time_ns: u64,
    /// Whether a quorum has cosigned it.
    r#final: bool,
    #[serde(flatten)]
    facts: Facts,
}

/// Runs `corridor audit trace`. Blocking.
pub(super) fn run(arguments: &TraceArguments) -> Result<()> {
    let text = arguments.uetr.to_ascii_lowercase();
    let id: TransferId = text.parse().with_context(|| format!("`{text}` is no UETR"))?;
    let mut bar = Progress::new(!arguments.json);
    let log = Log::open(&arguments.place, &mut bar)?;
    arguments.reader.question(
        &arguments.place,
        &serde_json::json!({ "trace": text }),
        Some(&text),
    )?;
    let names = Names::of(&log.genesis)?;
    let size = log.signed.as_ref().map_or(0, |signed| signed.size);
    let mut out = BufWriter::new(stdout().lock());
    let (mut found, mut steps) = (Vec::new(), 0_u64);
    log.walk(&mut bar, &mut |leaf, record, _| {
        match record.first() {
            Some(&KIND_SEAL) => {}
            // Header and signatures name no payment.
            Some(&KIND_BATCH) => return Ok(()),
            _ if record.windows(id.0.len()).any(|part| part == id.0) => {
                ensure!(found.len() < FOUND_MAX, "more than {FOUND_MAX} records name {text}");
                found.push((leaf, record.to_vec()));
                return Ok(());
            }
            _ => return Ok(()),
        }
        if found.is_empty() {
            return Ok(());
        }
        let seal = Seal::decode(record).with_context(|| format!("leaf {leaf} is no seal"))?;
        for (leaf, record) in found.drain(..) {
            let facts = describe(&record, &names).map_err(anyhow::Error::msg)?;
            let (height, time) = (seal.height, date_time(seal.time) + "Z");
            let (time_ns, is_final) = (seal.time, leaf < size);
            let step = Step { leaf, height, time, time_ns, r#final: is_final, facts };
            steps += 1;
            if arguments.json {
                writeln!(out, "{}", serde_json::to_string(&step)?)?;
                continue;
            }
            let word = if step.r#final { "final" } else { "not known to be final" };
            writeln!(out, "{}  block {height}, leaf {leaf}, {word}", step.time)?;
            for sentence in &step.facts.sentences {
                writeln!(out, "  {sentence}")?;
            }
        }
        Ok(())
    })?;
    out.flush()?;
    ensure!(steps > 0, "the log does not name {text}");
    Ok(())
}
