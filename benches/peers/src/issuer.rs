//! [`Issuer`], which issues tokens in process and on a loopback port, and simulates the service that accepts them.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

pub const LONG: Duration = Duration::from_secs(3600);

/// The behavior of the next calls.
#[derive(Clone, Copy)]
pub struct Behavior {
    /// The lifetime of the tokens, or `None` for an error.
    pub lifetime: Option<Duration>,
    /// The duration of a call.
    pub duration: Duration,
}

pub struct Issuer {
    behavior: Mutex<Behavior>,
    calls: AtomicUsize,
    served: AtomicUsize,
    revoked: Mutex<Option<String>>,
    address: SocketAddr,
}

pub struct Token {
    pub text: String,
    pub expires_on: SystemTime,
}

impl Issuer {
    /// Starts an issuer whose loopback port stays open as long as the runtime.
    pub async fn start(behavior: Behavior) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let issuer = Arc::new(Self {
            behavior: Mutex::new(behavior),
            calls: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            revoked: Mutex::new(None),
            address: listener.local_addr()?,
        });
        let server = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let issuer = server.clone();
                // Ignores I/O errors, because the client reports them.
                tokio::spawn(async move { issuer.handle_connection(stream).await.ok() });
            }
        });
        Ok(issuer)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_behavior(&self, behavior: Behavior) {
        *self.behavior.lock().expect("the lock is not poisoned") = behavior;
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Issues a token with the length of a typical Entra token, or `None` for an error.
    pub async fn issue(&self) -> Option<Token> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let behavior = *self.behavior.lock().expect("the lock is not poisoned");
        sleep(behavior.duration).await;
        let expires_on = SystemTime::now() + behavior.lifetime?;
        Some(Token { text: format!("{number:e>1600}"), expires_on })
    }

    /// Makes the service reject `authorization`.
    pub fn revoke(&self, authorization: &str) {
        *self.revoked.lock().expect("the lock is not poisoned") = Some(authorization.to_owned());
    }

    /// Returns `true` if the service accepts `authorization`. Responses arrive spread over 50 ms.
    pub async fn serve(&self, authorization: &str) -> bool {
        let turn = self.served.fetch_add(1, Ordering::SeqCst) as u64;
        sleep(Duration::from_millis(turn % 50)).await;
        self.revoked.lock().expect("the lock is not poisoned").as_deref() != Some(authorization)
    }

    /// Responds to each request on a connection with a body that clients of both Google and Azure accept.
    async fn handle_connection(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut read = Vec::new();
        loop {
            while let Some(rest) = after_first_request(&read) {
                read = rest;
                let (status, body) = match self.issue().await {
                    None => ("500 Internal Server Error", "{}".to_owned()),
                    Some(Token { text, expires_on }) => {
                        let remaining =
                            expires_on.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64();
                        let unix_time = expires_on.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                        let body = serde_json::json!({
                            "access_token": text,
                            "token_type": "Bearer",
                            "expires_in": remaining.round() as u64,
                            "expires_on": unix_time.to_string(),
                        });
                        ("200 OK", body.to_string())
                    }
                };
                let head = "content-type: application/json\r\nmetadata-flavor: Google";
                let length = body.len();
                let response =
                    format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(response.as_bytes()).await?;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// Returns the bytes after the first request, or `None` if that request is incomplete.
fn after_first_request(read: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(read).ok()?.to_ascii_lowercase();
    let body = text.find("\r\n\r\n")? + 4;
    let length = text[..body].lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(Some(0), |length| length.trim().parse().ok())?;
    read.get(body + length..).map(<[u8]>::to_vec)
}

#[async_trait::async_trait]
impl TokenCredential for Issuer {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let no_response = || azure_core::Error::with_message(ErrorKind::Credential, "no response");
        let token = self.issue().await.ok_or_else(no_response)?;
        Ok(AccessToken::new(token.text, token.expires_on.into()))
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer")
    }
}
