//! Runs the client for minutes under faults that usually take hours to occur: tokens that expire after 20 s, a credential
//! that fails one time in five, and a service that sometimes rejects, throttles, fails or closes the connection.
//!
//! ```text
//! cargo bench --bench soak            20 minutes
//! cargo bench --bench soak -- 60      one minute
//! ```
//!
//! The service is a separate process and injects at most two faults per request. Therefore, every request must succeed,
//! with two exceptions:
//!
//! * The service rejected the token, and a forced refresh was not allowed yet or failed.
//! * The credential failed until the last token had expired.
//!
//! Fails if any other request failed, if the credential was called unnecessarily, if memory grows, or if a task is still
//! running at the end.

use std::{
    collections::HashMap,
    fmt,
    io::{BufRead, BufReader},
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind as CredentialErrorKind,
    time::OffsetDateTime,
};
use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient, credentials::ForceRefresh};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    time::sleep,
};

const TASKS: u64 = 32;
const PAUSE: Duration = Duration::from_millis(15);
const LIFETIME: Duration = Duration::from_secs(20);
/// The time from a token's arrival to its refresh window, which opens at half the lifetime of a token that is valid for
/// less than 10 minutes. Expiry times are whole seconds, so the window can open half a second earlier.
const UNTIL_REFRESH_WINDOW: Duration = Duration::from_millis(9_500);
/// The minimum time between two forced refreshes.
const FORCED_REFRESH_INTERVAL: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.find(|argument| argument != "--bench");
    if first.as_deref() == Some("serve") {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(serve());
        return ExitCode::SUCCESS;
    }
    let seconds = first.map_or(1_200, |text| text.parse().expect("the argument is a number of seconds"));

    let program = std::env::current_exe().unwrap();
    let mut server = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let passed = soak(url.trim().parse().unwrap(), Duration::from_secs(seconds));
    server.kill().unwrap();
    server.wait().unwrap();
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn soak(audience: FhirAudience, time: Duration) -> bool {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (outcomes, credential) = (Arc::new(Outcomes::default()), Arc::new(FlakyCredential::default()));
    let started = Instant::now();
    let memory = runtime.block_on(async {
        let client = HealthcareClient::new(audience, credential.clone());
        let workers: Vec<_> = (0..TASKS)
            .map(|worker| {
                let (client, outcomes, credential) = (client.clone(), outcomes.clone(), credential.clone());
                tokio::spawn(async move {
                    let mut number = 0;
                    while started.elapsed() < time {
                        let id = format!("{worker}-{number}");
                        let sent = Instant::now();
                        let result = client.get("Patient").header("x-request-id", &id).send().await;
                        outcomes.count(result.map(|response| response.status().as_u16()), sent, &credential);
                        number += 1;
                        sleep(PAUSE).await;
                    }
                })
            })
            .collect();
        let mut memory = Vec::new();
        for part in 1..=10 {
            sleep((started + time / 10 * part).saturating_duration_since(Instant::now())).await;
            memory.push(resident_memory());
            eprintln!("{:>5} s  {:>6.1} MiB", started.elapsed().as_secs(), memory[memory.len() - 1]);
        }
        for worker in workers {
            worker.await.unwrap();
        }
        memory
    });
    // Connections close asynchronously after the client is dropped.
    let deadline = Instant::now() + Duration::from_secs(10);
    while runtime.metrics().num_alive_tasks() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let tasks = runtime.metrics().num_alive_tasks();
    let (calls, unnecessary) = credential.calls();
    let [failed, forced] = [|call: &Call| !call.succeeded, |call: &Call| call.forced]
        .map(|is: fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count());
    let [succeeded, denied, no_token, lost] =
        [&outcomes.succeeded, &outcomes.denied, &outcomes.no_token, &outcomes.lost]
            .map(|count| count.load(Ordering::Relaxed));
    // Starts after the first tenth, which fills the connection pool and the allocator.
    let (first, last) = (memory[0], memory[memory.len() - 1]);

    println!("seconds                                        {}", time.as_secs());
    println!("requests                                       {}", succeeded + denied + no_token + lost);
    println!("  succeeded                                    {succeeded}");
    println!("  denied, no other token available             {denied}");
    println!("  failed, the credential returned no token     {no_token}");
    println!("  failed for any other reason                  {lost}");
    println!("calls of the credential                        {}", calls.len());
    println!("  failed                                       {failed}");
    println!("  forced by a 401                              {forced}");
    println!("  unnecessary                                  {unnecessary}");
    println!("resident memory after a tenth and at the end   {first:.1} MiB, {last:.1} MiB");
    println!("tasks still running                            {tasks}");
    lost == 0 && unnecessary == 0 && last < first * 1.1 + 1.0 && tasks == 0
}

/// The number of requests per outcome.
#[derive(Default)]
struct Outcomes {
    succeeded: AtomicU64,
    denied: AtomicU64,
    no_token: AtomicU64,
    lost: AtomicU64,
}

impl Outcomes {
    fn count(&self, status: azure_healthcare_auth::Result<u16>, sent: Instant, credential: &FlakyCredential) {
        let counter = match &status {
            Ok(200) => &self.succeeded,
            Err(error) if error.kind() == ErrorKind::Denied && credential.no_forced_refresh_since(sent) => {
                &self.denied
            }
            Err(error) if error.kind() == ErrorKind::Credential && credential.last_token_expired() => {
                &self.no_token
            }
            _ => {
                eprintln!("unexpected outcome: {status:?}");
                &self.lost
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
struct Call {
    started: Instant,
    finished: Instant,
    forced: bool,
    succeeded: bool,
}

/// A credential that returns a token valid for 20 s after 50 ms, and fails one time in five.
#[derive(Default)]
struct FlakyCredential {
    calls: Mutex<Vec<Call>>,
}

impl FlakyCredential {
    /// Returns `true` if a request sent at `sent` could not get another token: the last forced refresh was too recent, or
    /// the forced refresh failed.
    fn no_forced_refresh_since(&self, sent: Instant) -> bool {
        let calls = self.calls.lock().unwrap();
        let mut forced = calls.iter().rev().filter(|call| call.forced);
        forced.any(|call| {
            call.finished + FORCED_REFRESH_INTERVAL > sent && (call.finished < sent || !call.succeeded)
        })
    }

    /// Returns `true` if the last token is no longer used, which is the case in the last quarter of its lifetime.
    fn last_token_expired(&self) -> bool {
        let calls = self.calls.lock().unwrap();
        let last = calls.iter().rev().find(|call| call.succeeded);
        last.is_none_or(|last| last.finished.elapsed() > LIFETIME - LIFETIME / 4)
    }

    /// Returns all calls, and the number of unnecessary ones: not forced, and made before the refresh window opened.
    fn calls(&self) -> (Vec<Call>, usize) {
        let calls = self.calls.lock().unwrap().clone();
        let mut fresh_until = None;
        let mut unnecessary = 0;
        for call in &calls {
            unnecessary += usize::from(!call.forced && fresh_until.is_some_and(|until| call.started < until));
            if call.succeeded {
                fresh_until = Some(call.finished + UNTIL_REFRESH_WINDOW);
            }
        }
        (calls, unnecessary)
    }
}

#[async_trait::async_trait]
impl TokenCredential for FlakyCredential {
    async fn get_token(
        &self,
        _: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let forced = ForceRefresh::is_in(options.as_ref());
        let started = Instant::now();
        sleep(Duration::from_millis(50)).await;
        let mut calls = self.calls.lock().unwrap();
        let succeeded = calls.is_empty() || !random(calls.len() as u64).is_multiple_of(5);
        calls.push(Call { started, finished: Instant::now(), forced, succeeded });
        match succeeded {
            true => {
                Ok(AccessToken::new(format!("token-{}", calls.len()), OffsetDateTime::now_utc() + LIFETIME))
            }
            false => Err(azure_core::Error::with_message(CredentialErrorKind::Credential, "no response")),
        }
    }
}

impl fmt::Debug for FlakyCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlakyCredential")
    }
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let faults = Arc::new(Mutex::new(HashMap::new()));
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(handle_connection(stream, faults.clone()));
    }
}

/// Responds to the requests of a connection until it sends a truncated response.
async fn handle_connection(mut stream: TcpStream, faults: Arc<Mutex<HashMap<u64, u64>>>) {
    static SENDS: AtomicU64 = AtomicU64::new(0);
    let mut head = Vec::new();
    loop {
        let mut chunk = [0; 2_048];
        match stream.read(&mut chunk).await {
            Ok(length @ 1..) => head.extend_from_slice(&chunk[..length]),
            _ => return,
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let id = request_id(&head);
        head.clear();
        let chance = random(SENDS.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let count = {
            let mut faults = faults.lock().unwrap();
            let count = faults.entry(id).or_insert(0);
            // A rejected request counts twice, so that its replay gets no other fault.
            *count += if chance == 0 { 2 } else { 1 };
            let current = *count;
            if current > 2 || chance >= 600 {
                faults.remove(&id);
            }
            current
        };
        let response: &[u8] = match chance {
            0 if count == 2 => b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"\r\ncontent-length: 0\r\n\r\n",
            1..200 if count <= 2 => b"HTTP/1.1 429 Too Many Requests\r\nx-ms-retry-after-ms: 20\r\ncontent-length: 0\r\n\r\n",
            200..400 if count <= 2 => b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            400..600 if count <= 2 => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        };
        let truncated = (400..600).contains(&chance) && count <= 2;
        if stream.write_all(response).await.is_err() || truncated {
            return;
        }
    }
}

/// Returns a hash of the request's `x-request-id`.
fn request_id(head: &[u8]) -> u64 {
    let head = String::from_utf8_lossy(head);
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap_or_default();
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Returns a pseudorandom number that is the same in each run (SplitMix64).
fn random(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Returns the resident memory of this process in MiB.
fn resident_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1_024.0
}
