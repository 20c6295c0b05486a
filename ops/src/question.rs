//! Questions to the first node that answers: what it says, or a sentence why not.

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use crate::http::HttpClient;
use crate::node_api::ANSWER_TIME_MAX;
use crate::status::NodeChoice;

/// Asks the nodes in turn. What one of them knows not to be so is an answer; another node is asked only when one
/// is away or busy.
///
/// # Errors
/// The node's own sentence, such as that there is no such account; or that no node answers.
pub(crate) async fn ask<T: DeserializeOwned>(nodes: &NodeChoice, path: &str) -> Result<T> {
    let mut last = None;
    for node in nodes.addresses()? {
        let mut client = HttpClient::new(&node)?.with_timeout(ANSWER_TIME_MAX);
        match client.get(path).await {
            Ok(answer) if answer.is_success() => {
                return serde_json::from_slice(&answer.body)
                    .with_context(|| format!("read the answer of {node}{path}"));
            }
            Ok(answer) if answer.status == 503 => {
                last = Some(anyhow::anyhow!("{node} is busy; ask again"));
            }
            Ok(answer) => bail!("{}", answer.text().trim()),
            Err(error) => last = Some(error.into()),
        }
    }
    Err(last.context("no node was named")?.context("no node answers"))
}

/// Asks for all pages of a list.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn pages<T: DeserializeOwned>(nodes: &NodeChoice, path: &str) -> Result<Vec<T>> {
    #[derive(serde::Deserialize)]
    struct Page<T> {
        rows: Vec<T>,
        next: Option<u32>,
    }
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page: Page<T> = ask(nodes, &format!("{path}{after}")).await?;
        rows.extend(page.rows);
        let Some(next) = page.next else { return Ok(rows) };
        after = format!("?after={next}");
    }
}

/// Prints an answer as JSON.
pub(crate) fn print_json(answer: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(answer).context("write the answer")?);
    Ok(())
}
