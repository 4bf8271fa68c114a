//! Measures the cost of a `GET` in the client process: CPU time, and user instructions if valgrind is installed.
//!
//! ```text
//! RUST_BACKTRACE=0 cargo bench --all-features --bench request
//! ```
//!
//! The server is a separate process. The measured clients take turns, and each figure is the median of a client's turns.
//! The ratio compares it with a baseline of the same run: plain `reqwest` with `bearer_auth` for the client of this
//! crate, and the same stack with a fixed header for an adapter.

mod clients;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use clients::{CLIENTS, send};

const ROUNDS: usize = 15;
const REQUESTS: usize = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ["send", client, url, requests] => println!("{}", send(client, url, requests.parse().unwrap())),
        _ => compare(),
    }
}

/// Measures all clients against one server and prints the table.
fn compare() {
    let mut server = spawn_self(&["serve"]);
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim();

    let mut times = vec![Vec::new(); CLIENTS.len()];
    for _ in 0..ROUNDS {
        for ((client, _), times) in CLIENTS.iter().zip(&mut times) {
            times.push(read_number(spawn_self(&["send", client, url, &REQUESTS.to_string()])));
        }
    }
    let times: Vec<f64> = times.into_iter().map(median).collect();
    let instructions: Vec<Option<f64>> =
        CLIENTS.iter().map(|(client, _)| instructions(client, url)).collect();
    server.kill().unwrap();
    server.wait().unwrap();

    println!("{:<18} {:>14} {:>7} {:>20} {:>7}", "client", "CPU µs", "ratio", "user instructions", "ratio");
    for (index, (client, baseline)) in CLIENTS.iter().enumerate() {
        let baseline = CLIENTS.iter().position(|(client, _)| client == baseline).unwrap();
        let (time, count) = (times[index], instructions[index]);
        let ratio =
            count.zip(instructions[baseline]).map(|(count, baseline)| format!("{:.3}", count / baseline));
        println!(
            "{client:<18} {:>14.1} {:>7.3} {:>20} {:>7}",
            time * 1e6 / REQUESTS as f64,
            time / times[baseline],
            count.map_or("no valgrind".into(), |count| format!("{count:.0}")),
            ratio.unwrap_or_default(),
        );
    }
}

fn spawn_self(arguments: &[&str]) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap()
}

fn read_number(child: Child) -> f64 {
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the user instructions per request: the difference between a long and a short run, so that startup cancels out.
fn instructions(client: &str, url: &str) -> Option<f64> {
    let count = |requests: usize| {
        let program = std::env::current_exe().unwrap();
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
        let output = valgrind.args(["send", client, url, &requests.to_string()]).output().ok()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = stderr.lines().find(|line| line.contains("Collected :"))?;
        line.split_whitespace().last()?.parse::<f64>().ok()
    };
    Some((count(600)? - count(200)?) / 400.0)
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

/// Returns the CPU time of this thread, which runs all the work.
fn cpu_seconds() -> f64 {
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    nanoseconds.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Responds to every request with `{}` until the process is killed.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(|| handle_connection(stream.unwrap()));
    }
}

fn handle_connection(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut buffer, mut filled) = ([0; 16_384], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            let response =
                b"HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: 2\r\n\r\n{}";
            if stream.write_all(response).is_err() {
                return;
            }
        }
    }
}
