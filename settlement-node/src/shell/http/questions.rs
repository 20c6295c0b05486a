//! Questions about the rules' own tables: who can be paid, prices, hours, keys, decisions, and what would happen if.
//!
//! Each is read in one look at the loop, but for *what if*, which works on a copy on a thread of its own, one at a
//! time. What is not there is a 404, what the ledger would refuse a 409 with its text for operators.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use ledger::{AccountName, AssetCode, Bic, Command, ParticipantNumber, Refusal, WhatIf};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{Context, look};
use crate::view;

/// *What if* copies the accounts and all that waits: one copy at a time.
static COPIES: Semaphore = Semaphore::const_new(1);

type Answer = Result<Response, StatusCode>;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/v1/directory", get(directory))
        .route("/v1/directory/{bic}", get(reach_of))
        .route("/v1/reachable/{asset}", get(reachable))
        .route("/v1/hours", get(hours))
        .route("/v1/price", get(price))
        .route("/v1/scores", get(scores))
        .route("/v1/decisions", get(decisions))
        .route("/v1/keys/{bic}", get(keys))
        .route("/v1/what-if", get(what_if))
}

fn found<T: Serialize>(found: Option<T>, missing: &'static str) -> Response {
    match found {
        Some(found) => Json(found).into_response(),
        None => (StatusCode::NOT_FOUND, missing).into_response(),
    }
}

fn bad(error: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}

fn refused(refusal: Refusal) -> Response {
    (StatusCode::CONFLICT, format!("{}\n", refusal.operator_text())).into_response()
}

const NO_BANK: &str = "there is no such participant\n";
const NO_ASSET: &str = "there is no such asset\n";
const NO_ACCOUNT: &str = "there is no such account\n";

#[derive(Debug, Deserialize)]
struct After {
    after: Option<u32>,
}

async fn directory(State(context): State<Context>, Query(page): Query<After>) -> Answer {
    let page = look(&context.handle, move |node| view::members(node.chain(), page.after)).await?;
    Ok(Json(page).into_response())
}

async fn reach_of(
    State(context): State<Context>,
    Path(bic): Path<String>,
    Query(page): Query<After>,
) -> Answer {
    let bic: Bic = match bic.parse() {
        Ok(bic) => bic,
        Err(error) => return Ok(bad(error)),
    };
    let page = look(&context.handle, move |node| {
        let number = node.chain().ledger().participant_by_bic(&bic)?.number;
        Some(view::reach_of(node.chain(), number, page.after))
    });
    Ok(found(page.await?, NO_BANK))
}

async fn reachable(
    State(context): State<Context>,
    Path(asset): Path<String>,
    Query(page): Query<After>,
) -> Answer {
    let code: AssetCode = match asset.parse() {
        Ok(code) => code,
        Err(error) => return Ok(bad(error)),
    };
    let page = look(&context.handle, move |node| {
        let number = node.chain().ledger().asset_by_code(&code)?.number;
        Some(view::reachable(node.chain(), number, page.after))
    });
    Ok(found(page.await?, NO_ASSET))
}

async fn hours(State(context): State<Context>) -> Answer {
    let hours = look(&context.handle, |node| view::hours(node.chain())).await?;
    Ok(Json(hours).into_response())
}

/// What is to be exchanged: one of `deliver` and `spend`, in minor units.
#[derive(Debug, Deserialize)]
struct Wanted {
    pays: String,
    gets: String,
    deliver: Option<u64>,
    spend: Option<u64>,
}

async fn price(State(context): State<Context>, Query(wanted): Query<Wanted>) -> Answer {
    let side = match (wanted.deliver, wanted.spend) {
        (Some(exactly), None) => view::Side::Deliver(exactly),
        (None, Some(exactly)) => view::Side::Spend(exactly),
        _ => return Ok(bad("give one of deliver and spend, in minor units")),
    };
    let codes = wanted.pays.parse::<AssetCode>().and_then(|pays| Ok((pays, wanted.gets.parse()?)));
    let (pays, gets) = match codes {
        Ok(codes) => codes,
        Err(error) => return Ok(bad(error)),
    };
    let price =
        look(&context.handle, move |node| view::price(node.chain(), &pays, &gets, side)).await?;
    Ok(match price {
        Ok(price) => Json(price).into_response(),
        Err(refusal) => refused(refusal),
    })
}

#[derive(Debug, Deserialize)]
struct OfBank {
    bank: Option<String>,
}

async fn scores(State(context): State<Context>, Query(of): Query<OfBank>) -> Answer {
    let bic = match of.bank.as_deref().map(str::parse::<Bic>).transpose() {
        Ok(bic) => bic,
        Err(error) => return Ok(bad(error)),
    };
    let scores = look(&context.handle, move |node| {
        let ledger = node.chain().ledger();
        let of = match bic {
            Some(bic) => Some(ledger.participant_by_bic(&bic)?.number),
            None => None,
        };
        Some(view::scores(node.chain(), of))
    });
    Ok(found(scores.await?, NO_BANK))
}

async fn decisions(State(context): State<Context>) -> Answer {
    let decisions = look(&context.handle, |node| view::decisions(node.chain())).await?;
    Ok(Json(decisions).into_response())
}

#[derive(Debug, Deserialize)]
struct AtLeaf {
    leaf: Option<u64>,
}

async fn keys(
    State(context): State<Context>,
    Path(bic): Path<String>,
    Query(at): Query<AtLeaf>,
) -> Answer {
    let bic: Bic = match bic.parse() {
        Ok(bic) => bic,
        Err(error) => return Ok(bad(error)),
    };
    let keys = look(&context.handle, move |node| {
        let number: ParticipantNumber = node.chain().ledger().participant_by_bic(&bic)?.number;
        Some(view::keys(node.chain(), number, at.leaf))
    });
    Ok(found(keys.await?, NO_BANK))
}

/// A change: as the canonical bytes of the command that would make it, in hex, or money that came in.
#[derive(Debug, Deserialize)]
struct Change {
    command: Option<String>,
    account: Option<String>,
    /// Minor units.
    incoming: Option<u64>,
}

async fn what_if(State(context): State<Context>, Query(asked): Query<Change>) -> Answer {
    let Ok(_one) = COPIES.try_acquire() else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
    let change = match asked.change() {
        Ok(change) => change,
        Err(error) => return Ok(bad(error)),
    };
    let copied = look(&context.handle, move |node| {
        let change = match change {
            Asked::Change(change) => change,
            Asked::Incoming(name, amount) => {
                let account = node.chain().ledger().account_by_name(&name)?.number;
                WhatIf::Incoming { account, amount }
            }
        };
        Some((view::copied(node.chain()), change))
    });
    let Some((copied, change)) = copied.await? else {
        return Ok((StatusCode::NOT_FOUND, NO_ACCOUNT).into_response());
    };
    let answer = tokio::task::spawn_blocking(move || view::what_if(&copied, &change)).await;
    Ok(match answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)? {
        Ok(found) => Json(found).into_response(),
        Err(refusal) => refused(refusal),
    })
}

enum Asked {
    Change(WhatIf),
    Incoming(AccountName, u64),
}

impl Change {
    fn change(&self) -> Result<Asked, String> {
        match (&self.command, &self.account, self.incoming) {
            (Some(hex), None, None) => {
                let bytes = from_hex(hex).ok_or("the command is no hex")?;
                let (command, rest) = Command::decode(&bytes).map_err(|error| error.to_string())?;
                if rest != bytes.len() {
                    return Err("there is more than one command".to_owned());
                }
                let change = view::change(&command);
                change.map(Asked::Change).ok_or("this command changes no liquidity".to_owned())
            }
            (None, Some(account), Some(amount)) => {
                let name = account.parse::<AccountName>().map_err(|error| error.to_string())?;
                Ok(Asked::Incoming(name, amount))
            }
            _ => Err("give a command, or an account and what comes in".to_owned()),
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
