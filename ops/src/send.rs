//! `corridor send`: hands a message to a gateway and prints the answer.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::http::HttpClient;
use crate::layout::read_token;

/// Arguments of `corridor send`.
#[derive(Debug, Args)]
pub struct SendArguments {
    /// Message to send (ISO 20022 XML)
    file: PathBuf,
    /// Address of the gateway, such as http://127.0.0.1:7103
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// File with the gateway's bearer token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

/// Runs `corridor send`: the answer goes to standard output, what happened to standard error.
pub async fn run(arguments: SendArguments) -> Result<()> {
    let message = fs::read(&arguments.file)
        .with_context(|| format!("read message {}", arguments.file.display()))?;
    let mut client =
        HttpClient::new(&arguments.gateway)?.with_token(read_token(&arguments.token_file)?);
    let start = Instant::now();
    let answer = client.post("/v1/messages", "application/xml", &message).await?;
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    eprintln!("HTTP {} after {milliseconds:.1} ms", answer.status);
    println!("{}", answer.text());
    match answer.status {
        200..=299 => Ok(()),
        401 | 403 => bail!("the gateway does not accept this token"),
        status => bail!("the gateway answers with status {status}"),
    }
}
