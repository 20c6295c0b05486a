//! The projection against a real PostgreSQL: a private cluster in a temporary folder, reached by its socket.
//!
//! Skipped, loudly, where no PostgreSQL is installed.

#![allow(clippy::unwrap_used)]

mod postgres;
mod sample;

use std::time::Duration;

use super::{
    Place, ProjectArguments, database::Database, migrate::migrate_to, project, rows::Rows,
    verify_db,
};
use postgres::Server;
use sample::{BLOCKS_AN_ACCESS, Log, PAYMENTS_A_BLOCK};

fn place(server: &Server, log: &Log) -> Place {
    Place {
        postgres: server.url("postgres"),
        node: log.address(),
        genesis: log.genesis_file(),
        policy: None,
    }
}

async fn catch_up(place: &Place) {
    project(&ProjectArguments { place: place.clone(), once: true, anew: false }).await.unwrap();
}

async fn number(client: &tokio_postgres::Client, question: &str) -> i64 {
    client.query_one(question, &[]).await.unwrap().get(0)
}

#[test]
fn numbers_and_arrays_have_the_bytes_of_the_manual() {
    use super::rows::Table;
    let mut rows = Rows::default();
    rows.row(Table::Participants).number(-123_450_000).ints(&[7].into());
    let bytes = rows.copy(Table::Participants);
    let expected: &[u8] = &[
        0, 5, // columns
        0, 0, 0, 12, 0, 2, 0, 2, 0x40, 0, 0, 0, 0, 1, 0x09, 0x29, // 1 2345 and four zeros
        0, 0, 0, 28, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0,
        1, // dimensions
        0, 0, 0, 4, 0, 0, 0, 7, 0xff, 0xff,
    ];
    assert_eq!(&bytes[19..], expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_once_whatever_becomes_of_writer_and_server() {
    let Some(mut server) = Server::start() else { return };
    let log = Log::serve(200).await;
    let place = place(&server, &log);
    // Killed at 20 different moments, most of them within a transaction.
    for round in 0..20u64 {
        let arguments = ProjectArguments { place: place.clone(), once: false, anew: false };
        let writer = tokio::spawn(async move { project(&arguments).await });
        tokio::time::sleep(Duration::from_millis(3 + 29 * round)).await;
        writer.abort();
        let _ = writer.await;
    }
    server.restart();
    catch_up(&place).await;
    let client = server.client("postgres").await;
    let accesses = (200 / BLOCKS_AN_ACCESS) as i64;
    let commands = 200 * PAYMENTS_A_BLOCK as i64 + 2 * accesses;
    assert_eq!(number(&client, "SELECT count(*) FROM corridor.commands").await, commands);
    let once = "SELECT count(DISTINCT leaf) FROM corridor.commands";
    assert_eq!(number(&client, once).await, commands);
    assert_eq!(number(&client, "SELECT count(*) FROM corridor.access").await, accesses);
    assert_eq!(number(&client, "SELECT count(*) FROM corridor.erasures").await, accesses);
    assert_eq!(number(&client, "SELECT count(*) FROM corridor.records").await as u64, log.leaves());
    assert_eq!(verify_db(&place).await.unwrap(), Vec::<String>::new());

    // Each table shows what was changed in it, and nothing else is named.
    let cent = "UPDATE corridor.postings SET balance = balance + 1 WHERE (leaf, seq) IN
        (SELECT leaf, seq FROM corridor.postings ORDER BY leaf DESC LIMIT 1)";
    assert_eq!(client.execute(cent, &[]).await.unwrap(), 1);
    let lines = verify_db(&place).await.unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("postings: ")), "{lines:?}");
    let back = cent.replace("+ 1", "- 1");
    client.execute(&back, &[]).await.unwrap();
    client.execute("DELETE FROM corridor.commands WHERE leaf = 2", &[]).await.unwrap();
    client.execute("UPDATE corridor.balances_by_day SET closing = 0", &[]).await.unwrap();
    let lines = verify_db(&place).await.unwrap();
    assert!(lines.iter().any(|line| line.starts_with("commands: should be")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("balances_by_day: ")), "{lines:?}");

    // Who read what cannot be changed unnoticed either.
    let table = "CREATE TEMP TABLE before AS SELECT * FROM corridor.access";
    client.batch_execute(table).await.unwrap();
    for (change, lines_of_it) in [
        ("UPDATE corridor.access SET reader = 'nobody' WHERE ground = 'complaint 50'", 2),
        ("DELETE FROM corridor.access WHERE ground = 'complaint 55'", 1),
        ("INSERT INTO corridor.access SELECT leaf + 1, height, at, time_ns, id, participant, access,
            payment, what, reader, ground FROM before WHERE ground = 'complaint 60'", 1),
    ] {
        let before = verify_db(&place).await.unwrap().len();
        assert_eq!(client.execute(change, &[]).await.unwrap(), 1, "{change}");
        let lines = verify_db(&place).await.unwrap();
        assert_eq!(lines.len(), before + lines_of_it, "{change}: {lines:?}");
    }
    let lines = verify_db(&place).await.unwrap();
    let named: Vec<_> = lines.iter().filter(|line| line.starts_with("access: ")).collect();
    assert_eq!(named.len(), 4, "{named:?}");
    assert!(named.iter().any(|line| line.contains("nobody")), "{named:?}");

    // Nor who erased what.
    for (change, lines_of_it) in [
        ("UPDATE corridor.erasures SET destroyed_ns = 0 WHERE ground = 'retention 50'", 2),
        ("UPDATE corridor.erasures SET sealing_key = NULL WHERE ground = 'retention 60'", 2),
        ("DELETE FROM corridor.erasures WHERE ground = 'retention 55'", 1),
    ] {
        let before = verify_db(&place).await.unwrap().len();
        assert_eq!(client.execute(change, &[]).await.unwrap(), 1, "{change}");
        let lines = verify_db(&place).await.unwrap();
        assert_eq!(lines.len(), before + lines_of_it, "{change}: {lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("erasures: should be")), "{lines:?}");
    }

    // Wiped, it is written again from the beginning.
    client.batch_execute("DROP SCHEMA corridor CASCADE").await.unwrap();
    catch_up(&place).await;
    assert_eq!(verify_db(&place).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absence_is_waited_for_and_banks_see_their_own_rows() {
    let Some(mut server) = Server::start() else { return };
    let log = Log::serve(20).await;
    let place = place(&server, &log);
    server.stop();
    let arguments = ProjectArguments { place: place.clone(), once: true, anew: false };
    let writer = tokio::spawn(async move { project(&arguments).await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!writer.is_finished());
    server.go_on();
    writer.await.unwrap().unwrap();

    let admin = server.client("postgres").await;
    let roles =
        "CREATE ROLE anna LOGIN IN ROLE bank_auditor; CREATE ROLE olga LOGIN IN ROLE auditor;
        INSERT INTO corridor.bank_logins VALUES ('anna', 'BANKAAAAXXX')";
    admin.batch_execute(roles).await.unwrap();
    let anna = server.client("anna").await;
    let own = "SELECT count(*) FROM corridor.statement WHERE account LIKE 'BANKAAAA%'";
    let all = "SELECT count(*) FROM corridor.statement";
    let seen = number(&anna, all).await;
    assert!(seen > 0 && seen == number(&anna, own).await && seen == number(&admin, own).await);
    assert!(number(&admin, all).await > seen);
    let foreign = "SELECT count(*) FROM corridor.commands
        WHERE NOT parties @> ARRAY[(SELECT number FROM corridor.participants WHERE bic = 'BANKAAAA')]";
    assert!(number(&admin, foreign).await > 0);
    assert_eq!(number(&anna, foreign).await, 0);
    for forbidden in [
        "SELECT * FROM corridor.records",
        "SELECT * FROM corridor.bank_logins",
        "INSERT INTO corridor.bank_logins VALUES ('anna', 'BANKBBBB')",
        "UPDATE corridor.postings SET balance = 0",
        "SELECT corridor.add_month('2030-01-01')",
        "SELECT corridor.look_again()",
        "SET ROLE auditor",
    ] {
        assert!(anna.batch_execute(forbidden).await.is_err(), "{forbidden}");
    }
    let parts = "SELECT inhrelid::regclass::text FROM pg_inherits";
    for part in admin.query(parts, &[]).await.unwrap() {
        let part: &str = part.get(0);
        assert!(anna.batch_execute(&format!("SELECT * FROM {part}")).await.is_err(), "{part}");
    }
    let olga = server.client("olga").await;
    assert_eq!(number(&olga, all).await, number(&admin, all).await);
    assert!(olga.batch_execute("DELETE FROM corridor.postings").await.is_err());
    // Who may read everything may verify everything.
    let mut by_olga = place.clone();
    by_olga.postgres = server.url("olga");
    assert_eq!(verify_db(&by_olga).await.unwrap(), Vec::<String>::new());
    // Who read of its payments, or in its house: C of one to A, and A itself. Not: B of one to C, C of none.
    let seen = async |client: &tokio_postgres::Client, what: &str| -> String {
        let trail = format!(
            "SELECT coalesce(string_agg(ground, ', ' ORDER BY leaf), '') FROM corridor.{what}"
        );
        client.query_one(&trail, &[]).await.unwrap().get(0)
    };
    let read = "access_trail WHERE access <> 'erased'";
    assert_eq!(seen(&olga, read).await, "complaint 5, complaint 10, complaint 15, complaint 20");
    assert_eq!(seen(&anna, read).await, "complaint 5, complaint 15");
    // Who erased: C of one to A, B of one from A, A itself. Not: C of one from B.
    for erased in ["erasure_trail", "access_trail WHERE access = 'erased'", "erasures"] {
        assert_eq!(
            seen(&olga, erased).await,
            "retention 5, retention 10, retention 15, retention 20"
        );
        assert_eq!(seen(&anna, erased).await, "retention 5, retention 10, retention 15");
    }
    let trace = "SELECT count(*) FROM corridor.payment_trace t JOIN corridor.erasures e ON t.uetr = e.payment
        WHERE t.leaf = e.leaf AND t.what = 'document erased' AND t.document = e.document";
    assert_eq!((number(&olga, trace).await, number(&anna, trace).await), (4, 3));
    let keys = "SELECT string_agg(bank || ' ' || ordered_by || ' ' || destroyed_ns || coalesce(' ' || encode(substr(sealing_key, 1, 2), 'hex'), ''),
        ', ' ORDER BY leaf) FROM corridor.erasure_trail";
    let said: String = anna.query_one(keys, &[]).await.unwrap().get(0);
    assert_eq!(said, "BANKCCCC officer 2 5, BANKBBBB officer 1 10 0a0a, BANKAAAA officer 0 15");
    let foreign = "SELECT count(*) FROM corridor.access WHERE ground = 'complaint 10'";
    assert_eq!((number(&admin, foreign).await, number(&anna, foreign).await), (1, 0));
    for forbidden in [
        "DELETE FROM corridor.access",
        "UPDATE corridor.access SET reader = 'nobody'",
        "INSERT INTO corridor.access SELECT * FROM corridor.access",
        "DELETE FROM corridor.erasures",
        "UPDATE corridor.erasures SET ordered_by = 'nobody'",
    ] {
        assert!(anna.batch_execute(forbidden).await.is_err(), "{forbidden}");
        assert!(olga.batch_execute(forbidden).await.is_err(), "{forbidden}");
    }
    // Who names the id of another's payment, and is refused, is no party of it by that.
    let claim = |answer: u32| {
        format!(
            "INSERT INTO corridor.commands SELECT leaf + 1000000, height, at, time_ns, kind, uetr, about, 0,
             {answer}, original, debit, credit, asset, amount, legs, document, ARRAY[0]
             FROM corridor.commands WHERE uetr = (SELECT payment FROM corridor.access WHERE ground = 'complaint 10')"
        )
    };
    assert_eq!(admin.execute(&claim(101), &[]).await.unwrap(), 1);
    assert_eq!(number(&anna, foreign).await, 0);
    let unclaim = "DELETE FROM corridor.commands WHERE leaf >= 1000000";
    assert_eq!(admin.execute(unclaim, &[]).await.unwrap(), 1);
    assert_eq!(admin.execute(&claim(1), &[]).await.unwrap(), 1);
    assert_eq!(number(&anna, foreign).await, 1);
    assert_eq!(admin.execute(unclaim, &[]).await.unwrap(), 1);
    for view in ["payments", "payment_trace", "position", "keys", "account_state", "access_trail"] {
        let question = format!("SELECT count(*) FROM corridor.{view}");
        assert!(number(&olga, &question).await > 0, "{view}");
        assert!(number(&anna, &question).await > 0, "{view}");
    }
    for name in ["BANKAAAA", "BANKAAAAXXX"] {
        let bank = format!("SELECT corridor.bank('{name}')::bigint");
        assert_eq!(number(&anna, &bank).await, 0);
    }
}

/// A writer that runs sees its schema vanish: it makes it anew, and every row is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wipe_under_a_running_projector_is_recovered_from() {
    let Some(server) = Server::start() else { return };
    let log = Log::serve(200).await;
    let place = place(&server, &log);
    let client = server.client("postgres").await;
    let arguments = ProjectArguments { place: place.clone(), once: false, anew: false };
    let writer = tokio::spawn(async move { project(&arguments).await });
    let leaves = "SELECT coalesce((SELECT leaves FROM corridor.cursor), 0)";
    let reach = async || {
        while !matches!(client.query_one(leaves, &[]).await, Ok(row) if row.get::<_, i64>(0) as u64 == log.leaves())
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    for round in 0..6u64 {
        tokio::time::sleep(Duration::from_millis(25 * round)).await;
        // While it writes the wipe may be the one that gives way.
        let _ = client.batch_execute("DROP SCHEMA IF EXISTS corridor CASCADE").await;
    }
    log.grow();
    tokio::time::timeout(Duration::from_secs(60), reach()).await.unwrap();
    assert!(!writer.is_finished());
    // Idle, it notices with the next block.
    client.batch_execute("DROP SCHEMA corridor CASCADE").await.unwrap();
    log.grow();
    tokio::time::timeout(Duration::from_secs(60), reach()).await.unwrap();
    writer.abort();
    assert_eq!(verify_db(&place).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_schemas_are_made_anew_and_newer_ones_left_alone() {
    let Some(server) = Server::start() else { return };
    let log = Log::serve(20).await;
    let place = place(&server, &log);
    let admin = server.client("postgres").await;
    // What version 1 had of this: its number, and the logins, which are not of the log.
    let old = "CREATE SCHEMA corridor; CREATE TABLE corridor.migrations (version int PRIMARY KEY);
        INSERT INTO corridor.migrations VALUES (1); CREATE TABLE corridor.postings (leaf bigint);
        CREATE TABLE corridor.bank_logins (login name PRIMARY KEY, bic text NOT NULL);
        INSERT INTO corridor.bank_logins VALUES ('anna', 'BANKAAAA')";
    admin.batch_execute(old).await.unwrap();
    catch_up(&place).await;
    assert_eq!(verify_db(&place).await.unwrap(), Vec::<String>::new());
    let version = "SELECT max(version)::bigint FROM corridor.migrations";
    assert_eq!(number(&admin, version).await, 4);
    assert_eq!(number(&admin, "SELECT count(*) FROM corridor.bank_logins").await, 1);

    // A login that may only write goes on where the administrator made the schema.
    admin.batch_execute("CREATE ROLE paul LOGIN IN ROLE projector").await.unwrap();
    log.grow();
    let mut by_paul = place.clone();
    by_paul.postgres = server.url("paul");
    catch_up(&by_paul).await;
    assert_eq!(verify_db(&place).await.unwrap(), Vec::<String>::new());

    // A later version adds to it and keeps the rows; a program that does not know it leaves all alone.
    let network = log.network();
    let mut database = Database::connect(&place.postgres).await.unwrap();
    let later = ["CREATE VIEW corridor.more AS SELECT count(*) FROM corridor.postings"];
    let rows = number(&admin, "SELECT count(*) FROM corridor.postings").await;
    migrate_to(&mut database, &network, false, &later).await.unwrap();
    assert_eq!(number(&admin, version).await, 5);
    assert_eq!(number(&admin, "SELECT count FROM corridor.more").await, rows);
    let arguments = ProjectArguments { place: place.clone(), once: true, anew: false };
    let error = project(&arguments).await.unwrap_err().to_string();
    assert!(error.contains("version 5"), "{error}");

    // A cursor that was taken away would double every row.
    admin.batch_execute("DROP SCHEMA corridor CASCADE").await.unwrap();
    catch_up(&place).await;
    admin.batch_execute("DELETE FROM corridor.cursor").await.unwrap();
    let error = project(&arguments).await.unwrap_err().to_string();
    assert!(error.contains("--anew"), "{error}");
    project(&ProjectArguments { place: place.clone(), once: true, anew: true }).await.unwrap();
    assert_eq!(verify_db(&place).await.unwrap(), Vec::<String>::new());
}
