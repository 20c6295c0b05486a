//! What a node or gateway process writes to its standard output.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text an event, for people
    #[default]
    Text,
    /// One JSON object an event, for collectors
    Json,
}

/// Starts logging; `CORRIDOR_LOG` chooses what (default `info`).
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("CORRIDOR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(true);
    // Fails only when logging was started before, which is as good.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
