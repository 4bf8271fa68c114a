//! What hours of service do to the crate, in minutes: tokens that live 20 s, a credential that fails one time in five,
//! and a service that now and then refuses, throttles, is busy or hangs up.
//!
//! ```text
//! cargo bench --bench soak            20 minutes
//! cargo bench --bench soak -- 60      one
//! ```
//!
//! The service is another process. It troubles one request at most twice, so a request that gets no answer of 200 was
//! lost by the crate; unless the service refused its token and the contract allowed no call for another, or that call
//! failed, or the credential had failed until the last token's end. Fails if one was lost so, if the credential was called when it need not have been, if memory grows, or if a
//! task is left.

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
const LIFE: Duration = Duration::from_secs(20);
/// The window of a token that had less than 10 min left on arrival opens at half of what remained. Ends are kept in whole
/// seconds, which can bring it half a second forward.
const WINDOW: Duration = Duration::from_millis(9_500);
/// A forced call is not made within this time of the last.
const FORCED_REST: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.find(|argument| argument != "--bench");
    if first.as_deref() == Some("serve") {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(serve());
        return ExitCode::SUCCESS;
    }
    let seconds = first.map_or(1_200, |text| text.parse().expect("how many seconds"));

    let program = std::env::current_exe().unwrap();
    let mut server = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let well = soak(url.trim().parse().unwrap(), Duration::from_secs(seconds));
    server.kill().unwrap();
    server.wait().unwrap();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn soak(audience: FhirAudience, time: Duration) -> bool {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (tally, provider) = (Arc::new(Tally::default()), Arc::new(Provider::default()));
    let started = Instant::now();
    let memory = runtime.block_on(async {
        let client = HealthcareClient::new(audience, provider.clone());
        let workers: Vec<_> = (0..TASKS)
            .map(|worker| {
                let (client, tally, provider) = (client.clone(), tally.clone(), provider.clone());
                tokio::spawn(async move {
                    let mut number = 0;
                    while started.elapsed() < time {
                        let id = format!("{worker}-{number}");
                        let sent = Instant::now();
                        let answer = client.get("Patient").header("x-request-id", &id).send().await;
                        tally.count(answer.map(|answer| answer.status().as_u16()), sent, &provider);
                        number += 1;
                        sleep(PAUSE).await;
                    }
                })
            })
            .collect();
        let mut memory = Vec::new();
        for part in 1..=10 {
            sleep((started + time / 10 * part).saturating_duration_since(Instant::now())).await;
            memory.push(resident());
            eprintln!("{:>5} s  {:>6.1} MiB", started.elapsed().as_secs(), memory[memory.len() - 1]);
        }
        for worker in workers {
            worker.await.unwrap();
        }
        memory
    });
    // The connections end in their own time when the client is gone.
    let patience = Instant::now() + Duration::from_secs(10);
    while runtime.metrics().num_alive_tasks() > 0 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    let tasks = runtime.metrics().num_alive_tasks();
    let (calls, early) = provider.judged();
    let [failed, forced] = [|call: &Call| !call.good, |call: &Call| call.forced]
        .map(|is: fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count());
    let [answered, refused, without, lost] = [&tally.answered, &tally.refused, &tally.without, &tally.lost]
        .map(|count| count.load(Ordering::Relaxed));
    // The first tenth fills the pool and the allocator.
    let (first, last) = (memory[0], memory[memory.len() - 1]);

    println!("seconds                                        {}", time.as_secs());
    println!("requests                                       {}", answered + refused + without + lost);
    println!("  answered                                     {answered}");
    println!("  refused, with no other token to be had       {refused}");
    println!("  without a token, as the credential gave none {without}");
    println!("  lost by the crate                            {lost}");
    println!("calls of the credential                        {}", calls.len());
    println!("  that failed                                  {failed}");
    println!("  forced by a refusal                          {forced}");
    println!("  that need not have been                      {early}");
    println!("resident memory, after a tenth and at the end  {first:.1} MiB, {last:.1} MiB");
    println!("tasks left behind                              {tasks}");
    lost == 0 && early == 0 && last < first * 1.1 + 1.0 && tasks == 0
}

/// How the requests ended.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    without: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    fn count(&self, answer: azure_healthcare_auth::Result<u16>, sent: Instant, provider: &Provider) {
        let counter = match &answer {
            Ok(200) => &self.answered,
            Err(error) if error.kind() == ErrorKind::Denied && provider.had_no_other(sent) => &self.refused,
            Err(error) if error.kind() == ErrorKind::Credential && provider.had_none() => &self.without,
            _ => {
                eprintln!("lost: {answer:?}");
                &self.lost
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
struct Call {
    began: Instant,
    ended: Instant,
    forced: bool,
    good: bool,
}

/// Takes 50 ms for a token of 20 s, and gives none one time in five.
#[derive(Default)]
struct Provider {
    calls: Mutex<Vec<Call>>,
}

impl Provider {
    /// Whether, for a request that was sent then, the contract allowed no forced call, or that call failed.
    fn had_no_other(&self, sent: Instant) -> bool {
        let calls = self.calls.lock().unwrap();
        let mut forced = calls.iter().rev().filter(|call| call.forced);
        forced.any(|call| call.ended + FORCED_REST > sent && (call.ended < sent || !call.good))
    }

    /// Whether the last token has ended, or is about to, and every call since its window opened has failed.
    fn had_none(&self) -> bool {
        let calls = self.calls.lock().unwrap();
        let good = calls.iter().rev().find(|call| call.good);
        good.is_none_or(|good| good.ended.elapsed() > LIFE - LIFE / 4)
    }

    /// All calls, and how many of them began while the held token was fresh and nobody forced them.
    fn judged(&self) -> (Vec<Call>, usize) {
        let calls = self.calls.lock().unwrap().clone();
        let mut fresh_until = None;
        let mut early = 0;
        for call in &calls {
            early += usize::from(!call.forced && fresh_until.is_some_and(|until| call.began < until));
            if call.good {
                fresh_until = Some(call.ended + WINDOW);
            }
        }
        (calls, early)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Provider {
    async fn get_token(
        &self,
        _: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let forced = ForceRefresh::is_in(options.as_ref());
        let began = Instant::now();
        sleep(Duration::from_millis(50)).await;
        let mut calls = self.calls.lock().unwrap();
        let good = calls.is_empty() || !draw(calls.len() as u64).is_multiple_of(5);
        calls.push(Call { began, ended: Instant::now(), forced, good });
        match good {
            true => Ok(AccessToken::new(format!("token-{}", calls.len()), OffsetDateTime::now_utc() + LIFE)),
            false => Err(azure_core::Error::with_message(CredentialErrorKind::Credential, "no answer")),
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let troubles = Arc::new(Mutex::new(HashMap::new()));
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, troubles.clone()));
    }
}

/// Answers the requests of a connection until one of them is cut.
async fn answer(mut stream: TcpStream, troubles: Arc<Mutex<HashMap<u64, u64>>>) {
    static SENDS: AtomicU64 = AtomicU64::new(0);
    let mut head = Vec::new();
    loop {
        let mut piece = [0; 2_048];
        match stream.read(&mut piece).await {
            Ok(length @ 1..) => head.extend_from_slice(&piece[..length]),
            _ => return,
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let id = request_id(&head);
        head.clear();
        let chance = draw(SENDS.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let troubled = {
            let mut troubles = troubles.lock().unwrap();
            let troubled = troubles.entry(id).or_insert(0);
            // What is refused is sent again at once, and troubled no more.
            *troubled += if chance == 0 { 2 } else { 1 };
            let before = *troubled;
            if before > 2 || chance >= 600 {
                troubles.remove(&id);
            }
            before
        };
        let answer: &[u8] = match chance {
            0 if troubled == 2 => b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"\r\ncontent-length: 0\r\n\r\n",
            1..200 if troubled <= 2 => b"HTTP/1.1 429 Too Many Requests\r\nx-ms-retry-after-ms: 20\r\ncontent-length: 0\r\n\r\n",
            200..400 if troubled <= 2 => b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            400..600 if troubled <= 2 => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        };
        let cut = (400..600).contains(&chance) && troubled <= 2;
        if stream.write_all(answer).await.is_err() || cut {
            return;
        }
    }
}

/// A number for what a request says its id is.
fn request_id(head: &[u8]) -> u64 {
    let head = String::from_utf8_lossy(head);
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap_or_default();
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The same numbers in each run (splitmix64).
fn draw(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1_024.0
}
