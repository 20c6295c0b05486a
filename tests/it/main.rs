//! Whole-system tests: the list of modules is the table of contents.

mod graph;
mod openapi;
mod process_audit;
mod process_bulk;
mod process_chaos;
mod process_disk;
mod process_documents;
mod process_erase;
mod process_evidence;
mod process_folder;
mod process_govern;
mod process_kill;
mod process_ledger;
mod process_liar;
mod process_members;
mod process_mend;
mod process_projection;
mod process_settings;
mod process_stage;
mod process_status;
mod process_traffic;
mod process_verifiers;
mod sim;
mod sim_gateway;
mod tidy;
mod tool;
