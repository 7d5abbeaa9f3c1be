//! P5: bodies that are too large, too slow to end, in crumbs, compressed, or of a length that they contradict. The answer is
//! a refusal or the end of the connection, memory stays, and the next request is answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::Form;
use crate::harness::{Server, folder, imported_store};

const MIB: usize = 1 << 20;
const LIMIT: usize = 2 * MIB;

pub fn check(form: Form) -> String {
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    let before = server.memory_mib();
    // Whoever sends for long says that he waits.
    let start =
        "POST /v1/recommend HTTP/1.1\r\nhost: x\r\nx-request-timeout: 10000\r\ncontent-type: application/json\r\n";
    let head = |length: &str| format!("{start}{length}\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    let spaces = |length: usize| [b"{".to_vec(), vec![b' '; length - 2], b"}".to_vec()].concat();

    let whole = |length: usize| {
        let head = head(&format!("content-length: {length}\r\n"));
        speak(&server, &[head.as_bytes(), &spaces(length)])
    };
    assert_eq!((whole(LIMIT), whole(LIMIT + 1)), (200, 413), "at the limit, and one byte beyond");

    // Whoever sends on for ever is cut.
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let endless = form.pick(64 * MIB, 1 << 30) / chunk.len();
    let parts: Vec<&[u8]> = std::iter::repeat_n(chunk.as_slice(), endless).collect();
    let status = speak(&server, &[&[head(chunked).as_bytes()], parts.as_slice()].concat());
    assert!(matches!(status, 413 | 0), "an endless body: {status}");

    // In crumbs of six bytes: within the limit it is read, beyond it refused.
    let crumbs = |count: usize| {
        let all =
            [b"6\r\n{     \r\n".to_vec(), b"6\r\n      \r\n".repeat(count), b"1\r\n}\r\n0\r\n\r\n".to_vec()].concat();
        speak(&server, &[head(chunked).as_bytes(), &all])
    };
    assert_eq!((crumbs(340_000), crumbs(form.pick(360_000, 500_000))), (200, 413), "crumbs");

    // A gzip that would grow a thousandfold is not opened.
    let gzip = format!("content-encoding: gzip\r\ncontent-length: {}\r\n", 20);
    assert_eq!(speak(&server, &[head(&gzip).as_bytes(), &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &[0; 10]]), 415);

    for (length, body, expected) in [
        ("", "{}", 400),
        ("content-length: 2\r\ncontent-length: 3\r\n", "{}", 400),
        ("content-length: -1\r\n", "{}", 400),
        ("content-length: 99999999999999999999\r\n", "{}", 400),
        ("transfer-encoding: gzip\r\n", "{}", 400),
        ("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n", 408),
        ("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n{}", 408),
    ] {
        let status = speak(&server, &[head(length).as_bytes(), body.as_bytes()]);
        assert!(status == expected || status == 400 || status == 0, "{length:?}: {status}");
        assert_ne!(status, 200, "{length:?}");
    }
    let large =
        speak(&server, &[format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(MIB)).as_bytes()]);
    assert!(matches!(large, 0 | 400 | 431), "a head of a mebibyte: {large}");

    let messages = grpc_messages(&server);
    assert_eq!(server.post("/v1/recommend", &json!({"user_id": "user-1"})).0, 200);
    let after = server.memory_mib();
    assert!(after < before + 128, "{before} MiB, then {after} MiB");
    format!(
        "{} MiB without end, {} crumbs, gzip, lengths that contradict, heads of 1 MiB: refused or cut; {messages} gRPC messages likewise; memory {before} MiB, then {after} MiB",
        endless * chunk.len() / MIB,
        form.pick(360_000, 500_000)
    )
}

/// Sends parts as far as the server takes them; the status of the answer, 0 if it ended the connection without one.
fn speak(server: &Server, parts: &[&[u8]]) -> u16 {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    for part in parts {
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let mut start = [0; 12];
    match stream.read_exact(&mut start) {
        Ok(()) => std::str::from_utf8(&start[9..]).ok().and_then(|status| status.parse().ok()).unwrap_or_default(),
        Err(_) => 0,
    }
}

/// Messages that are too large, compressed, cut short, or no messages; how many.
fn grpc_messages(server: &Server) -> usize {
    let framed = |compressed: u8, length: u32, bytes: &[u8]| [&[compressed], &length.to_be_bytes()[..], bytes].concat();
    let large = vec![0x0a; LIMIT + 1];
    let length = u32::try_from(large.len()).unwrap();
    let cases = [
        (framed(0, length, &large), Some(8), Some("body_too_large")),
        (framed(0, u32::MAX, b"x"), Some(8), Some("body_too_large")),
        (framed(0, 4, &[0x0a, 2, 0xff, 0xfe]), Some(3), Some("invalid_message")),
        (framed(0, 3, &[0xff; 3]), Some(3), Some("invalid_message")),
        (framed(1, 20, &[0; 20]), None, None),
        (framed(7, 0, b""), None, None),
        (b"\0\0".to_vec(), None, None),
        (Vec::new(), None, None),
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let count = cases.len();
    for (i, (bytes, expected, code)) in cases.into_iter().enumerate() {
        let (status, heard) = runtime.block_on(call(&server.address, bytes.into()));
        assert_ne!(status, Some(0), "message {i} was taken");
        if let Some(expected) = expected {
            assert_eq!((status, heard.as_deref()), (Some(expected), code), "message {i}");
        }
        assert_ne!(status, Some(13), "message {i} counts as a failure inside");
    }
    count
}

/// The status and the public code of a call with this body; no status if the stream ended without one.
async fn call(address: &str, body: Bytes) -> (Option<i32>, Option<String>) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::post(format!("http://{address}/shortlist.v1.ShortlistService/Recommend"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (answer, mut sender) = client.ready().await.unwrap().send_request(request, false).unwrap();
    // The server may answer before it has taken all of it.
    let _ = sender.send_data(body, true);
    let heard = async {
        let answer = answer.await.ok()?;
        let text = |headers: &hyper::HeaderMap, name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let code = text(answer.headers(), "shortlist-code");
        let early = text(answer.headers(), "grpc-status");
        let mut body = answer.into_body();
        while let Some(Ok(_)) = body.data().await {}
        let late = body.trailers().await.ok().flatten().and_then(|trailers| text(&trailers, "grpc-status"));
        Some((early.or(late).and_then(|status| status.parse().ok()), code))
    };
    let heard = tokio::time::timeout(Duration::from_secs(20), heard).await;
    connection.abort();
    heard.ok().flatten().unwrap_or_default()
}
