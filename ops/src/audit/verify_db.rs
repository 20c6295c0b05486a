//! Whether the database holds what the ledger says: every row is made again from the log and compared.

use anyhow::{Context, Result, ensure};

use super::{
    Place,
    database::Database,
    runs::{self, Wanted},
    source::{End, Source},
};

/// Recomputes all that the database should hold; one line for each row that differs.
pub(crate) async fn verify_db(place: &Place) -> Result<Vec<String>> {
    let (mut source, genesis) = place.open()?;
    let database = Database::connect(&place.postgres).await?;
    database.begin_comparing().await.context("the database holds no projection")?;
    let cursor = database.cursor().await?.context("the database holds no projection yet")?;
    let checkpoint = source.checkpoint().await?.context("the node has no checkpoint yet")?;
    ensure!(cursor.leaves <= checkpoint.size, "the database is ahead of the node's checkpoint");
    let (pipe, feed) = Source::feed();
    let (mut made, making) = runs::make(genesis, feed, Wanted::UpTo(cursor.clone()))?;
    let fetching = source.fetch(pipe, End::At(checkpoint), std::time::Duration::ZERO);
    // Whoever compares owns the way in, so that an error ends those who fill it.
    let comparing = async move {
        let (mut lines, mut compared) = (Vec::new(), false);
        while let Some(run) = made.recv().await {
            lines.extend(database.compare(&run.rows, run.first_leaf, run.to.leaves).await?);
            if run.to.height == cursor.height {
                if cursor != run.to {
                    lines.push("cursor: its leaves or root are not the log's".to_owned());
                }
                lines.extend(database.compare_rest(run.to.leaves).await?);
                compared = true;
            }
        }
        anyhow::Ok((lines, compared))
    };
    let (fetched, found) = tokio::join!(fetching, comparing);
    let (lines, compared) = found?;
    fetched?;
    making.await??;
    ensure!(compared, "the cursor is beyond the log");
    Ok(lines)
}
