#![allow(clippy::unwrap_used)]

use std::{fs, time::Duration};

use crate::testing::{FakeNode, Mood, PAYEE, PAYER, config, pacs008, start, uetr};

use super::*;

/// Names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_answered_and_archived_and_credits_come_out() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(&directory.path().join("payer"), PAYER, true);
    let payee = config(&directory.path().join("payee"), PAYEE, true);
    let node = FakeNode::new(&payer);
    let folder = Folder::open(payer.folder.as_ref().unwrap()).unwrap();
    let out = Folder::open(payee.folder.as_ref().unwrap()).unwrap().out;
    let (sending, receiving) = (start(payer, &node).await, start(payee, &node).await);
    fs::write(folder.incoming.join("a.xml"), pacs008("M1", &[1])).unwrap();
    fs::write(folder.incoming.join("a-copy.xml"), pacs008("M1", &[1])).unwrap();
    fs::write(folder.incoming.join("bad.xml"), "<nothing").unwrap();
    fs::write(folder.incoming.join(".hidden"), "x").unwrap();
    fs::write(folder.incoming.join("half.xml.tmp"), "x").unwrap();
    until("done", || names(&folder.incoming).len() == 2).await;
    assert_eq!(names(&folder.incoming), [".hidden", "half.xml.tmp"]);
    assert_eq!(
        names(&folder.archive),
        ["a-copy.xml", "a-copy.xml.answer.xml", "a.xml", "a.xml.answer.xml"]
    );
    assert_eq!(names(&folder.failed), ["bad.xml", "bad.xml.answer.xml"]);
    let answer = |name: &str| fs::read_to_string(folder.archive.join(name)).unwrap();
    assert!(answer("a.xml.answer.xml").contains("<TxSts>ACSC</TxSts>"));
    assert_eq!(answer("a.xml.answer.xml"), answer("a-copy.xml.answer.xml"));
    assert_eq!(node.settled(), 1);
    let credit = format!("{:020}-{}.xml", 1, uetr(1));
    until("credit", || names(&out) == [credit.clone()]).await;
    let taken = |reader| receiving.core().store.acknowledged(reader).unwrap();
    until("acknowledged", || taken(OutboxReader::Folder) == 1).await;
    assert_eq!(taken(OutboxReader::Http), 0, "the other way still has it");
    sending.stop().await;
    receiving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_used_again_does_not_overwrite_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    let payer = config(directory.path(), PAYER, true);
    let node = FakeNode::new(&payer);
    let folder = Folder::open(payer.folder.as_ref().unwrap()).unwrap();
    let gateway = start(payer, &node).await;
    for (id, number) in [("M1", 1), ("M2", 2)] {
        fs::write(folder.incoming.join("pay.xml"), pacs008(id, &[number])).unwrap();
        until("done", || names(&folder.incoming).is_empty()).await;
    }
    assert_eq!(names(&folder.archive).len(), 4);
    assert_eq!(fs::read_to_string(folder.archive.join("pay.xml")).unwrap(), pacs008("M1", &[1]));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_half_done_step_is_finished_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let settings = || config(directory.path(), PAYER, true);
    let node = FakeNode::new(&settings());
    let folder = Folder::open(settings().folder.as_ref().unwrap()).unwrap();
    // Ended after the message was journalled, before it was answered.
    node.be(Mood::Silent);
    let gateway = start(settings(), &node).await;
    fs::write(folder.incoming.join("a.xml"), pacs008("M1", &[1])).unwrap();
    until("submitted", || !node.submitted().is_empty()).await;
    gateway.stop().await;
    assert_eq!(names(&folder.incoming), ["a.xml"]);
    node.be(Mood::Settle);
    let gateway = start(settings(), &node).await;
    until("archived", || names(&folder.incoming).is_empty()).await;
    gateway.stop().await;
    let answer = fs::read(folder.archive.join("a.xml.answer.xml")).unwrap();

    // Ended after the answer was written, before the file was moved; a temporary file is left as
    // well.
    fs::rename(folder.archive.join("a.xml"), folder.incoming.join("a.xml")).unwrap();
    fs::write(folder.archive.join(".a.xml.answer.xml.tmp"), "half").unwrap();
    let gateway = start(settings(), &node).await;
    until("archived again", || names(&folder.incoming).is_empty()).await;
    assert_eq!(fs::read(folder.archive.join("a.xml.answer.xml")).unwrap(), answer);
    assert_eq!(names(&folder.archive), ["a.xml", "a.xml.answer.xml"]);
    assert_eq!(node.settled(), 1);
    gateway.stop().await;
}

#[test]
fn a_file_that_was_replaced_meanwhile_keeps_its_turn() {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder::open(directory.path()).unwrap();
    let path = folder.incoming.join("a.xml");
    fs::write(&path, "first").unwrap();
    let stamp = disk::stamp(&path).unwrap().unwrap();
    let beside = folder.incoming.join("a.xml.tmp");
    fs::write(&beside, "other").unwrap();
    fs::rename(&beside, &path).unwrap();
    let answer = Answer {
        kind: crate::store::AnswerKind::Report,
        xml: Bytes::from_static(b"<Report/>"),
        height: None,
    };
    let content = Content::of(Bytes::from_static(b"first"));
    folder.conclude(&"a.xml".into(), &stamp, &content, &Ending::Answered(answer)).unwrap();
    assert_eq!(names(&folder.incoming), ["a.xml"]);
    assert_eq!(fs::read_to_string(path).unwrap(), "other");
    assert_eq!(fs::read_to_string(folder.archive.join("a.xml")).unwrap(), "first");
}

#[test]
fn long_names_are_shortened_and_large_files_never_take_each_others_place() {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder::open(directory.path()).unwrap();
    let long = OsString::from("n".repeat(250));
    for (content, number) in [("first", 1), ("second", 2), ("third", 3)] {
        let path = folder.incoming.join(&long);
        fs::write(&path, content).unwrap();
        let stamp = disk::stamp(&path).unwrap().unwrap();
        let ending = Ending::NotTaken(Bytes::from_static(b"too large"));
        folder.conclude(&long, &stamp, &Content::of(Bytes::new()), &ending).unwrap();
        assert!(names(&folder.incoming).is_empty());
        assert_eq!(names(&folder.failed).len(), 2 * number);
    }
    let kept: Vec<String> = names(&folder.failed);
    let mut contents: Vec<String> = kept
        .iter()
        .filter(|name| !name.ends_with(".error.txt"))
        .map(|name| fs::read_to_string(folder.failed.join(name)).unwrap())
        .collect();
    contents.sort();
    assert_eq!(contents, ["first", "second", "third"]);
}
