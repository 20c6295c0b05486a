//! A small HTTP/1.1 client for plain connections to nodes and gateways of one's own machine or network.
//!
//! One [`HttpClient`] keeps one connection open and sends one request at a time. Answers are read
//! whole, by `Content-Length`, in chunks or until the end, and are bounded. No TLS, no redirects,
//! no compression, no proxies.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Longest line of an answer's head, in bytes.
const LINE_BYTES_MAX: u64 = 16 << 10;
/// Most lines of an answer's head.
const HEADERS_MAX: usize = 100;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not of the form `http://host:port[/path]`.
    #[error("`{0}` is not an address of the form http://host:port")]
    Address(String),
    /// No connection, or it broke.
    #[error("{action} {host}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With whom.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// The other side does not speak HTTP/1.1 as expected.
    #[error("answer of {host} is not valid HTTP: {reason}")]
    Malformed {
        /// Who answered.
        host: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// No answer within the time allowed.
    #[error("no answer of {host} within {seconds} s")]
    Timeout {
        /// Who did not answer.
        host: String,
        /// Seconds waited.
        seconds: u64,
    },
}

/// An answer with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code, 100 to 599.
    pub status: u16,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A client with one kept connection.
#[derive(Debug)]
pub struct HttpClient {
    host: String,
    path: String,
    token: Option<String>,
    /// More lines of each request's head.
    headers: String,
    timeout: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl HttpClient {
    /// A client for a base address such as `http://127.0.0.1:7201`; nothing is connected yet.
    pub fn new(base: &str) -> Result<Self, HttpError> {
        let bad = || HttpError::Address(base.to_owned());
        let rest = base.strip_prefix("http://").ok_or_else(bad)?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let port = host.rsplit_once(':').ok_or_else(bad)?.1;
        port.parse::<u16>().map_err(|_| bad())?;
        Ok(Self {
            host: host.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
            token: None,
            headers: String::new(),
            timeout: Duration::from_secs(30),
            connection: None,
        })
    }

    /// Sends `Authorization: Bearer <token>` with each request.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sends this header with each request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push_str(&format!("{name}: {}\r\n", value.as_ref()));
        self
    }

    /// Waits at most this long for each answer; 30 s unless set.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &str) -> Result<Answer, HttpError> {
        self.request("GET", path, "", &[]).await
    }

    /// Posts a body.
    pub async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, HttpError> {
        self.request("POST", path, content_type, body).await
    }

    /// Sends one request and reads its answer.
    ///
    /// A kept connection that turns out to be closed before a byte of the answer came is replaced
    /// once; what is posted here may be repeated (a gateway answers a repetition as the first time).
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, HttpError> {
        let timeout = self.timeout;
        let result = tokio::time::timeout(timeout, async {
            if let Some(connection) = self.connection.take()
                && let Ok(answer) =
                    self.exchange(connection, method, path, content_type, body).await
            {
                return Ok(answer);
            }
            let connection = self.connect().await?;
            self.exchange(connection, method, path, content_type, body).await
        })
        .await;
        result.unwrap_or_else(|_| {
            Err(HttpError::Timeout { host: self.host.clone(), seconds: timeout.as_secs() })
        })
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> HttpError + use<> {
        let host = self.host.clone();
        move |source| HttpError::Io { action, host, source }
    }

    fn malformed(&self, reason: &'static str) -> HttpError {
        HttpError::Malformed { host: self.host.clone(), reason }
    }

    async fn connect(&self) -> Result<BufReader<TcpStream>, HttpError> {
        let connecting = TcpStream::connect(self.host.as_str());
        let stream = tokio::time::timeout(CONNECT_TIME_MAX, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(self.io("connect to"))?;
        stream.set_nodelay(true).map_err(self.io("connect to"))?;
        Ok(BufReader::new(stream))
    }

    async fn exchange(
        &mut self,
        mut connection: BufReader<TcpStream>,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, HttpError> {
        let mut head = format!("{method} {}{path} HTTP/1.1\r\nHost: {}\r\n", self.path, self.host);
        head.push_str(&self.headers);
        if let Some(token) = &self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if !content_type.is_empty() {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        if method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        connection.get_mut().write_all(&bytes).await.map_err(self.io("send to"))?;
        let (answer, keep) = self.read_answer(&mut connection).await?;
        if keep {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    async fn read_line(&self, connection: &mut BufReader<TcpStream>) -> Result<String, HttpError> {
        let mut line = Vec::new();
        let mut limited = connection.take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut line).await.map_err(self.io("read from"))?;
        if line.pop() != Some(b'\n') {
            return Err(self.malformed("the head ends early or has an overlong line"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| self.malformed("the head is not text"))
    }

    async fn read_answer(
        &self,
        connection: &mut BufReader<TcpStream>,
    ) -> Result<(Answer, bool), HttpError> {
        let first = self.read_line(connection).await?;
        let status = first
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| self.malformed("no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line(connection).await?;
            if line.is_empty() {
                break;
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| self.malformed("a header without a colon"))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            if headers.len() > HEADERS_MAX {
                return Err(self.malformed("too many headers"));
            }
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let mut keep =
            !answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if matches!(status, 100..200 | 204 | 304) {
            return Ok((answer, keep));
        }
        let chunked = answer
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        if chunked {
            answer.body = self.read_chunks(connection).await?;
        } else if let Some(length) = answer.header("content-length") {
            let length: usize =
                length.parse().map_err(|_| self.malformed("Content-Length is no number"))?;
            if length > ANSWER_BYTES_MAX {
                return Err(self.malformed("the body is too large"));
            }
            answer.body = vec![0; length];
            connection.read_exact(&mut answer.body).await.map_err(self.io("read from"))?;
        } else {
            keep = false;
            let mut limited = connection.take(ANSWER_BYTES_MAX as u64 + 1);
            limited.read_to_end(&mut answer.body).await.map_err(self.io("read from"))?;
            if answer.body.len() > ANSWER_BYTES_MAX {
                return Err(self.malformed("the body is too large"));
            }
        }
        Ok((answer, keep))
    }

    async fn read_chunks(
        &self,
        connection: &mut BufReader<TcpStream>,
    ) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line(connection).await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| self.malformed("a chunk without a size"))?;
            if size > ANSWER_BYTES_MAX - body.len() {
                return Err(self.malformed("the body is too large"));
            }
            let start = body.len();
            body.resize(start + size, 0);
            connection.read_exact(&mut body[start..]).await.map_err(self.io("read from"))?;
            // After the last chunk this line is the end of the (never used) trailers.
            if !self.read_line(connection).await?.is_empty() {
                return Err(self.malformed("a chunk longer than its size"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::TcpListener;

    /// Serves the given answers, one a request, on one connection after the other.
    async fn serve(answers: Vec<(&'static str, bool)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            for (answer, last_of_connection) in answers {
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.unwrap();
                    if let Some(value) = line.strip_prefix("Content-Length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    if line == "\r\n" {
                        break;
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
                if last_of_connection {
                    drop(stream);
                    stream = BufReader::new(listener.accept().await.unwrap().0);
                }
            }
        });
        base
    }

    #[tokio::test]
    async fn bodies_by_length_in_chunks_and_to_the_end() {
        let base = serve(vec![
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false),
            ("HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", false),
            ("HTTP/1.1 404 Not Found\r\n\r\nnothing here", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", false),
        ])
        .await;
        let mut client = HttpClient::new(&base).unwrap();
        assert_eq!(client.get("/a").await.unwrap().text(), "hello");
        let second = client.post("/b", "application/xml", b"<a/>").await.unwrap();
        assert_eq!((second.status, second.text().as_str()), (202, "abcde"));
        let third = client.get("/c").await.unwrap();
        assert_eq!((third.is_success(), third.text().as_str()), (false, "nothing here"));
        assert_eq!(client.get("/d").await.unwrap().status, 204);
    }

    #[tokio::test]
    async fn a_kept_connection_that_was_closed_is_replaced() {
        let base = serve(vec![
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2", true),
        ])
        .await;
        let mut client = HttpClient::new(&base).unwrap();
        assert_eq!(client.get("/").await.unwrap().text(), "1");
        assert_eq!(client.get("/").await.unwrap().text(), "2");
    }

    #[test]
    fn addresses_are_checked() {
        assert!(HttpClient::new("http://127.0.0.1:80/base/").is_ok());
        for bad in ["https://127.0.0.1:80", "127.0.0.1:80", "http://host", "http://host:port"] {
            assert!(matches!(HttpClient::new(bad), Err(HttpError::Address(_))), "{bad}");
        }
    }
}
