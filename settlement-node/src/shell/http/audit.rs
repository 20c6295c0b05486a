//! What an auditor asks a node without a database: statements, positions, blocks.
//!
//! A statement is of one height, named in the answer; with it the question can be repeated and paged, and
//! rows, count and balances are the same again. Times are nanoseconds since 1970, UTC; amounts are minor units.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ledger::{AccountName, Command, TransferId};
use serde::{Deserialize, Serialize};

use super::{Context, look};
use crate::{
    past::{PastBlock, PastError},
    statement::{Known, PAGE_ROWS_MAX, StatementError, Statements, Wanted},
    store::{movements::Row, vfs::Vfs},
    view::Names,
};

/// Rows of a page when nobody says how many.
const PAGE_ROWS: u64 = 100;
/// How long a question waits for the blocks that it is about.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(2);
const CATCH_UP_PAUSE: Duration = Duration::from_millis(5);

/// The movements of this node, opened with the first question.
#[derive(Clone)]
pub(in crate::shell) struct Shared {
    vfs: Arc<dyn Vfs>,
    data: PathBuf,
    open: Arc<Mutex<Option<Statements>>>,
}

impl Shared {
    pub(in crate::shell) fn new(vfs: Arc<dyn Vfs>, data: PathBuf) -> Self {
        Self { vfs, data, open: Arc::default() }
    }

    /// Does something with the movements; blocking, one at a time. After an error of the disk they are opened anew.
    fn with<T>(
        &self,
        context: &Context,
        known: Known,
        work: impl FnOnce(&Statements) -> Result<T, StatementError>,
    ) -> Result<T, StatementError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statements = match open.take() {
            Some(statements) => statements,
            None => {
                let past = context.lookup.past.clone();
                Statements::open(&self.vfs, &self.data, past, &context.genesis)?
            }
        };
        let caught_up = statements.catch_up(known);
        if let Err(error @ StatementError::Behind { .. }) = caught_up {
            *open = Some(statements);
            return Err(error);
        }
        caught_up?;
        let done = work(&statements)?;
        *open = Some(statements);
        Ok(done)
    }
}

/// What is asked of an account.
#[derive(Debug, Deserialize)]
pub(super) struct StatementQuery {
    account: String,
    /// Height; the newest when it is missing.
    as_of: Option<u64>,
    from_ns: Option<u64>,
    before_ns: Option<u64>,
    /// The last row of the page before.
    after: Option<u64>,
    limit: Option<u64>,
}

/// What is asked of a position.
#[derive(Debug, Deserialize)]
pub(super) struct PositionQuery {
    account: String,
    as_of: Option<u64>,
}

#[derive(Debug, Serialize)]
struct StatementView {
    account: String,
    as_of: u64,
    opening_minor: String,
    closing_minor: String,
    count: u64,
    rows: Vec<RowView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A movement. Amounts are texts: they may exceed what JSON readers keep exactly.
#[derive(Debug, Serialize)]
struct RowView {
    row: u64,
    height: u64,
    time_ns: u64,
    leaf: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uetr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counterpart: Option<String>,
    change_minor: String,
    balance_minor: String,
}

impl RowView {
    fn of(row: &Row, names: &Names) -> Self {
        let moved = &row.movement;
        Self {
            row: row.ordinal,
            height: moved.height,
            time_ns: moved.time,
            leaf: moved.leaf,
            uetr: (moved.id != [0; 16]).then(|| TransferId(moved.id).to_string()),
            counterpart: moved.other.map(|other| names.account(ledger::AccountNumber(other))),
            change_minor: moved.change.to_string(),
            balance_minor: row.balance.to_string(),
        }
    }
}

#[derive(Debug, Serialize)]
struct PositionView {
    account: String,
    as_of: u64,
    balance_minor: String,
}

fn text(code: StatusCode, text: &str) -> Response {
    (code, format!("{text}\n")).into_response()
}

/// The account, what the ledger has on it now, and the height that is asked for.
async fn known(
    context: &Context,
    account: &str,
    as_of: Option<u64>,
) -> Result<(Known, u64, Names), Response> {
    let name: AccountName =
        account.parse().map_err(|error| text(StatusCode::BAD_REQUEST, &format!("{error}")))?;
    let seen = look(&context.handle, move |node| {
        let chain = node.chain();
        let view = chain.ledger().account_by_name(&name)?;
        let (account, balance) = (view.number.0, view.posted.minor());
        let known = Known { account, height: chain.height().0, balance };
        Some((known, Names::read(chain)))
    });
    let (known, names) = seen
        .await
        .map_err(IntoResponse::into_response)?
        .ok_or_else(|| text(StatusCode::NOT_FOUND, "there is no such account"))?;
    let as_of = as_of.unwrap_or(known.height);
    if as_of > known.height {
        let what = format!("block {as_of} is not applied yet; the last is {}", known.height);
        return Err(text(StatusCode::NOT_FOUND, &what));
    }
    Ok((known, as_of, names))
}

async fn ask<T: Send + 'static>(
    context: &Context,
    known: Known,
    work: impl Fn(&Statements) -> Result<T, StatementError> + Send + 'static,
) -> Result<T, Response> {
    let asked = context.clone();
    let answer = move || {
        let until = Instant::now() + CATCH_UP_TIME_MAX;
        // The history follows what is applied within moments.
        loop {
            match asked.audit.with(&asked, known, &work) {
                Err(StatementError::Behind { .. }) if Instant::now() < until => {
                    std::thread::sleep(CATCH_UP_PAUSE);
                }
                done => return done,
            }
        }
    };
    let error = match tokio::task::spawn_blocking(answer).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error,
        Err(_) => return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    };
    let code = match &error {
        StatementError::Behind { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if let StatementError::Past(past) = &error {
        damaged(context, past);
    }
    if code != StatusCode::SERVICE_UNAVAILABLE {
        tracing::error!(%error, "no statement can be made");
    }
    Err(text(code, &error.to_string()))
}

pub(super) fn damaged(context: &Context, error: &PastError) {
    if let Some(damage) = error.damage() {
        context.handle.mend(crate::shell::Cause::Damaged(damage));
    }
}

/// Movements of an account with the balance after each.
pub(super) async fn statement(
    State(context): State<Context>,
    Query(query): Query<StatementQuery>,
) -> Result<Response, Response> {
    let limit = query.limit.unwrap_or(PAGE_ROWS);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        let what = format!("a page has 1 to {PAGE_ROWS_MAX} rows");
        return Err(text(StatusCode::BAD_REQUEST, &what));
    }
    let (known, as_of, names) = known(&context, &query.account, query.as_of).await?;
    let wanted = Wanted {
        as_of,
        from: query.from_ns.unwrap_or(0),
        before: query.before_ns.unwrap_or(u64::MAX),
        after: query.after.unwrap_or(0),
        limit,
    };
    let account = known.account;
    let page = ask(&context, known, move |all| all.page(account, &wanted)).await?;
    let view = StatementView {
        account: query.account,
        as_of,
        opening_minor: page.opening.to_string(),
        closing_minor: page.closing.to_string(),
        count: page.count,
        rows: page.rows.iter().map(|row| RowView::of(row, &names)).collect(),
        next: page.next,
    };
    Ok(Json(view).into_response())
}

/// What was on an account after a block.
pub(super) async fn position(
    State(context): State<Context>,
    Query(query): Query<PositionQuery>,
) -> Result<Response, Response> {
    let (known, as_of, _) = known(&context, &query.account, query.as_of).await?;
    let account = known.account;
    let balance = ask(&context, known, move |all| all.balance(account, as_of)).await?;
    let view = PositionView { account: query.account, as_of, balance_minor: balance.to_string() };
    Ok(Json(view).into_response())
}

#[derive(Debug, Serialize)]
struct BlockView {
    height: u64,
    time_ns: u64,
    first_leaf: u64,
    /// With its seal.
    leaves: u32,
    commands: Vec<CommandView>,
    /// What became of transfers that waited.
    progress: Vec<ProgressView>,
}

#[derive(Debug, Serialize)]
struct CommandView {
    leaf: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uetr: Option<String>,
    code: u16,
    /// Leaf of the first answer, for a repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    legs: Vec<super::super::lookup::LegView>,
}

#[derive(Debug, Serialize)]
struct ProgressView {
    leaf: u64,
    uetr: String,
    first_leaf: u64,
    code: u16,
}

/// A block with the answers to its commands.
pub(super) async fn block(
    State(context): State<Context>,
    Path(height): Path<u64>,
) -> Result<Response, Response> {
    let names = look(&context.handle, |node| Names::read(node.chain()));
    let names = names.await.map_err(IntoResponse::into_response)?;
    let past = context.lookup.past.clone();
    let read = tokio::task::spawn_blocking(move || -> Result<Option<BlockView>, PastError> {
        let Some(block) = past.history.block(height)? else { return Ok(None) };
        let read = PastBlock::read(&block, &past.domain).map_err(PastError::Block)?;
        let commands = read.commands().map(|applied| CommandView {
            leaf: applied.leaf,
            kind: applied.command().name(),
            uetr: applied.command().id().map(|id| id.to_string()),
            code: applied.outcome.answer.code(),
            original: applied.outcome.original,
            legs: match applied.command() {
                Command::Transfer(transfer) => super::super::lookup::legs(transfer, &names),
                _ => Vec::new(),
            },
        });
        let progress = read.moved().map(|moved| ProgressView {
            leaf: moved.leaf,
            uetr: moved.progress.id.to_string(),
            first_leaf: moved.progress.leaf,
            code: moved.progress.answer.code(),
        });
        Ok(Some(BlockView {
            height,
            time_ns: block.time_ns,
            first_leaf: block.first_leaf,
            leaves: block.leaf_count,
            commands: commands.collect(),
            progress: progress.collect(),
        }))
    });
    match read.await {
        Ok(Ok(Some(view))) => Ok(Json(view).into_response()),
        Ok(Ok(None)) => Err(text(StatusCode::NOT_FOUND, "the history has no such block")),
        Ok(Err(error)) => {
            damaged(&context, &error);
            Err(text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))
        }
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}
