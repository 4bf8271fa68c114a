//! What a `GET` costs, from this process's point of view: CPU time, and user instructions where valgrind is.
//!
//! ```text
//! RUST_BACKTRACE=0 cargo bench --all-features --bench request
//! ```
//!
//! The server is another process. The subjects take turns, and each figure is the median of its turns, as a ratio to
//! that of another in the same run: the client's to plain `reqwest` with `bearer_auth`, an adapter's to the same stack
//! with a header that is fixed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{
        ClientOptions, Context, Method, Pipeline, Request, Transport,
        headers::{AUTHORIZATION, HeaderValue},
        policies::{Policy, PolicyResult},
    },
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Authenticator, FhirAudience, HealthcareClient,
    adapters::{BearerLayer, BearerMiddleware, BearerPolicy},
    default_http,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use tower::{Layer, Service, ServiceExt};
use tower_http::set_header::SetRequestHeaderLayer;

const TOKEN_LENGTH: usize = 1_500;
const ROUNDS: usize = 15;
const REQUESTS: usize = 2_000;
/// Each with what it is compared to.
const SUBJECTS: [(&str, &str); 9] = [
    ("reqwest", "reqwest"),
    ("client", "reqwest"),
    ("azure_core", "reqwest"),
    ("middleware, fixed", "middleware, fixed"),
    ("middleware", "middleware, fixed"),
    ("tower, fixed", "tower, fixed"),
    ("tower", "tower, fixed"),
    ("policy, fixed", "policy, fixed"),
    ("policy", "policy, fixed"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ["send", subject, url, requests] => println!("{}", send(subject, url, requests.parse().unwrap())),
        _ => compare(),
    }
}

/// Measures all subjects against one server and prints the table.
fn compare() {
    let mut server = child(&["serve"]);
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim();

    let mut times = vec![Vec::new(); SUBJECTS.len()];
    for _ in 0..ROUNDS {
        for ((subject, _), times) in SUBJECTS.iter().zip(&mut times) {
            times.push(output(child(&["send", subject, url, &REQUESTS.to_string()])));
        }
    }
    let times: Vec<f64> = times.into_iter().map(median).collect();
    let instructions: Vec<Option<f64>> =
        SUBJECTS.iter().map(|(subject, _)| instructions(subject, url)).collect();
    server.kill().unwrap();
    server.wait().unwrap();

    println!("{:<18} {:>14} {:>7} {:>20} {:>7}", "a GET by", "CPU µs", "ratio", "user instructions", "ratio");
    for (index, (subject, base)) in SUBJECTS.iter().enumerate() {
        let base = SUBJECTS.iter().position(|(subject, _)| subject == base).unwrap();
        let (time, count) = (times[index], instructions[index]);
        let ratio = count.zip(instructions[base]).map(|(count, base)| format!("{:.3}", count / base));
        println!(
            "{subject:<18} {:>14.1} {:>7.3} {:>20} {:>7}",
            time * 1e6 / REQUESTS as f64,
            time / times[base],
            count.map_or("no valgrind".into(), |count| format!("{count:.0}")),
            ratio.unwrap_or_default(),
        );
    }
}

fn child(arguments: &[&str]) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap()
}

fn output(child: Child) -> f64 {
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// User instructions of one request: the difference between a long and a short run, which start-up drops out of.
fn instructions(subject: &str, url: &str) -> Option<f64> {
    let count = |requests: usize| {
        let program = std::env::current_exe().unwrap();
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
        let ran = valgrind.args(["send", subject, url, &requests.to_string()]).output().ok()?;
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = told.lines().find(|line| line.contains("Collected :"))?;
        line.split_whitespace().last()?.parse::<f64>().ok()
    };
    Some((count(600)? - count(200)?) / 400.0)
}

/// Sends requests one after another and gives the CPU time that they took, in seconds.
fn send(subject: &str, url: &str, requests: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = "t".repeat(TOKEN_LENGTH);
    runtime.block_on(async {
        match subject {
            "reqwest" => {
                // With the same time-outs and the same name, so that the same goes over the wire.
                let client = default_http().no_proxy().build().unwrap();
                let path = format!("{url}/Patient");
                let get = async || {
                    let request =
                        client.get(&path).header("accept", "application/fhir+json").bearer_auth(&token);
                    request.send().await.unwrap().bytes().await.unwrap().len()
                };
                measure(get, requests).await
            }
            "client" => {
                let audience: FhirAudience = url.parse().unwrap();
                let client = HealthcareClient::new(audience, Arc::new(Fixed(token)));
                let get = async || client.get("Patient").send().await.unwrap().bytes().len();
                measure(get, requests).await
            }
            "azure_core" => {
                // Its own policy for tokens takes `https` alone, so this is the pipeline with a header that is ready.
                let pipeline = pipeline(vec![]);
                let path = url::Url::parse(&format!("{url}/Patient")).unwrap();
                let get = async || {
                    let mut request = Request::new(path.clone(), Method::Get);
                    request.insert_header("accept", "application/fhir+json");
                    request.insert_header("authorization", format!("Bearer {token}"));
                    let response = pipeline.send(&Context::new(), &mut request, None).await.unwrap();
                    response.into_body().len()
                };
                measure(get, requests).await
            }
            "middleware, fixed" | "middleware" => {
                let http = ClientBuilder::new(default_http().no_proxy().build().unwrap());
                let client = match subject {
                    "middleware" => http.with(BearerMiddleware::new(authenticator(url, token))),
                    _ => http.with(FixedHeader(bearer(&token))),
                };
                let client = client.build();
                let path = format!("{url}/Patient");
                let get = async || {
                    let request = client.get(&path).header("accept", "application/fhir+json");
                    request.send().await.unwrap().bytes().await.unwrap().len()
                };
                measure(get, requests).await
            }
            "tower, fixed" => {
                let name = http::header::AUTHORIZATION;
                let layer = SetRequestHeaderLayer::overriding(name, bearer(&token));
                measure(get_by(layer.layer(hyper_client()), url), requests).await
            }
            "tower" => {
                let layer = BearerLayer::new(authenticator(url, token));
                measure(get_by(layer.layer(hyper_client()), url), requests).await
            }
            "policy, fixed" | "policy" => {
                let policy: Arc<dyn Policy> = match subject {
                    "policy" => Arc::new(BearerPolicy::new(authenticator(url, token))),
                    _ => Arc::new(FixedPolicy(HeaderValue::from(format!("Bearer {token}")))),
                };
                let pipeline = pipeline(vec![policy]);
                let path = url::Url::parse(&format!("{url}/Patient")).unwrap();
                let get = async || {
                    let mut request = Request::new(path.clone(), Method::Get);
                    request.insert_header("accept", "application/fhir+json");
                    let response = pipeline.send(&Context::new(), &mut request, None).await.unwrap();
                    response.into_body().len()
                };
                measure(get, requests).await
            }
            other => panic!("no subject is called {other}"),
        }
    })
}

/// With a transport as `azure_core` makes it, but for the environment's proxy.
fn pipeline(per_try_policies: Vec<Arc<dyn Policy>>) -> Pipeline {
    let http = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    let transport = Some(Transport::new(Arc::new(http.build().unwrap())));
    let options = ClientOptions { per_try_policies, transport, ..ClientOptions::default() };
    Pipeline::new(None, None, options, vec![], vec![], None)
}

fn authenticator(url: &str, token: String) -> Arc<Authenticator<FhirAudience>> {
    Arc::new(Authenticator::new(url.parse().unwrap(), Arc::new(Fixed(token))))
}

fn bearer(token: &str) -> http::HeaderValue {
    let mut value = http::HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    value.set_sensitive(true);
    value
}

struct FixedHeader(http::HeaderValue);

#[async_trait::async_trait]
impl Middleware for FixedHeader {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        request.headers_mut().insert(http::header::AUTHORIZATION, self.0.clone());
        next.run(request, extensions).await
    }
}

#[derive(Debug)]
struct FixedPolicy(HeaderValue);

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for FixedPolicy {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header(AUTHORIZATION, self.0.clone());
        next[0].send(context, request, &next[1..]).await
    }
}

type Hyper = Client<HttpConnector, Empty<Bytes>>;

/// As `reqwest` builds it, so that the pool is one that works.
fn hyper_client() -> Hyper {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http()
}

fn get_by<S>(service: S, url: &str) -> impl AsyncFn() -> usize
where
    S: Service<http::Request<Empty<Bytes>>, Response = http::Response<hyper::body::Incoming>> + Clone,
    S::Error: std::fmt::Debug,
{
    let uri: http::Uri = format!("{url}/Patient").parse().unwrap();
    async move || {
        let request = http::Request::get(uri.clone()).header("accept", "application/fhir+json");
        let request = request.body(Empty::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes().len()
    }
}

async fn measure(get: impl AsyncFn() -> usize, requests: usize) -> f64 {
    for _ in 0..100 {
        assert_eq!(get().await, 2);
    }
    let before = cpu_seconds();
    for _ in 0..requests {
        get().await;
    }
    cpu_seconds() - before
}

/// The time that this thread, the only one that works, has spent on a processor.
fn cpu_seconds() -> f64 {
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    nanoseconds.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[derive(Debug)]
struct Fixed(String);

#[async_trait::async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
    }
}

/// Answers every request with `{}` until it is killed.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(|| answer(stream.unwrap()));
    }
}

fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut buffer, mut filled) = ([0; 16_384], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: 2\r\n\r\n{}";
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    }
}
