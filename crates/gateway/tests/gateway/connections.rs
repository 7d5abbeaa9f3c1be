//! How long a connection is kept for a client who says nothing, or says it slowly.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use shortlist_gateway::GatewayConfig;

use crate::test_server::{TestServer, quick_config};

/// What a head may take.
const HEAD: Duration = Duration::from_secs(5);
/// What a connection of these tests may be idle.
const IDLE: Duration = Duration::from_secs(9);
/// The machine may be busy.
const SLACK: Duration = Duration::from_secs(3);
const QUESTION: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";

fn server() -> TestServer {
    let idle_timeout_ms = u64::try_from(IDLE.as_millis()).unwrap();
    TestServer::start_with(GatewayConfig { idle_timeout_ms, ..quick_config() }, Box::new(|| ()))
}

fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(IDLE + SLACK)).unwrap();
    stream
}

/// Asks, and hears the beginning of the answer.
fn ask(stream: &mut TcpStream, question: &[u8]) -> String {
    stream.write_all(question).unwrap();
    let mut answer = vec![0; 4_096];
    let read = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// How long it is kept open from now on.
fn kept_for(mut stream: &TcpStream) -> Duration {
    let started = Instant::now();
    loop {
        match stream.read(&mut [0; 1_024]) {
            Ok(1..) => {}
            Ok(0) => return started.elapsed(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return started.elapsed(),
            Err(error) => panic!("still open after {:?}: {error}", started.elapsed()),
        }
    }
}

/// Sends a byte a second until nobody takes them or there are no more.
fn trickle(mut stream: &TcpStream, bytes: impl Iterator<Item = u8>) {
    for byte in bytes {
        sleep(Duration::from_secs(1));
        if stream.write_all(&[byte]).is_err() {
            return;
        }
    }
}

fn within(took: Duration, expected: Duration) {
    // A timer begins a moment before the clock of the test.
    let range = expected - Duration::from_millis(500)..expected + SLACK;
    assert!(range.contains(&took), "{took:?} instead of {expected:?}");
}

#[test]
fn a_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let server = server();
    let mut stream = connect(&server.url);
    assert!(ask(&mut stream, QUESTION).starts_with("HTTP/1.1 200"));
    sleep(HEAD + Duration::from_secs(1));
    assert!(ask(&mut stream, QUESTION).starts_with("HTTP/1.1 200"), "it was idle for too short to be closed");
    within(kept_for(&stream), IDLE);
}

#[test]
fn a_head_must_come_in_time_on_a_new_connection_and_on_one_that_was_idle() {
    let server = server();
    let mut used = connect(&server.url);
    assert!(ask(&mut used, QUESTION).starts_with("HTTP/1.1 200"));
    sleep(Duration::from_secs(1));
    // Of the preface of HTTP/2, and of two heads.
    let mut silent = [(connect(&server.url), &b"PRI * HT"[..]), (connect(&server.url), b"GET /heal"), (used, b"G")];
    let trickling = connect(&server.url);
    scope(|scope| {
        for (stream, start) in &mut silent {
            scope.spawn(move || {
                stream.write_all(start).unwrap();
                within(kept_for(stream), HEAD);
            });
        }
        scope.spawn(|| trickle(&trickling, std::iter::repeat_n(b'x', 30)));
        // The first byte comes after a second.
        within(kept_for(&trickling), HEAD + Duration::from_secs(1));
    });
}

#[test]
fn two_questions_in_one_packet_are_both_answered_and_the_next_one_may_come_late() {
    let server = server();
    let mut stream = connect(&server.url);
    stream.write_all(&[QUESTION, QUESTION, &QUESTION[..9]].concat()).unwrap();
    let mut heard = String::new();
    while heard.matches("HTTP/1.1 200").count() < 2 {
        heard += &ask(&mut stream, b"");
    }
    assert!(ask(&mut stream, &QUESTION[9..]).starts_with("HTTP/1.1 200"));
    sleep(HEAD + Duration::from_secs(1));
    assert!(ask(&mut stream, QUESTION).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_body_has_its_own_time_and_so_does_http_2() {
    let server = server();
    let body = json!({"user_id": "u1", "k": 1}).to_string();
    let (start, slow) = body.split_at(body.len() - 7);
    let head = format!(
        "POST /v1/recommend HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    scope(|scope| {
        scope.spawn(|| {
            let mut stream = connect(&server.url);
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(start.as_bytes()).unwrap();
            trickle(&stream, slow.bytes());
            let answer = ask(&mut stream, b"");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        });
        scope.spawn(|| {
            let mut stream = connect(&server.url);
            stream.write_all(b"PRI * HTTP/2.0").unwrap();
            sleep(Duration::from_millis(200));
            stream.write_all(b"\r\n\r\nSM\r\n\r\n").unwrap();
            // No settings.
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
            sleep(HEAD + Duration::from_secs(1));
            let ping = [[0, 0, 8, 6, 0, 0, 0, 0, 0].as_slice(), b"shortly!"].concat();
            stream.write_all(&ping).unwrap();
            let mut heard = Vec::<u8>::new();
            while !heard.windows(8).any(|bytes| bytes == b"shortly!") {
                let mut some = [0; 1_024];
                let read = stream.read(&mut some).unwrap();
                assert!(read > 0, "it was closed: {heard:?}");
                heard.extend(&some[..read]);
            }
        });
    });
}

#[test]
fn while_half_of_the_places_are_taken_a_connection_may_be_idle_for_less_long() {
    let server = server();
    let question = b"GET /admin/v1/bundles HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut idle: Vec<_> = (0..33)
        .map(|_| {
            let mut stream = connect(&server.admin_url);
            // Without a key it is turned away, and its connection is kept.
            assert!(ask(&mut stream, question).starts_with("HTTP/1.1 401"));
            stream
        })
        .collect();
    // They began to be idle when there were fewer.
    let early = idle.remove(0);
    within(kept_for(&idle[31]), HEAD);
    within(kept_for(&early), IDLE - HEAD);
}
