//! The command-line tool `corridor`: sets networks up, runs them, shows them and measures them.
//!
//! One module a subcommand, in the order in which a newcomer meets them, then what they share. The
//! helpers are public so that the whole-system tests run the same processes in the same way.

pub mod init;
pub mod serve;

pub mod access;
pub mod audit;
pub mod directory;
pub mod document;
pub mod evidence;
pub mod fx;
pub mod govern;
pub mod ledger;
pub mod log;
pub mod send;
pub mod show;
pub mod status;
pub mod verify;

pub mod bench;
pub mod demo;
pub mod iso;

pub mod chance;
pub mod clock;
pub mod cluster;
pub mod description;
pub mod gateway_api;
pub mod http;
pub mod layout;
pub mod logs;
pub mod messages;
pub mod money;
pub mod node_api;
pub mod ports;
pub mod postgres;
pub mod process;
mod question;
mod replay;
pub mod udp_proxy;
