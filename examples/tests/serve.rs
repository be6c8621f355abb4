//! The program `serve`, as it was built.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use hangup_examples::child::{PATIENCE, Program};

/// A client that does not wait for ever.
fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let client = TcpStream::connect(address).expect("a connection");
    client.set_read_timeout(Some(PATIENCE)).expect("an option");
    client.set_write_timeout(Some(PATIENCE)).expect("an option");
    BufReader::new(client)
}

fn send(client: &mut BufReader<TcpStream>, text: &str) {
    client.get_mut().write_all(text.as_bytes()).expect("a write");
}

/// An answer: its head, and its content.
fn answer(client: &mut BufReader<TcpStream>, has_content: bool) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = client.read_line(&mut head).expect("a line");
        assert!(count > 0, "the stream ended after {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect(&head);
    let length = if has_content { length.parse().expect(length) } else { 0 };
    let mut content = vec![0; length];
    client.read_exact(&mut content).expect("the content");
    (head, content)
}

#[track_caller]
fn says(client: &mut BufReader<TcpStream>, status: &str, connection: &str) {
    let (head, content) = answer(client, true);
    assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
    assert!(head.contains(&format!("\r\nConnection: {connection}\r\n")), "{head}");
    let (_, reason) = status.split_once(' ').expect(status);
    assert_eq!(String::from_utf8_lossy(&content), format!("{reason}\n"));
}

#[track_caller]
fn ends(client: &mut BufReader<TcpStream>) {
    let mut rest = Vec::new();
    let count = client.read_to_end(&mut rest).expect("an end in order");
    assert_eq!(count, 0, "{}", rest.escape_ascii());
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn echo_and_discard() {
    for (mode, expected) in [("echo", "some words"), ("discard", "")] {
        let (_serve, address) = Program::listen("serve", &["--listen", "127.0.0.1:0", "--mode", mode]);
        let mut client = connect(address);
        send(&mut client, "some words");
        client.get_ref().shutdown(Shutdown::Write).unwrap();
        let mut back = String::new();
        client.read_to_string(&mut back).unwrap();
        assert_eq!(back, expected, "{mode}");
    }
}

#[test]
fn http_keeps_the_connection_until_it_is_told_not_to() {
    let (_serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0", "--mode=http"]);
    let mut client = connect(address);
    for request in [
        GET,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ] {
        send(&mut client, request);
        says(&mut client, "200 OK", "keep-alive");
    }
    send(&mut client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, _) = answer(&mut client, false);
    assert!(head.contains("\r\nContent-Length: 3\r\n"), "{head}");
    send(&mut client, "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    says(&mut client, "405 Method Not Allowed", "keep-alive");

    send(&mut client, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let mut interim = [0; 25];
    client.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut client, "ok");
    says(&mut client, "200 OK", "keep-alive");

    // Pipelined, and the last one ends it.
    send(&mut client, &format!("{GET}{GET}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    says(&mut client, "200 OK", "keep-alive");
    says(&mut client, "200 OK", "keep-alive");
    says(&mut client, "200 OK", "close");
    ends(&mut client);
}

#[test]
fn what_is_not_understood_is_refused_in_order() {
    let (_serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0", "--mode=http"]);
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(9000));
    for (request, status) in [
        ("no request\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported"),
        (&long, "431 Request Header Fields Too Large"),
    ] {
        let mut client = connect(address);
        send(&mut client, request);
        says(&mut client, status, "close");
        ends(&mut client);
    }
}

/// The practical story behind this library: the answer is there before the request is, and is not lost.
#[test]
fn an_early_answer_arrives_whole_although_the_client_goes_on_sending() {
    let arguments = ["--listen=127.0.0.1:0", "--mode=http", "--answer=256KiB", "--reports=json"];
    let (serve, address) = Program::listen("serve", &arguments);
    let length = 8 << 20;
    let mut client = connect(address);
    send(&mut client, &format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    // Nothing is read until everything is sent.
    client.get_mut().write_all(&vec![b'x'; length]).unwrap();
    let (head, content) = answer(&mut client, true);
    assert!(head.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{head}");
    assert_eq!(content.len(), 256 << 10);
    ends(&mut client);
    drop(client);
    let report = report(&serve);
    assert_eq!((&report["cause"], &report["plan"]), (&"local-close".into(), &"linger".into()), "{report}");
    assert!(report["discarded"].as_u64().unwrap() > 7 << 20, "{report}");
}

#[test]
fn silence_has_an_end() {
    let arguments = ["--listen=127.0.0.1:0", "--mode=http", "--idle=100ms", "--reports=json"];
    let (serve, address) = Program::listen("serve", &arguments);
    let mut client = connect(address);
    send(&mut client, "GET / HTTP/1.1\r\nHost:");
    ends(&mut client);
    drop(client);
    assert_eq!(report(&serve)["cause"], "timed-out-idle");
}

/// A report, as `--reports json` prints it.
fn report(serve: &Program) -> serde_json::Value {
    let line = serve.line();
    serde_json::from_str(&line).expect(&line)
}

#[test]
fn reports_are_json() {
    let (serve, address) =
        Program::listen("serve", &["--listen=127.0.0.1:0", "--mode=http", "--reports=json"]);
    let mut client = connect(address);
    send(&mut client, GET);
    says(&mut client, "200 OK", "keep-alive");
    let peer = client.get_ref().local_addr().unwrap().to_string();
    drop(client);
    let first = report(&serve);
    let fields: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "key",
        "peer",
        "cause",
        "certainty",
        "raw_name",
        "raw_number",
        "plan",
        "drain_end",
        "duration_ms",
        "received",
        "sent",
        "discarded",
        "unsent",
        "retry",
        "log",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    for (field, value) in [
        ("peer", serde_json::json!(peer)),
        ("cause", "peer-finished".into()),
        ("certainty", "certain".into()),
        ("raw_name", serde_json::Value::Null),
        ("raw_number", serde_json::Value::Null),
        ("plan", "flush".into()),
        ("drain_end", "peer-finished".into()),
        ("received", GET.len().into()),
        ("discarded", 0.into()),
        ("unsent", 0.into()),
        ("retry", "maybe-sent".into()),
        ("log", "rsf2F".into()),
    ] {
        assert_eq!(first[field], value, "{field} of {first}");
    }
    assert!(first["duration_ms"].is_u64() && first["sent"].as_u64() > Some(80), "{first}");

    let mut client = connect(address);
    send(&mut client, "?\r\n\r\n");
    says(&mut client, "400 Bad Request", "close");
    drop(client);
    assert_eq!(report(&serve)["cause"], "protocol");

    // Served first: a connection that is reset before it was accepted never comes into being on some systems.
    let mut client = connect(address);
    send(&mut client, GET);
    says(&mut client, "200 OK", "keep-alive");
    socket2::SockRef::from(client.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let reset = report(&serve);
    // Under Wine a receive that comes before the event says 0, as after a FIN.
    let wine = cfg!(windows) && reset["cause"] == "peer-finished";
    assert!(reset["cause"] == "peer-reset" || wine, "{reset}");
    if cfg!(target_os = "linux") {
        assert_eq!(
            (&reset["raw_name"], &reset["raw_number"]),
            (&"ECONNRESET".into(), &104.into()),
            "{reset}"
        );
    }
}

#[test]
fn who_finds_no_place_is_told_so() {
    let arguments = ["--listen=127.0.0.1:0", "--mode=http", "--max-connections=2", "--reports=json"];
    let (serve, address) = Program::listen("serve", &arguments);
    let mut places = [connect(address), connect(address)];
    for place in &mut places {
        send(place, GET);
        says(place, "200 OK", "keep-alive");
    }
    let mut third = connect(address);
    says(&mut third, "503 Service Unavailable", "close");
    ends(&mut third);
    drop(third);
    assert_eq!(report(&serve)["cause"], "shed");
    // The others are served as before, and a place that is left is there for the next.
    let [mut first, second] = places;
    drop(second);
    assert_eq!(report(&serve)["cause"], "peer-finished");
    for client in [&mut first, &mut connect(address)] {
        send(client, GET);
        says(client, "200 OK", "keep-alive");
    }
}

#[test]
fn flags_that_are_wrong_and_flags_that_help() {
    for (arguments, message) in [
        (
            &["--mode", "gopher"][..],
            "serve: --mode \"gopher\": it is not one of echo, discard, http; see serve --help",
        ),
        (
            &["--idle", "soon"],
            "serve: --idle \"soon\": it does not begin with a whole number; see serve --help",
        ),
        (&["--nonsense"], "serve: invalid option '--nonsense'; see serve --help"),
    ] {
        let finished = Program::start("serve", arguments).wait();
        assert_eq!(
            (finished.code, finished.stderr.as_str(), finished.stdout.as_str()),
            (Some(2), message, "")
        );
    }
    let finished = Program::start("serve", &["--help"]).wait();
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert!(finished.stdout.contains("--drain-budget SIZE"), "{}", finished.stdout);
    let finished = Program::start("serve", &["--version"]).wait();
    assert_eq!((finished.code, finished.stdout), (Some(0), format!("serve {}", env!("CARGO_PKG_VERSION"))));

    let (_serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0"]);
    let finished = Program::start("serve", &[format!("--listen={address}")]).wait();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.starts_with(&format!("serve: {address}: ")), "{}", finished.stderr);
}

/// Flags for a server with several workers, on each adapter that there is.
#[cfg(unix)]
fn with_workers() -> Vec<&'static [&'static str]> {
    let mut all: Vec<&[&str]> = vec![&["--listen=127.0.0.1:0", "--workers=4"]];
    if cfg!(target_os = "linux") {
        all.push(&["--listen=127.0.0.1:0", "--workers=4", "--backend=uring"]);
        all.push(&["--listen=127.0.0.1:0", "--workers=4", "--backend=uring-multishot"]);
    }
    all
}

#[cfg(unix)]
mod signals {
    use hangup_examples::child::Signal;

    use super::*;

    #[test]
    fn the_first_signal_finishes_what_is_under_way() {
        for signal in [Signal::INT, Signal::TERM] {
            let (serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0", "--mode=http"]);
            let mut idle = connect(address);
            let mut busy = connect(address);
            send(&mut idle, GET);
            says(&mut idle, "200 OK", "keep-alive");
            let post = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
            send(&mut busy, post);
            let mut interim = [0; 25];
            busy.read_exact(&mut interim).unwrap();

            serve.signal(signal);
            ends(&mut idle);
            drop(idle);
            TcpStream::connect(address).expect_err("nobody else comes in");
            send(&mut busy, "ok");
            says(&mut busy, "200 OK", "close");
            ends(&mut busy);
            drop(busy);
            let finished = serve.wait();
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
            let lines: Vec<&str> = finished.stderr.lines().collect();
            assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["cause", "ended"]);
            assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["local-close", "2"]);
            assert!(lines[3].starts_with("acquired 2, released 2, held 0; "), "{}", finished.stderr);
        }
    }

    #[test]
    fn the_second_signal_ends_it_at_once() {
        let (serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0", "--drain-idle=1m"]);
        let mut client = connect(address);
        send(&mut client, "x");
        client.read_exact(&mut [0]).unwrap();
        serve.signal(Signal::INT);
        // It has said its last word, and waits for ours.
        ends(&mut client);
        serve.signal(Signal::INT);
        let finished = serve.wait();
        assert_eq!(finished.code, Some(130), "{}", finished.stderr);
        assert!(finished.stderr.contains("acquired 1, released 1, held 0"), "{}", finished.stderr);
        assert!(client.get_ref().take_error().unwrap().is_some(), "a reset");
    }

    /// Each worker hears of it at once, also while others have something under way.
    #[test]
    fn all_workers_are_told() {
        for flags in super::with_workers() {
            let (serve, address) = Program::listen("serve", &[&["--mode=http"], flags].concat());
            let mut clients: Vec<_> = (0..16).map(|_| connect(address)).collect();
            for client in &mut clients {
                send(client, GET);
                says(client, "200 OK", "keep-alive");
            }
            let (idle, busy) = clients.split_at_mut(8);
            for client in &mut *busy {
                let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
                send(client, head);
                client.read_exact(&mut [0; 25]).unwrap();
            }
            serve.signal(Signal::TERM);
            idle.iter_mut().for_each(ends);
            for client in busy {
                send(client, "ok");
                says(client, "200 OK", "close");
                ends(client);
            }
            drop(clients);
            let finished = serve.wait();
            assert_eq!(finished.code, Some(0), "{flags:?}: {}", finished.stderr);
            let is_there = |line: &[&str]| {
                finished.stderr.lines().any(|other| other.split_whitespace().eq(line.iter().copied()))
            };
            assert!(is_there(&["local-close", "16"]), "{flags:?}: {}", finished.stderr);
            assert!(finished.stderr.contains("acquired 16, released 16, held 0"), "{}", finished.stderr);
        }
    }

    #[test]
    fn all_workers_end_at_once() {
        for flags in super::with_workers() {
            let (serve, address) = Program::listen("serve", &[&["--drain-idle=1m"], flags].concat());
            let mut clients: Vec<_> = (0..16).map(|_| connect(address)).collect();
            for client in &mut clients {
                send(client, "x");
                client.read_exact(&mut [0]).unwrap();
            }
            serve.signal(Signal::INT);
            clients.iter_mut().for_each(ends);
            serve.signal(Signal::INT);
            let finished = serve.wait();
            assert_eq!(finished.code, Some(130), "{flags:?}: {}", finished.stderr);
            assert!(finished.stderr.contains("acquired 16, released 16, held 0"), "{}", finished.stderr);
            for client in clients {
                assert!(client.get_ref().take_error().unwrap().is_some(), "a reset");
            }
        }
    }
}

/// The real thing.
#[cfg(target_os = "linux")]
mod curl {
    use std::process::{Command, Output};

    use super::*;

    fn curl(arguments: &[&str]) -> Output {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20"]).args(arguments);
        curl.output().expect("curl is missing; as root: apt-get install curl")
    }

    #[track_caller]
    fn stdout(output: &Output) -> String {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    #[ignore = "needs curl; the gate installs it and runs this"]
    fn two_requests_go_over_one_connection() {
        let (_serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0", "--mode=http"]);
        let url = format!("http://{address}/");
        let format = "%{http_code} connects: %{num_connects}\n";
        let output = curl(&["--write-out", format, &url, &url]);
        assert_eq!(stdout(&output), "OK\n200 connects: 1\nOK\n200 connects: 0\n");
        let output = curl(&["--http1.0", "--write-out", format, &url]);
        assert_eq!(stdout(&output), "OK\n200 connects: 1\n");
    }

    #[test]
    #[ignore = "needs curl; the gate installs it and runs this"]
    fn a_body_is_taken_and_asked_for() {
        let (_serve, address) = Program::listen("serve", &["--listen=127.0.0.1:0", "--mode=http"]);
        let url = format!("http://{address}/");
        assert_eq!(stdout(&curl(&["--data-binary", "some words", &url])), "OK\n");
        let chunked = ["--header", "Transfer-Encoding: chunked", "--data-binary", "some words", &url];
        assert_eq!(stdout(&curl(&chunked)), "OK\n");
        let output = curl(&["--verbose", "--header", "Expect: 100-continue", "--data-binary", "some", &url]);
        assert_eq!(stdout(&output), "OK\n");
        assert!(String::from_utf8_lossy(&output.stderr).contains("< HTTP/1.1 100 Continue"), "{output:?}");
    }

    #[test]
    #[ignore = "needs curl; the gate installs it and runs this"]
    fn the_early_answer_to_a_large_body_is_seen_whole() {
        let arguments = ["--listen=127.0.0.1:0", "--mode=http", "--answer=64KiB"];
        let (_serve, address) = Program::listen("serve", &arguments);
        let url = format!("http://{address}/");
        let body = std::env::temp_dir().join(format!("hangup-serve-{}.body", std::process::id()));
        std::fs::write(&body, vec![b'x'; 16 << 20]).unwrap();
        let data = format!("@{}", body.display());
        let format = "%{http_code} %{size_download}";
        // With `Expect`, and made to send although nobody asked.
        for header in ["X: y", "Expect:"] {
            let request = ["--header", header, "--data-binary", &data, "--output", "/dev/null"];
            let output = curl(&[&request[..], &["--write-out", format, &url]].concat());
            assert_eq!(stdout(&output), "413 65536", "{header}");
        }
        std::fs::remove_file(&body).unwrap();
    }
}
