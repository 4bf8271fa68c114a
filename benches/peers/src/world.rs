//! [`World`]: what issues the tokens, in this process and on a loopback port, and the service that takes them.

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

/// How the next calls are answered.
#[derive(Clone, Copy)]
pub struct Mood {
    /// How long the tokens live; `None` for an error.
    pub gives: Option<Duration>,
    pub takes: Duration,
}

pub struct World {
    mood: Mutex<Mood>,
    calls: AtomicUsize,
    served: AtomicUsize,
    revoked: Mutex<Option<String>>,
    address: SocketAddr,
}

pub struct Token {
    pub text: String,
    pub ends: SystemTime,
}

impl World {
    /// A world, whose loopback port answers for as long as the runtime runs.
    pub async fn start(mood: Mood) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let world = Arc::new(Self {
            mood: Mutex::new(mood),
            calls: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            revoked: Mutex::new(None),
            address: listener.local_addr()?,
        });
        let issuer = world.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let issuer = issuer.clone();
                // A connection that breaks off is its client's affair.
                tokio::spawn(async move { issuer.answer(stream).await.ok() });
            }
        });
        Ok(world)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// A token, after as long as it takes. As long as those of Entra are.
    pub async fn issue(&self) -> Option<Token> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().expect("no panic");
        sleep(mood.takes).await;
        let ends = SystemTime::now() + mood.gives?;
        Some(Token { text: format!("{number:e>1600}"), ends })
    }

    /// The service takes no authorization value that is the first one given in this world.
    pub fn revoke(&self, authorization: &str) {
        *self.revoked.lock().expect("no panic") = Some(authorization.to_owned());
    }

    /// Whether the service takes it. The answers trickle in over 50 ms.
    pub async fn serve(&self, authorization: &str) -> bool {
        let turn = self.served.fetch_add(1, Ordering::SeqCst) as u64;
        sleep(Duration::from_millis(turn % 50)).await;
        self.revoked.lock().expect("no panic").as_deref() != Some(authorization)
    }

    /// Answers each request on a connection as a token endpoint of Google and one of Azure would.
    async fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut read = Vec::new();
        loop {
            while let Some(rest) = after_one_request(&read) {
                read = rest;
                let (status, body) = match self.issue().await {
                    None => ("500 Internal Server Error", "{}".to_owned()),
                    Some(Token { text, ends }) => {
                        let left = ends.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64();
                        let at = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                        let body = serde_json::json!({
                            "access_token": text,
                            "token_type": "Bearer",
                            "expires_in": left.round() as u64,
                            "expires_on": at.to_string(),
                        });
                        ("200 OK", body.to_string())
                    }
                };
                let head = "content-type: application/json\r\nmetadata-flavor: Google";
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await?;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// What follows the first request, if that one is there as a whole.
fn after_one_request(read: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(read).ok()?.to_ascii_lowercase();
    let body = text.find("\r\n\r\n")? + 4;
    let length = text[..body].lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(Some(0), |length| length.trim().parse().ok())?;
    read.get(body + length..).map(<[u8]>::to_vec)
}

#[async_trait::async_trait]
impl TokenCredential for World {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let no_answer = || azure_core::Error::with_message(ErrorKind::Credential, "no answer");
        let token = self.issue().await.ok_or_else(no_answer)?;
        Ok(AccessToken::new(token.text, token.ends.into()))
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}
