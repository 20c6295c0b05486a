//! Two hundred files of all kinds, dropped into a gateway's folder while the gateway dies three times.
//!
//! Whenever it dies, each file ends in `archive/` or `failed/` with one answer beside it, the answers say
//! what the ledger says, and each settled payment lies once in the creditor's `out/`. What a file says is
//! known beforehand; nothing is learnt from the gateway that is tested.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{
    chance::Chance,
    clock::now_ns,
    messages::{Payment, Reply, delivered_uetrs, pacs008, read_reply},
};

use crate::process_stage::{
    Stage, UNPAYABLE_MINOR, definitive, euro, names, on_stage, shuffle, single,
};

const VALID: usize = 120;
const COPIES: usize = 20;
const UNPAYABLE: usize = 20;
const REJECTED: usize = 20;
const BULK: usize = 20;
const FILES: usize = VALID + COPIES + UNPAYABLE + REJECTED + BULK;
/// A third of all files comes before each kill, which follows as soon as so many files in all are
/// concluded: some are always left over.
const KILL_AFTER: [usize; 3] = [5, 70, 140];
const CONCLUDED_TIME_MAX: Duration = Duration::from_secs(60);
const DELIVERED_TIME_MAX: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// Answers that are also asked for by HTTP.
const ASKED: usize = 25;

/// A transaction with what must become of it.
#[derive(Clone, Debug)]
struct Line {
    payment: Payment,
    /// Status code and reason code; an empty reason stands for any.
    answer: (&'static str, &'static str),
    /// What the ledger says of this UETR.
    ledger: Option<&'static str>,
}

impl Line {
    fn settled(payment: Payment) -> Self {
        Self { payment, answer: ("ACSC", ""), ledger: Some("settled") }
    }

    fn refused(payment: Payment) -> Self {
        Self { payment, answer: ("RJCT", "AM04"), ledger: Some("refused") }
    }

    fn rejected(payment: Payment, reason: &'static str) -> Self {
        Self { payment, answer: ("RJCT", reason), ledger: None }
    }
}

/// A file with what must become of it.
#[derive(Clone, Debug)]
struct Dropped {
    name: String,
    content: Vec<u8>,
    /// One line a transaction, in order; none when it cannot be read and gets an `admi.002`.
    lines: Vec<Line>,
}

#[test]
fn two_hundred_files_survive_three_kills() {
    on_stage("process-folder", true, drop_and_check);
}

async fn drop_and_check(stage: &mut Stage) -> Result<()> {
    let mut files = files(stage.seed, &stage.bics[0], &stage.bics[1]);
    ensure!(files.len() == FILES, "{} files were made", files.len());
    shuffle(&mut files, &mut Chance::new(stage.seed));
    stage.start().await?;
    let folder = stage.gateway_folder(&stage.bics[0])?.join("folder");
    let start = Instant::now();

    let mut interrupted = Vec::new();
    for (part, after) in files.chunks(FILES.div_ceil(3)).zip(KILL_AFTER) {
        for file in part {
            put(&folder, file)?;
        }
        stage.cluster.start_gateway(&stage.bics[0].clone())?;
        wait_concluded(stage, &folder, after).await?;
        stage.cluster.kill_gateway(&stage.bics[0])?;
        interrupted.push(names(&folder.join("in"))?.len());
    }
    // Files that were never looked at would make the kills harmless.
    ensure!(interrupted.iter().any(|open| *open > 0), "every kill came when all was done");
    stage.cluster.start_gateway(&stage.bics[0].clone())?;
    wait_concluded(stage, &folder, FILES).await?;
    stage.wait_ready().await?;
    let concluded_time = start.elapsed();

    let answers = check_files(&folder, &files)?;
    check_copies(&files, &answers)?;
    let lines: Vec<&Line> = files.iter().flat_map(|file| &file.lines).collect();
    let settled: BTreeMap<&str, &Payment> = lines
        .iter()
        .filter(|line| line.answer.0 == "ACSC")
        .map(|line| (line.payment.uetr.as_str(), &line.payment))
        .collect();
    let expected = stage.expected_balances(settled.values().copied())?;
    stage.check_nodes(&expected).await?;
    for id in stage.cluster.node_ids() {
        let mut client = stage.node_client(id)?;
        for line in &lines {
            // Of a repeated UETR the ledger knows the first transaction, which has a line of its own.
            if line.answer.1 != "RF01" {
                stage.check_transfer(&mut client, &line.payment, line.ledger).await?;
            }
        }
    }
    check_by_http(stage, &files, &answers).await?;
    let out = stage.gateway_folder(&stage.bics[1])?.join("folder/out");
    check_deliveries(&out, &settled).await?;
    println!(
        "{FILES} files with {} transactions, {} settled, concluded in {:.1} s; files in `in/` after \
         each kill: {interrupted:?}; checked after {:.1} s",
        lines.len(),
        settled.len(),
        concluded_time.as_secs_f64(),
        start.elapsed().as_secs_f64(),
    );
    Ok(())
}

/// All files, in order of their kinds.
fn files(seed: u64, own: &str, other: &str) -> Vec<Dropped> {
    let mut chance = Chance::new(seed ^ 0xf01d);
    let mut files = Vec::with_capacity(FILES);
    for number in 0..VALID {
        let name = format!("VALID-{number:03}");
        let minor = 1 + chance.below(100_000);
        let payment = euro(&mut chance, own, other, minor, &name);
        files.push(file_of(&name, single(&name, &payment), vec![Line::settled(payment)]));
    }
    for number in 0..COPIES {
        let mut copy: Dropped = files[number * VALID / COPIES].clone();
        copy.name = format!("COPY-{number:03}.xml");
        files.push(copy);
    }
    for number in 0..UNPAYABLE {
        let name = format!("UNPAYABLE-{number:03}");
        let payment = euro(&mut chance, own, other, UNPAYABLE_MINOR, &name);
        files.push(file_of(&name, single(&name, &payment), vec![Line::refused(payment)]));
    }
    for number in 0..REJECTED {
        files.push(rejected(number, &mut chance, own, other));
    }
    for number in 0..BULK {
        files.push(bulk(number, &mut chance, own, other));
    }
    files
}

fn file_of(name: &str, content: Vec<u8>, lines: Vec<Line>) -> Dropped {
    Dropped { name: format!("{name}.xml"), content, lines }
}

/// A file that the gateway itself turns down, each for another reason.
fn rejected(number: usize, chance: &mut Chance, own: &str, other: &str) -> Dropped {
    let name = format!("REJECTED-{number:03}");
    let payment = euro(chance, own, other, 5_000, &name);
    let sound = String::from_utf8(single(&name, &payment)).expect("messages are UTF-8");
    let half = sound.len() / 2;
    let (content, reason) = match number {
        0 => (String::new(), None),
        1 | 2 => (format!("Dear bank, please pay Bob {number} euro."), None),
        3 | 4 => (sound[..half].to_owned(), None),
        5 | 6 => (sound.replace("pacs.008.001.08", "pacs.999.001.01"), None),
        7 => (sound.replace("</GrpHdr>", "</GrpHd>"), None),
        // From here on it can be read, and each transaction gets its reason.
        8..=11 => (sound.replace("<ChrgBr>SHAR<", "<ChrgBr>LATER<"), Some("")),
        12..=15 => (sound.replace(other, "ZZZZDEFFXXX"), Some("RC01")),
        _ => (sound.replace("Ccy=\"EUR\"", "Ccy=\"CHF\""), Some("AM03")),
    };
    let lines = reason.map(|reason| Line::rejected(payment, reason));
    file_of(&name, content.into_bytes(), lines.into_iter().collect())
}

/// A message with 3 to 10 transactions, of which at least one is bad.
fn bulk(number: usize, chance: &mut Chance, own: &str, other: &str) -> Dropped {
    let name = format!("BULK-{number:03}");
    let count = 3 + chance.below(8);
    let mut lines: Vec<Line> = Vec::new();
    for position in 0..count {
        let minor = 1 + chance.below(20_000);
        let payment = euro(chance, own, other, minor, &format!("{name}-{position}"));
        lines.push(Line::settled(payment));
    }
    let last = lines.len() - 1;
    // The first one is always good; which ones are bad depends on the number.
    match number % 3 {
        0 => {
            let mut payment = lines[last].payment.clone();
            payment.minor = UNPAYABLE_MINOR;
            lines[last] = Line::refused(payment);
        }
        1 => {
            let mut payment = lines[1].payment.clone();
            payment.minor = 0;
            lines[1] = Line::rejected(payment, "AM01");
        }
        _ => {
            let mut payment = lines[last].payment.clone();
            payment.uetr = lines[0].payment.uetr.clone();
            lines[last] = Line::rejected(payment, "RF01");
        }
    }
    let payments: Vec<Payment> = lines.iter().map(|line| line.payment.clone()).collect();
    file_of(&name, pacs008(&name, &payments, now_ns()).into_bytes(), lines)
}

/// Puts a file into `in/` as a careful bank does: written beside, then renamed.
fn put(folder: &Path, file: &Dropped) -> Result<()> {
    let beside = folder.join(&file.name);
    fs::write(&beside, &file.content).with_context(|| format!("write {}", beside.display()))?;
    fs::rename(&beside, folder.join("in").join(&file.name))
        .with_context(|| format!("move {} into in/", file.name))
}

/// Waits until so many files have left `in/` for good.
async fn wait_concluded(stage: &mut Stage, folder: &Path, count: usize) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut concluded = 0;
        for place in ["archive", "failed"] {
            let messages = names(&folder.join(place))?;
            concluded += messages.iter().filter(|name| is_message(name)).count();
        }
        if concluded >= count {
            return Ok(());
        }
        stage.cluster.check_running()?;
        ensure!(
            start.elapsed() < CONCLUDED_TIME_MAX,
            "only {concluded} of {count} files are concluded after {} s; in `in/` are {:?}",
            CONCLUDED_TIME_MAX.as_secs(),
            names(&folder.join("in"))?
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn is_message(name: &str) -> bool {
    !name.starts_with('.') && !name.ends_with(".answer.xml")
}

/// Each file is in its place, unchanged, with exactly one answer that says what it must; nothing else
/// is there. Returns the answers by name.
fn check_files(folder: &Path, files: &[Dropped]) -> Result<BTreeMap<String, Vec<u8>>> {
    let left = names(&folder.join("in"))?;
    ensure!(left.is_empty(), "`in/` still holds {left:?}");
    let mut wanted: BTreeSet<PathBuf> = BTreeSet::new();
    let mut answers = BTreeMap::new();
    for file in files {
        let place = if file.lines.is_empty() { "failed" } else { "archive" };
        let message = folder.join(place).join(&file.name);
        let beside = folder.join(place).join(format!("{}.answer.xml", file.name));
        let kept = fs::read(&message).with_context(|| format!("read {}", message.display()))?;
        ensure!(kept == file.content, "{} has changed", message.display());
        let answer = fs::read(&beside).with_context(|| format!("read {}", beside.display()))?;
        check_answer(file, &answer)
            .with_context(|| format!("{}: {}", file.name, String::from_utf8_lossy(&answer)))?;
        answers.insert(file.name.clone(), answer);
        wanted.extend([message, beside]);
    }
    for place in ["archive", "failed"] {
        for name in names(&folder.join(place))? {
            let path = folder.join(place).join(name);
            ensure!(wanted.contains(&path), "{} should not be there", path.display());
        }
    }
    Ok(answers)
}

fn check_answer(file: &Dropped, answer: &[u8]) -> Result<()> {
    if file.lines.is_empty() {
        let reply = read_reply(answer)?;
        ensure!(
            matches!(&reply, Reply::Unreadable { code, .. } if !code.is_empty()),
            "an admi.002 was expected"
        );
        return Ok(());
    }
    let report = definitive(answer)?;
    ensure!(report.transactions.len() == file.lines.len(), "not one status a transaction");
    for (line, (uetr, status)) in file.lines.iter().zip(&report.transactions) {
        let (code, reason) = line.answer;
        let fits = *uetr == line.payment.uetr
            && status.code == code
            && (code == "ACSC" || !status.reason.is_empty())
            && (reason.is_empty() || status.reason == reason);
        ensure!(fits, "{:?} was expected for {:?}, not {status:?}", line.answer, line.payment);
    }
    Ok(())
}

/// The same bytes under several names have the same answer, byte for byte.
fn check_copies(files: &[Dropped], answers: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut first: BTreeMap<&[u8], &str> = BTreeMap::new();
    let mut copies = 0;
    for file in files {
        let other = *first.entry(&file.content).or_insert(&file.name);
        copies += usize::from(other != file.name);
        ensure!(answers[other] == answers[&file.name], "{other} and {} differ", file.name);
    }
    ensure!(copies == COPIES, "{copies} copies");
    Ok(())
}

/// The other channel of the gateway gives the same answers.
async fn check_by_http(
    stage: &Stage,
    files: &[Dropped],
    answers: &BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    for file in files.iter().filter(|file| file.lines.len() == 1).take(ASKED) {
        let again = client.post("/v1/messages", "application/xml", &file.content).await?;
        ensure!(
            again.status == 200 && again.body == answers[&file.name],
            "{} gets another answer by HTTP: {} {}",
            file.name,
            again.status,
            again.text()
        );
    }
    Ok(())
}

/// `out/` holds each settled payment as one message of its own, and nothing else.
async fn check_deliveries(out: &Path, settled: &BTreeMap<&str, &Payment>) -> Result<()> {
    let start = Instant::now();
    while names(out)?.len() < settled.len() && start.elapsed() < DELIVERED_TIME_MAX {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut arrived: BTreeMap<String, String> = BTreeMap::new();
    for name in names(out)? {
        let bytes = fs::read(out.join(&name)).with_context(|| format!("read out/{name}"))?;
        let uetrs = delivered_uetrs(&bytes).with_context(|| format!("out/{name}"))?;
        ensure!(uetrs.len() == 1, "out/{name} holds {} payments", uetrs.len());
        let uetr = &uetrs[0];
        let payment = settled.get(uetr.as_str());
        let payment = payment.with_context(|| format!("out/{name}: {uetr} was not settled"))?;
        let text = String::from_utf8_lossy(&bytes);
        let reference = format!("<EndToEndId>{}</EndToEndId>", payment.end_to_end_id);
        ensure!(text.contains(&reference), "out/{name} is not the message of {payment:?}: {text}");
        let before = arrived.insert(uetr.clone(), name.clone());
        ensure!(before.is_none(), "{uetr} was delivered as out/{name} and as {before:?}");
    }
    let missing: Vec<_> =
        settled.keys().filter(|uetr| !arrived.contains_key(**uetr)).copied().collect();
    ensure!(missing.is_empty(), "{} payments are missing in out/: {missing:?}", missing.len());
    Ok(())
}
