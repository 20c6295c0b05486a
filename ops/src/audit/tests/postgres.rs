//! A private PostgreSQL for one test.

use crate::postgres::{Options, PrivatePostgres};

/// A running server. Its superuser is `postgres`.
pub(super) struct Server(PrivatePostgres);

impl Server {
    /// Makes and starts one; nothing, loudly, where none is installed.
    pub(super) fn start() -> Option<Self> {
        let options = Options { durable: false, memory_mib: 32 };
        let server = PrivatePostgres::start(options).unwrap();
        if server.is_none() {
            eprintln!("SKIPPED: no PostgreSQL is installed");
        }
        server.map(Self)
    }

    pub(super) fn go_on(&mut self) {
        self.0.go_on().unwrap();
    }

    pub(super) fn stop(&mut self) {
        self.0.stop().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.stop();
        self.go_on();
    }

    pub(super) fn url(&self, user: &str) -> String {
        self.0.url(user)
    }

    pub(super) async fn client(&self, user: &str) -> tokio_postgres::Client {
        let url = self.url(user);
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}
