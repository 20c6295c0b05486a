//! The tool `corridor` as a test uses it: words in, JSON out, one sentence when it fails.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process_stage::{Stage, program};

/// The program and the folder of the network that it is used on.
pub(crate) struct Tool {
    program: PathBuf,
    dir: PathBuf,
}

impl Tool {
    pub(crate) fn new(stage: &Stage) -> Result<Self> {
        Ok(Self { program: program()?, dir: stage.cluster.layout().dir().to_owned() })
    }

    /// Runs `corridor WORDS --dir DIR`: whether it went well, its output, and what it says of an error.
    pub(crate) fn run(&self, words: &[&str]) -> Result<(bool, String, String)> {
        let mut command = Command::new(&self.program);
        let output = command.args(words).arg("--dir").arg(&self.dir).output();
        let output = output.context("run corridor")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    /// The same with `--json`; it must go well.
    pub(crate) fn json(&self, words: &[&str]) -> Result<Value> {
        let words = [words, &["--json"]].concat();
        let (well, out, error) = self.run(&words)?;
        ensure!(well, "`corridor {}` fails: {error}", words.join(" "));
        serde_json::from_str(&out).with_context(|| format!("`{out}` of {}", words.join(" ")))
    }

    /// A command that must be answered so; its id.
    pub(crate) fn ask(&self, words: &[&str], answer: &str) -> Result<String> {
        let told = self.json(words)?;
        ensure!(told["answer"] == answer, "{} is answered {told}", words.join(" "));
        Ok(told["id"].as_str().context("an answer names an id")?.to_owned())
    }

    /// A command that must fail with one sentence that contains this.
    pub(crate) fn fails(&self, words: &[&str], says: &str) -> Result<()> {
        let (well, out, error) = self.run(words)?;
        ensure!(!well && error.contains(says), "{}: {out} {error}", words.join(" "));
        ensure!(error.lines().count() == 1, "one sentence: {error}");
        Ok(())
    }
}
