//! What a `GET` costs, from this process's point of view: CPU time, and user instructions where valgrind is.
//!
//! ```text
//! RUST_BACKTRACE=0 cargo bench --all-features --bench request
//! ```
//!
//! The server is another process. The subjects take turns, and each figure is the median of its turns, as a ratio to
//! that of another in the same run: the client's to plain `reqwest` with `bearer_auth`, an adapter's to the same stack
//! with a header that is fixed.

#[path = "request/subjects.rs"]
mod subjects;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use subjects::{SUBJECTS, send};

const ROUNDS: usize = 15;
const REQUESTS: usize = 2_000;

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
