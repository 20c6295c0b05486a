//! What the tests share: a network of two banks, a stand-in for a node at the level of frames, and a small HTTP client.
//! The stand-in keeps the ledger's promise that matters here: an id is answered once, for ever.

#![allow(clippy::unwrap_used)]

mod directory;

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use link::{
    ClientEvent, ClientServer, ClientServerConfig, ClientSideEvent, Frame, LinkKey, OutFrame, Pins,
    keyfile,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};
use wire::ledger::{
    Answer, Command, ContentDigest, Height, LedgerTime, Outcome, ParticipantNumber, Refusal,
    TransferId,
};
use wire::{
    batch::{Domain, RawSubmission},
    client::{
        Cursor, Deliveries, Delivery, FRAME_VERSION, KIND_ANSWER, KIND_DELIVERIES, KIND_NOT_TAKEN,
        KIND_OUTCOMES, KIND_QUERY, KIND_SUBMIT, KIND_SUBSCRIBE, NotTaken, NotTakenReason, Outcomes,
        Query, QueryAnswer, ReceiptFound, StatusAnswer, Told, TransferFound,
    },
    cosign::{FinalAt, KIND_FINAL, KIND_WATCH_FINAL},
    genesis::{RawAccount, RawAsset, RawGenesis, RawNode, RawParticipant, hex},
};

use crate::{
    config::{Config, RawConfig, RawLimits, Receipts},
    gateway::Gateway,
    node::NodePort,
    store::Store,
};

use directory::directory;

pub(crate) const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const PAYER: &str = "BANKDEFF";
pub(crate) const PAYEE: &str = "BANKGB2L";

/// Time of the stand-in's ledger: that of the first call and some nanoseconds, so that the settlement
/// dates of the tests' messages are good ones.
pub(crate) fn ledger_time(after_ns: u64) -> LedgerTime {
    static START: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    LedgerTime(START.get_or_init(|| crate::environment::Environment::default().now_ns()) + after_ns)
}

/// Writes the files of one bank's gateway and loads its configuration.
pub(crate) fn config(directory: &Path, bic: &str, folder: bool) -> Config {
    let participant = |bic: &str, seed: u8| RawParticipant {
        bic: bic.to_owned(),
        name: format!("Bank {bic}"),
        signing_keys: vec![hex(SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes())],
        sealing_key: hex(&crate::seal::public_key(&[seed + 1; 32]).unwrap()),
        gateway_keys: vec![hex(SigningKey::from_bytes(&[seed + 2; 32]).verifying_key().as_bytes())],
    };
    let account = |name: String| RawAccount { account: name, floor: 0 };
    let genesis = RawGenesis {
        version: 1,
        network: "test".to_owned(),
        time_ns: 1_772_613_000_000_000_000,
        rules: 1,
        nodes: vec![RawNode {
            id: 1,
            bic: PAYER.to_owned(),
            link_key: hex(SigningKey::from_bytes(&[9; 32]).verifying_key().as_bytes()),
            cosign_key: None,
            address: "127.0.0.1:1".to_owned(),
            client_address: "127.0.0.1:2".to_owned(),
            standby: false,
        }],
        participants: vec![participant(PAYER, 10), participant(PAYEE, 20)],
        assets: vec![RawAsset { code: "EUR".to_owned(), exponent: 2, issuer: PAYER.to_owned() }],
        accounts: vec![account(format!("{PAYER}/EUR")), account(format!("{PAYEE}/EUR"))],
        funding: Vec::new(),
        voting: None,
    };
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("genesis.toml"), genesis.to_text()).unwrap();
    let seed = if bic == PAYER { 10 } else { 20 };
    for (name, seed) in [("signing.key", seed), ("sealing.key", seed + 1), ("link.key", seed + 2)] {
        let path = directory.join(name);
        if !path.exists() {
            keyfile::write_new(&path, &[seed; 32]).unwrap();
        }
    }
    let raw = RawConfig {
        bic: bic.to_owned(),
        genesis: "genesis.toml".into(),
        link_key: "link.key".into(),
        signing_key: "signing.key".into(),
        sealing_key: "sealing.key".into(),
        data: "data".into(),
        folder: folder.then(|| "folder".into()),
        http: Some("127.0.0.1:0".parse().unwrap()),
        allow_remote: false,
        token_sha256: vec![wire::ledger::Digest::of(TOKEN.as_bytes()).to_string()],
        answer_deadline_ms: 1_000,
        prefer_node: Some(1),
        batch_valid_ms: 60_000,
        sealing_overlap_s: 0,
        receipts: Receipts::OnRequest,
        limits: RawLimits::default(),
    };
    let path = directory.join("gateway.toml");
    std::fs::write(&path, toml::to_string(&raw).unwrap()).unwrap();
    Config::load(&path).unwrap()
}

/// Text of a UETR by number.
pub(crate) fn uetr(number: u32) -> String {
    format!("{number:08x}-1111-4222-8333-444444444444")
}

/// A message with one payment of each number.
pub(crate) fn pacs008(id: &str, numbers: &[u32]) -> String {
    let mut transactions = String::new();
    let date = translate::time::iso_date(ledger_time(0));
    for number in numbers {
        transactions.push_str(&format!(
            "<CdtTrfTxInf><PmtId><InstrId>I{number}</InstrId><EndToEndId>E{number}</EndToEndId><UETR>{}</UETR></PmtId>\
             <IntrBkSttlmAmt Ccy=\"EUR\">10.00</IntrBkSttlmAmt><IntrBkSttlmDt>{date}</IntrBkSttlmDt><ChrgBr>SHAR</ChrgBr>\
             <InstgAgt><FinInstnId><BICFI>{PAYER}</BICFI></FinInstnId></InstgAgt>\
             <InstdAgt><FinInstnId><BICFI>{PAYEE}</BICFI></FinInstnId></InstdAgt>\
             <Dbtr><Nm>Alice GmbH</Nm></Dbtr><DbtrAgt><FinInstnId><BICFI>{PAYER}</BICFI></FinInstnId></DbtrAgt>\
             <CdtrAgt><FinInstnId><BICFI>{PAYEE}</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Bob Ltd</Nm></Cdtr></CdtTrfTxInf>",
            uetr(*number)
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"><FIToFICstmrCdtTrf><GrpHdr><MsgId>{id}</MsgId>\
         <CreDtTm>2026-03-04T09:30:00+01:00</CreDtTm><NbOfTxs>{}</NbOfTxs>\
         <SttlmInf><SttlmMtd>CLRG</SttlmMtd><ClrSys><Prtry>CORRIDOR</Prtry></ClrSys></SttlmInf></GrpHdr>{transactions}\
         </FIToFICstmrCdtTrf></Document>",
        numbers.len()
    )
}

/// How the stand-in behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Settles.
    Settle,
    /// Refuses new payments for want of cover.
    Refuse,
    /// Takes batches and never answers.
    Silent,
    /// Says that it is busy.
    Busy,
    /// Settles, and loses the connection before it answers.
    Lose,
}

#[derive(Default)]
struct Ledger {
    answers: HashMap<TransferId, (ContentDigest, Answer, u64)>,
    deliveries: Vec<Delivery>,
    /// Every submission's UETRs.
    submitted: Vec<TransferId>,
    height: u64,
    leaf: u64,
}

impl Ledger {
    /// The command that settled under an id.
    fn command_of(&self, id: &TransferId) -> Bytes {
        let mut commands = self.deliveries.iter().map(|delivery| delivery.command.clone());
        commands
            .find(|bytes| Command::decode(bytes).unwrap().0.id() == Some(*id))
            .unwrap_or_default()
    }
}

/// A stand-in for a node. It outlives gateways, as the network does.
#[derive(Clone)]
pub(crate) struct FakeNode {
    ledger: Arc<Mutex<Ledger>>,
    mood: Arc<Mutex<Mood>>,
    /// Connections of an earlier generation are dead: nothing that they carry arrives.
    generation: Arc<AtomicU64>,
    /// How often a gateway wished to leave.
    pub(crate) left: Arc<AtomicU64>,
    /// Questions after a payment that are answered as by a node that is behind.
    pub(crate) blank_answers: Arc<AtomicU64>,
    /// Leaves below this are final.
    pub(crate) final_leaves: Arc<AtomicU64>,
    /// Frames of deliveries that are sent damaged.
    pub(crate) damaged_frames: Arc<AtomicU64>,
    domain: Domain,
}

impl FakeNode {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            ledger: Arc::default(),
            mood: Arc::new(Mutex::new(Mood::Settle)),
            generation: Arc::default(),
            left: Arc::default(),
            blank_answers: Arc::default(),
            final_leaves: Arc::default(),
            damaged_frames: Arc::default(),
            domain: config.genesis.domain,
        }
    }

    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Cuts all connections without a word.
    pub(crate) fn cut(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// UETRs of all submissions so far, repetitions included.
    pub(crate) fn submitted(&self) -> Vec<TransferId> {
        self.ledger.lock().unwrap().submitted.clone()
    }

    /// Number of payments that settled.
    pub(crate) fn settled(&self) -> usize {
        let ledger = self.ledger.lock().unwrap();
        ledger.answers.values().filter(|(_, answer, _)| answer.is_settled()).count()
    }

    /// Blocks are not told apart: the last one is final when all leaves are.
    fn final_at(&self) -> FinalAt {
        let ledger = self.ledger.lock().unwrap();
        let size = self.final_leaves.load(Ordering::SeqCst).min(ledger.leaf);
        FinalAt { height: if size == ledger.leaf { ledger.height } else { 0 }, size }
    }

    /// Damages the sealed documents that wait for delivery.
    pub(crate) fn damage_documents(&self) {
        for delivery in &mut self.ledger.lock().unwrap().deliveries {
            if let Some((_, sealed)) = &mut delivery.document {
                let mut bytes = sealed.to_vec();
                bytes[50] ^= 1;
                *sealed = bytes.into();
            }
        }
    }

    /// Puts another document, and the commitment to it, under all that waits for delivery: what a
    /// bank with a gateway of its own making can submit.
    pub(crate) fn replace_document(&self, sealed: &crate::seal::Sealed) {
        for delivery in &mut self.ledger.lock().unwrap().deliveries {
            let (Command::Transfer(mut transfer), _) = Command::decode(&delivery.command).unwrap()
            else {
                panic!("a delivery is a transfer")
            };
            transfer.document = Some(sealed.commitment());
            let mut command = Vec::new();
            Command::Transfer(transfer).encode(&mut command);
            delivery.command = command.into();
            delivery.document = Some((sealed.salted, sealed.bytes.clone().into()));
        }
    }

    /// A connection of a gateway; ends when the gateway drops it.
    pub(crate) fn port(&self) -> NodePort {
        let (frames, outgoing) = mpsc::channel(64);
        let (incoming, events) = mpsc::channel(64);
        let (leave, wishes) = mpsc::channel(1);
        tokio::spawn(self.clone().serve(outgoing, incoming, wishes));
        NodePort { frames, events, leave }
    }

    async fn serve(
        self,
        mut frames: mpsc::Receiver<OutFrame>,
        events: mpsc::Sender<ClientSideEvent>,
        mut wishes: mpsc::Receiver<u64>,
    ) {
        let connected = || ClientSideEvent::Connected { server: 1, hello: Bytes::new() };
        if events.send(connected()).await.is_err() {
            return;
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let (mut cursor, mut told_final) = (None, None);
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        loop {
            tokio::select! {
                frame = frames.recv() => {
                    let Some(frame) = frame else { return };
                    if self.generation.load(Ordering::SeqCst) != generation {
                        return;
                    }
                    let payload = frame.payload.parts()[0].clone();
                    match frame.kind {
                        KIND_SUBMIT => {
                            let mood = *self.mood.lock().unwrap();
                            match self.submit(payload, mood) {
                                Some(_) if mood == Mood::Lose => {
                                    self.be(Mood::Settle);
                                    let lost = ClientSideEvent::Disconnected { server: 1, reason: "test".into() };
                                    let _ = events.send(lost).await;
                                    let _ = events.send(connected()).await;
                                }
                                Some((kind, answer)) => send(&events, kind, answer).await,
                                None => {}
                            }
                        }
                        KIND_SUBSCRIBE => cursor = Some(Cursor::decode(payload).unwrap()),
                        KIND_QUERY => {
                            let (number, query) = Query::decode(payload).unwrap();
                            send(&events, KIND_ANSWER, self.answer(query).encode(number)).await;
                        }
                        KIND_WATCH_FINAL => told_final = Some(FinalAt::default()),
                        other => panic!("frame kind {other}"),
                    }
                }
                Some(_) = wishes.recv() => {
                    self.left.fetch_add(1, Ordering::SeqCst);
                    cursor = None;
                    let reason = "left".into();
                    let _ = events.send(ClientSideEvent::Disconnected { server: 1, reason }).await;
                    let _ = events.send(connected()).await;
                }
                _ = tick.tick() => {
                    let is_final = self.final_at();
                    if told_final.is_some_and(|told| told < is_final) {
                        told_final = Some(is_final);
                        send(&events, KIND_FINAL, is_final.encode()).await;
                    }
                    let Some(after) = cursor.as_mut() else { continue };
                    let items: Vec<Delivery> = {
                        let ledger = self.ledger.lock().unwrap();
                        ledger.deliveries.iter().filter(|item| item.cursor > *after).cloned().collect()
                    };
                    if let Some(last) = items.last() {
                        *after = last.cursor;
                        let searched = last.cursor;
                        let mut frame = Deliveries { items, searched }.encode();
                        if take_one(&self.damaged_frames) {
                            frame = frame.slice(..frame.len() - 1);
                        }
                        send(&events, KIND_DELIVERIES, frame).await;
                    }
                }
            }
        }
    }

    fn submit(&self, payload: Bytes, mood: Mood) -> Option<(u8, Bytes)> {
        let submission = RawSubmission::decode(payload).unwrap().verify(&self.domain).unwrap();
        let batch = submission.batch.signed().digest();
        let mut ledger = self.ledger.lock().unwrap();
        let ledger = &mut *ledger;
        for command in &submission.batch.batch().commands {
            ledger.submitted.push(command.command.id().unwrap());
        }
        match mood {
            Mood::Silent => return None,
            Mood::Busy => {
                let reason = NotTakenReason::Busy { retry_after_ms: 20 };
                return Some((KIND_NOT_TAKEN, NotTaken { batch, reason }.encode()));
            }
            _ => {}
        }
        ledger.height += 1;
        let first_leaf = ledger.leaf;
        let mut outcomes = Vec::new();
        for (position, command) in submission.batch.batch().commands.iter().enumerate() {
            let leaf = ledger.leaf;
            ledger.leaf += 1;
            let id = command.command.id().unwrap();
            let outcome = match ledger.answers.get(&id) {
                Some((content, answer, leaf)) if *content == command.content => {
                    Outcome { answer: *answer, original: Some(*leaf) }
                }
                Some(_) => {
                    Outcome { answer: Answer::Refused(Refusal::DuplicateId), original: None }
                }
                None => {
                    let answer = match mood {
                        Mood::Refuse => Answer::Refused(Refusal::InsufficientCover),
                        _ => Answer::Settled,
                    };
                    ledger.answers.insert(id, (command.content, answer, leaf));
                    if answer.is_settled() {
                        let attachment = submission
                            .attachments
                            .iter()
                            .find(|attachment| attachment.position as usize == position);
                        ledger.deliveries.push(Delivery {
                            cursor: Cursor { height: ledger.height, commands: position as u32 + 1 },
                            leaf,
                            time: ledger_time(0),
                            submitter: ParticipantNumber(0),
                            command: submission.batch.command_bytes(position),
                            document: attachment.map(|found| (found.salted, found.sealed.clone())),
                            told: Told::Settled,
                        });
                    }
                    Outcome { answer, original: None }
                }
            };
            outcomes.push(outcome);
        }
        let height = Height(ledger.height);
        let time = ledger_time(ledger.height * 1_000_000_000);
        let answer = Outcomes { batch, height, time, first_leaf, outcomes };
        Some((KIND_OUTCOMES, answer.encode()))
    }

    fn answer(&self, query: Query) -> QueryAnswer {
        let ledger = self.ledger.lock().unwrap();
        match query {
            Query::Directory(known) => QueryAnswer::Directory(directory(known)),
            Query::Status => QueryAnswer::Status(StatusAnswer {
                node: 1,
                leader: 1,
                height: ledger.height,
                time: ledger_time(0),
                leaves: ledger.leaf,
                log_root: [0; 32],
                state_root: [0; 32],
                settled: 0,
                refused: 0,
            }),
            Query::Receipt { id, whole } => QueryAnswer::Receipt(match ledger.answers.get(&id) {
                None => ReceiptFound::Unknown,
                Some((_, _, leaf)) if *leaf >= self.final_leaves.load(Ordering::SeqCst) => {
                    ReceiptFound::NotFinal
                }
                Some((_, _, leaf)) if whole => {
                    ReceiptFound::Final(format!("index {leaf}\n").into())
                }
                Some(_) => ReceiptFound::Final(Bytes::new()),
            }),
            Query::Transfer(_) if take_one(&self.blank_answers) => QueryAnswer::Transfer(None),
            Query::Transfer(id) => {
                QueryAnswer::Transfer(ledger.answers.get(&id).map(|(_, answer, leaf)| {
                    TransferFound {
                        answer: *answer,
                        leaf: *leaf,
                        height: 1,
                        time: ledger_time(0),
                        command: ledger.command_of(&id),
                        standing: None,
                    }
                }))
            }
        }
    }
}

/// Counts one down; false at 0.
fn take_one(counter: &AtomicU64) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

async fn send(events: &mpsc::Sender<ClientSideEvent>, kind: u8, payload: Bytes) {
    let frame = Frame { kind, version: FRAME_VERSION, payload };
    let _ = events.send(ClientSideEvent::Frame(frame)).await;
}

/// Puts the stand-in behind a real endpoint for gateways; returns its address.
pub(crate) async fn listen(node: &FakeNode, config: &Config) -> std::net::SocketAddr {
    let (events, mut incoming) = mpsc::channel(64);
    let settings = ClientServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        key: LinkKey::from_seed([9; 32]),
        network_id: config.genesis.domain.network,
        pins: Pins::new([(config.link_key.public(), 0)]),
        sessions_max: 8,
        frame_bytes_max: wire::frame::CLIENT_FRAME_BYTES_MAX,
        hello: Bytes::new(),
    };
    let any: link::HelloCheck = Arc::new(|_, _| Ok(()));
    let server = Arc::new(ClientServer::start(settings, any, events).await.unwrap());
    let address = server.local_addr().unwrap();
    let node = node.clone();
    tokio::spawn(async move {
        let mut sessions = HashMap::new();
        while let Some(event) = incoming.recv().await {
            match event {
                ClientEvent::Opened { session, .. } => {
                    let NodePort { frames, mut events, .. } = node.port();
                    sessions.insert(session, frames);
                    let server = server.clone();
                    tokio::spawn(async move {
                        while let Some(event) = events.recv().await {
                            match event {
                                ClientSideEvent::Frame(Frame { kind, version, payload }) => {
                                    let _ =
                                        server.send(session, OutFrame::new(kind, version, payload));
                                }
                                ClientSideEvent::Disconnected { .. } => {
                                    server.close_session(session, "test");
                                }
                                ClientSideEvent::Connected { .. } => {}
                            }
                        }
                    });
                }
                ClientEvent::Frame { session, frame, .. } => {
                    let frame = OutFrame::new(frame.kind, frame.version, frame.payload);
                    if let Some(frames) = sessions.get(&session) {
                        let _ = frames.send(frame).await;
                    }
                }
                ClientEvent::Closed { session } => {
                    sessions.remove(&session);
                }
            }
        }
    });
    address
}

/// Starts a gateway on the store of its directory; waits while a former one still holds the file.
pub(crate) async fn start(config: Config, node: &FakeNode) -> Gateway {
    std::fs::create_dir_all(&config.data).unwrap();
    let path = config.data.join("gateway.redb");
    let mut tries = 0;
    let store = loop {
        match Store::open_file(&path) {
            Ok(store) => break store,
            Err(error) if tries == 200 => panic!("{error}"),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    Gateway::start_on(config, store, node.port()).await.unwrap()
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// One request on a connection of its own.
pub(crate) async fn request(gateway: &Gateway, line: &str, headers: &str, body: &str) -> Response {
    let mut stream = TcpStream::connect(gateway.http_address().unwrap()).await.unwrap();
    let text = format!(
        "{line} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request with the token.
pub(crate) async fn call(gateway: &Gateway, line: &str, body: &str) -> Response {
    request(gateway, line, &format!("Authorization: Bearer {TOKEN}\r\n"), body).await
}
