//! A private PostgreSQL for one test: no port, no password, its own folder, gone with it.

use std::{path::PathBuf, process::Command};

use tempfile::TempDir;

/// A running server. Its superuser is `postgres`.
pub(super) struct Server {
    folder: TempDir,
    programs: PathBuf,
}

impl Server {
    /// Makes and starts one; nothing where none is installed.
    pub(super) fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let programs = versions.map(|version| version.path().join("bin"));
        let Some(programs) = programs.filter(|bin| bin.join("initdb").exists()).max() else {
            eprintln!("SKIPPED: no PostgreSQL is installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let server = Self { folder, programs };
        if rustix::process::geteuid().is_root() {
            let owned = Command::new("chown").arg("postgres").arg(server.folder.path()).status();
            assert!(owned.unwrap().success());
        }
        let data = server.data();
        server.run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "--no-sync"]);
        server.go_on();
        Some(server)
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        // The server refuses to run as root.
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let output = self.folder.path().join("output");
        let output = std::fs::File::create(output).unwrap();
        let status = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }

    /// Starts it again after a stop.
    pub(super) fn go_on(&self) {
        let folder = self.folder.path().display();
        let options =
            format!("-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off");
        let log = format!("{folder}/log");
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-l", &log, "-o", &options, "start"]);
    }

    /// Stops it at once, as by a power cut.
    pub(super) fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", "immediate", "stop"]);
    }

    pub(super) fn restart(&self) {
        self.stop();
        self.go_on();
    }

    /// Where a user finds its database `postgres`.
    pub(super) fn url(&self, user: &str) -> String {
        format!("host={} user={user} dbname=postgres", self.folder.path().display())
    }

    pub(super) async fn client(&self, user: &str) -> tokio_postgres::Client {
        let url = self.url(user);
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
