//! Where a benchmark keeps its network: a folder of its own on a real disk, removed when all went well.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::init::random;

/// The argument that all benchmarks share.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// Folder in which a folder for the run is made; its disk is what is measured
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Keep the run's folder
    #[arg(long)]
    keep: bool,
}

/// A folder of one run.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    keep: bool,
}

impl Place {
    /// Makes a new folder.
    pub(crate) fn new(arguments: &PlaceArguments) -> Result<Self> {
        let name = format!("corridor-bench-{}", wire::genesis::hex(&random::<4>()?));
        let path = arguments.dir.join(name);
        fs::create_dir_all(&path).with_context(|| format!("make folder {}", path.display()))?;
        let path = path.canonicalize().context("find the new folder")?;
        Ok(Self { path, keep: arguments.keep })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The run went well: removes the folder unless it is to be kept. A run that fails leaves it.
    pub(crate) fn done(self) -> Result<()> {
        if self.keep {
            println!("kept {}", self.path.display());
            return Ok(());
        }
        fs::remove_dir_all(&self.path)
            .with_context(|| format!("remove folder {}", self.path.display()))
    }
}
