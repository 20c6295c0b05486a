#![allow(clippy::unwrap_used)]

use std::time::Duration;

use crate::testing::{FakeNode, Mood, PAYEE, PAYER, call, config, pacs008, request, start, uetr};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_answered_and_the_same_bytes_again_on_a_repetition() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&config);
    let gateway = start(config, &node).await;
    let first = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert!(first.body.contains("<TxSts>ACSC</TxSts>"), "{}", first.body);
    let again = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!(again.body, first.body);
    assert_eq!(node.submitted().len(), 1);

    let by_uetr = call(&gateway, &format!("GET /v1/messages/{}", uetr(1)), "").await;
    assert_eq!((by_uetr.status, by_uetr.body), (200, first.body.clone()));
    let key = first.header("x-corridor-message").unwrap();
    let by_key = call(&gateway, &format!("GET /v1/messages/{key}"), "").await;
    assert_eq!(by_key.body, first.body);
    assert_eq!(call(&gateway, &format!("GET /v1/messages/{}", uetr(9)), "").await.status, 404);
    assert_eq!(call(&gateway, "GET /v1/messages/nonsense", "").await.status, 400);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_answers_and_a_uetr_is_used_once() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&config);
    let gateway = start(config, &node).await;
    node.be(Mood::Refuse);
    let refused = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!(refused.status, 200);
    assert!(refused.body.contains("<Cd>AM04</Cd>"), "{}", refused.body);
    node.be(Mood::Settle);
    // Another message with the same UETR: another payment.
    let clash = call(&gateway, "POST /v1/messages", &pacs008("M2", &[1])).await;
    assert_eq!(clash.status, 200);
    assert!(clash.body.contains("<Cd>AM05</Cd>"), "{}", clash.body);
    // The same payment in other bytes: the fate that it has.
    let spaced = pacs008("M1", &[1]).replace("<GrpHdr>", "<GrpHdr> ");
    let same = call(&gateway, "POST /v1/messages", &spaced).await;
    assert!(same.body.contains("<TxSts>RJCT</TxSts>"), "{}", same.body);
    // Bulk: one known to clash, one new.
    let bulk = call(&gateway, "POST /v1/messages?bulk=true", &pacs008("M3", &[1, 2])).await;
    assert!(bulk.body.contains("<GrpSts>PART</GrpSts>"), "{}", bulk.body);
    assert_eq!(node.settled(), 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_and_invalid_messages_are_told_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&config);
    let gateway = start(config, &node).await;
    let unreadable = call(&gateway, "POST /v1/messages", "<Document").await;
    assert_eq!(unreadable.status, 400);
    assert!(unreadable.body.contains("admi.002.001.01"), "{}", unreadable.body);
    let again = call(&gateway, "POST /v1/messages", "<Document").await;
    assert_eq!(again.body, unreadable.body);
    let unknown = pacs008("M1", &[1]).replace(PAYEE, "NOBKGB2L");
    let rejected = call(&gateway, "POST /v1/messages", &unknown).await;
    assert_eq!(rejected.status, 200);
    assert!(rejected.body.contains("<Cd>RC01</Cd>"), "{}", rejected.body);
    assert_eq!(node.submitted().len(), 0);
    assert_eq!(call(&gateway, "POST /v1/messages", "").await.status, 400);
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(call(&gateway, "POST /v1/messages", &large).await.status, 413);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_payment_is_202_and_answered_later() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path(), PAYER, false);
    config.answer_deadline = std::time::Duration::from_millis(100);
    let node = FakeNode::new(&config);
    node.be(Mood::Busy);
    let gateway = start(config, &node).await;
    let open = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!(open.status, 202, "{open:?}");
    assert!(open.body.contains("<TxSts>PDNG</TxSts>"), "{}", open.body);
    let location = open.header("location").unwrap().to_owned();
    let status = call(&gateway, "GET /v1/status", "").await;
    assert!(status.body.contains("\"open_payments\":1"), "{}", status.body);
    node.be(Mood::Settle);
    for _ in 0..200 {
        let now = call(&gateway, &format!("GET {location}"), "").await;
        assert_eq!(now.status, 200);
        if now.body.contains("<TxSts>ACSC</TxSts>") {
            gateway.stop().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never settled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_holders_of_a_token_get_in_and_probes_need_none() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&config);
    let gateway = start(config, &node).await;
    for headers in ["", "Authorization: Bearer 00\r\n", "Authorization: Basic YTpi\r\n"] {
        for line in ["POST /v1/messages", "GET /v1/outbox", "GET /v1/status"] {
            let response = request(&gateway, line, headers, "").await;
            assert_eq!(response.status, 401, "{line} {headers}");
            assert!(response.body.starts_with("{\"error\":"));
        }
    }
    assert_eq!(request(&gateway, "GET /healthz", "", "").await.status, 200);
    let mut ready = 0;
    for _ in 0..100 {
        ready = request(&gateway, "GET /readyz", "", "").await.status;
        if ready == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(ready, 200);
    let metrics = request(&gateway, "GET /metrics", "", "").await;
    assert!(metrics.body.contains("corridor_gateway_commit_seconds_bucket"));
    assert_eq!(request(&gateway, "GET /nothing", "", "").await.status, 404);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credits_wait_in_the_outbox_until_they_are_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let payee = config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let sending = start(payer, &node).await;
    let message = pacs008("M1", &[1, 2]);
    assert_eq!(call(&sending, "POST /v1/messages", &message).await.status, 200);
    let receiving = start(payee, &node).await;
    let empty_after = call(&receiving, "GET /v1/outbox?after=0&limit=1&wait_ms=5000", "").await;
    let page: serde_json::Value = serde_json::from_str(&empty_after.body).unwrap();
    assert_eq!(page["entries"][0]["kind"], "pacs.008.001.08");
    assert_eq!(page["entries"][0]["uetr"], uetr(1));
    assert!(page["entries"][0]["content"].as_str().unwrap().contains("Alice GmbH"));
    assert_eq!(page["next"], 1);
    let bearer =
        format!("Authorization: Bearer {}\r\nAccept: application/xml\r\n", crate::testing::TOKEN);
    let second = request(&receiving, "GET /v1/outbox?after=1", &bearer, "").await;
    assert_eq!(second.header("x-corridor-cursor"), Some("2"));
    assert!(second.body.contains(&uetr(2)));
    assert_eq!(call(&receiving, "POST /v1/outbox/ack?cursor=3", "").await.status, 400);
    let acknowledged = call(&receiving, "POST /v1/outbox/ack?cursor=2", "").await;
    assert_eq!(acknowledged.body, "{\"acknowledged\":2}");
    let rest = call(&receiving, "GET /v1/outbox", "").await;
    assert_eq!(rest.body, "{\"entries\":[],\"next\":2}");
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credit_without_a_readable_document_is_a_notice() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let payee = config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let sending = start(payer, &node).await;
    assert_eq!(call(&sending, "POST /v1/messages", &pacs008("M1", &[1])).await.status, 200);
    node.damage_documents();
    let receiving = start(payee, &node).await;
    let page = call(&receiving, "GET /v1/outbox?wait_ms=5000", "").await;
    let page: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(page["entries"][0]["kind"], "notice");
    let notice: serde_json::Value =
        serde_json::from_str(page["entries"][0]["content"].as_str().unwrap()).unwrap();
    assert_eq!(notice["uetr"], uetr(1));
    assert_eq!(notice["from"], PAYER);
    assert_eq!(notice["legs"][0]["amount_minor"], "1000");
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_there_when_the_payment_is_final() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&config);
    let gateway = start(config, &node).await;
    let first = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!(first.status, 200, "{first:?}");
    let receipt = format!("GET /v1/receipts/{}", uetr(1));
    let standing = format!("GET /v1/messages/{}", uetr(1));
    let early = call(&gateway, &receipt, "").await;
    assert_eq!((early.status, early.header("retry-after")), (503, Some("1")), "{early:?}");
    assert!(early.body.contains("not final yet"), "{}", early.body);
    assert_eq!(call(&gateway, &standing, "").await.header("x-corridor-final"), Some("false"));
    node.final_leaves.store(u64::MAX, std::sync::atomic::Ordering::SeqCst);
    let there = call(&gateway, &receipt, "").await;
    assert_eq!(there.status, 200, "{there:?}");
    assert!(there.body.starts_with("index "), "{}", there.body);
    let stands = call(&gateway, &standing, "").await;
    assert_eq!(stands.header("x-corridor-final"), Some("true"));
    assert_eq!(stands.body, first.body);
    let unknown = call(&gateway, &format!("GET /v1/receipts/{}", uetr(9)), "").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert_eq!(call(&gateway, "GET /v1/receipts/nonsense", "").await.status, 400);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_opened_for_a_person_only_when_that_is_recorded() {
    use wire::document::{commitment, salted_digest};
    use wire::ledger::Digest;

    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, false);
    let payee = config(&directory.path().join("payee"), PAYEE, false);
    let node = FakeNode::new(&payer);
    let sending = start(payer, &node).await;
    let receiving = start(payee, &node).await;
    call(&sending, "POST /v1/messages", &pacs008("M1", &[1, 2])).await;
    call(&receiving, "GET /v1/outbox?after=1&wait_ms=5000", "").await;
    let ask = async |number: u32, body: &str| {
        let headers = format!(
            "Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
            crate::testing::TOKEN
        );
        let line = format!("POST /v1/documents/{}/open", uetr(number));
        request(&receiving, &line, &headers, body).await
    };
    let good = r#"{"reader": "clerk 7", "ground": "a complaint of the customer"}"#;
    let known = node.submitted().len();
    // Without who and why, or without a document, nothing is recorded and nothing shown.
    assert_eq!(ask(1, "{}").await.status, 400);
    assert_eq!(ask(1, r#"{"reader": "", "ground": "x"}"#).await.status, 400);
    assert_eq!(ask(3, good).await.status, 404);
    assert_eq!(node.submitted().len(), known);
    // What the ledger refuses to record is not shown.
    node.be(Mood::Refuse);
    let refused = ask(1, good).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(!refused.body.contains("Alice"), "{refused:?}");
    node.be(Mood::Settle);
    let opened = ask(1, good).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let view: serde_json::Value = serde_json::from_str(&opened.body).unwrap();
    let access: wire::ledger::TransferId = view["access"]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(node.submitted().last(), Some(&access), "recorded");
    let document = view["document"].as_str().unwrap();
    assert!(document.contains("Alice GmbH") && document.contains(&uetr(1)), "{document}");
    // Salt and digest prove this document, and no other.
    let bytes = |name: &str| view[name].as_str().unwrap().parse::<Digest>().unwrap();
    let salt = view["salt"].as_str().unwrap();
    let salt: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&salt[2 * at..2 * at + 2], 16).unwrap()).collect();
    let salt: [u8; 16] = salt.try_into().unwrap();
    let proven = |document: &str| {
        commitment(&salted_digest(&salt, document.as_bytes()), &bytes("sealed_sha256"))
    };
    assert_eq!(proven(document), bytes("commitment"));
    let other = ask(2, good).await;
    let other: serde_json::Value = serde_json::from_str(&other.body).unwrap();
    assert_ne!(other["salt"], view["salt"]);
    let second = other["document"].as_str().unwrap();
    assert_ne!(proven(second).to_string(), other["commitment"].as_str().unwrap());
    // Nothing is shown while no node answers. The payer's gateway has no document to show.
    let open = format!("POST /v1/documents/{}/open", uetr(1));
    assert_eq!(call(&sending, &open, good).await.status, 400, "not called JSON");
    receiving.stop().await;
    sending.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_tells_its_block_and_when_that_is_final() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), PAYER, false);
    let node = FakeNode::new(&config);
    let gateway = start(config, &node).await;
    let final_now = async |words: &str| {
        let answer = call(&gateway, &format!("GET /v1/final{words}"), "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
    };
    assert_eq!(final_now("").await, serde_json::json!({}));
    let first = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!(first.header("x-corridor-height"), Some("1"), "{first:?}");
    assert_eq!(first.header("x-corridor-final"), Some("false"), "{first:?}");
    // Who waits for a block that does not become final is told what is.
    assert_eq!(final_now("?height=1&wait_ms=50").await, serde_json::json!({}));
    let waiting = final_now("?height=1&wait_ms=20000");
    let later = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        node.final_leaves.store(1, std::sync::atomic::Ordering::SeqCst);
    };
    let began = std::time::Instant::now();
    let (told, ()) = tokio::join!(waiting, later);
    assert_eq!(told, serde_json::json!({"height": 1, "leaves": 1}));
    assert!(began.elapsed() < Duration::from_secs(10), "it was told when it was so");
    // Another connection to a node that says less takes nothing back.
    node.final_leaves.store(0, std::sync::atomic::Ordering::SeqCst);
    let second = call(&gateway, "POST /v1/messages", &pacs008("M2", &[2])).await;
    assert_eq!(second.header("x-corridor-height"), Some("2"));
    assert_eq!(second.header("x-corridor-final"), Some("false"));
    assert_eq!(final_now("").await["height"], 1);
    let status = call(&gateway, "GET /v1/status", "").await;
    let status: serde_json::Value = serde_json::from_str(&status.body).unwrap();
    assert_eq!((&status["final_height"], &status["final_leaves"]), (&1.into(), &1.into()));
    // What nothing settled of has no block to wait for, and neither does a repetition: it is asked for by its id.
    node.be(Mood::Refuse);
    let refused = call(&gateway, "POST /v1/messages", &pacs008("M3", &[3])).await;
    assert_eq!((refused.status, refused.header("x-corridor-height")), (200, None), "{refused:?}");
    let again = call(&gateway, "POST /v1/messages", &pacs008("M1", &[1])).await;
    assert_eq!((again.body, again.head.contains("x-corridor-final")), (first.body, false));
    gateway.stop().await;
}
