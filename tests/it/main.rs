//! Whole-system tests: the list of modules is the table of contents.

mod graph;
mod process_folder;
mod process_kill;
mod process_stage;
mod process_status;
mod sim;
mod tidy;
