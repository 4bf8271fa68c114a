//! Measures the memory that an upload and a download of 1 GiB need.
//!
//! ```text
//! cargo bench --bench stream
//! ```
//!
//! The server is a separate process. Prints the peak memory of this process (`VmHWM`) before and after each transfer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    pin::Pin,
    process::{Command, Stdio},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use azure_healthcare_auth::{Body, DicomAudience, HealthcareClient, credentials::StaticTokenCredential};
use bytes::Bytes;

const SIZE: usize = 1 << 30;
const CHUNK: usize = 1 << 16;

fn main() {
    if std::env::args().any(|argument| argument == "serve") {
        return serve();
    }
    let program = std::env::current_exe().unwrap();
    let mut server = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let audience: DicomAudience = url.trim().parse().unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let expires_on = SystemTime::now() + Duration::from_secs(3_600);
        let client = HealthcareClient::new(
            audience,
            Arc::new(StaticTokenCredential::with_expiry("fixed", expires_on).unwrap()),
        );
        // Warms up the connection pool before the first measurement.
        client.post("studies").body("x").send().await.unwrap();
        println!("{:<22} {:>8} {:>10}", "", "seconds", "peak MiB");
        print_row("before", Instant::now());

        let started = Instant::now();
        let chunk = Bytes::from(vec![7; CHUNK]);
        let upload =
            client.post("studies").body_stream(move || Body::stream(Chunks(chunk.clone(), SIZE / CHUNK)));
        let response = upload.send().await.unwrap();
        assert_eq!(response.text().unwrap(), SIZE.to_string());
        print_row("after a 1 GiB upload", started);

        let started = Instant::now();
        let mut response = client.get("studies").stream().await.unwrap();
        let mut length = 0;
        while let Some(chunk) = response.chunk().await.unwrap() {
            length += chunk.len();
        }
        assert_eq!(length, SIZE);
        print_row("after a 1 GiB download", started);
    });
    server.kill().unwrap();
    server.wait().unwrap();
}

fn print_row(label: &str, started: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: f64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    println!("{label:<22} {:>8.1} {:>10.1}", started.elapsed().as_secs_f64(), kilobytes / 1_024.0);
}

/// A stream that yields the same chunk a number of times.
struct Chunks(Bytes, usize);

impl futures_core::Stream for Chunks {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        Poll::Ready(Some(Ok(self.0.clone())))
    }
}

/// Responds to `POST` with the length of the body, and to `GET` with 1 GiB, until the process is killed.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(|| handle_connection(BufReader::with_capacity(CHUNK, stream.unwrap())));
    }
}

fn handle_connection(mut stream: BufReader<TcpStream>) {
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            head.push_str(&line.to_lowercase());
        }
        if head.starts_with("get") {
            write!(stream.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").unwrap();
            let chunk = vec![7; CHUNK];
            for _ in 0..SIZE / CHUNK {
                stream.get_mut().write_all(&chunk).unwrap();
            }
            continue;
        }
        let length = match head.contains("chunked") {
            true => read_chunks(&mut stream),
            false => {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                discard(&mut stream, length.trim().parse().unwrap())
            }
        };
        let length = length.to_string();
        write!(stream.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{length}", length.len())
            .unwrap();
    }
}

fn read_chunks(stream: &mut BufReader<TcpStream>) -> usize {
    let mut total = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        total += discard(stream, length);
        stream.read_line(&mut line).unwrap();
        if length == 0 {
            return total;
        }
    }
}

fn discard(stream: &mut BufReader<TcpStream>, length: usize) -> usize {
    std::io::copy(&mut stream.take(length as u64), &mut std::io::sink()).unwrap() as usize
}
