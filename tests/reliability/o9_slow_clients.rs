//! O9: clients who hold connections and say almost nothing, or begin and take back. Each is cut in its time, those who ask
//! are answered as always, and afterwards nothing is held.

use std::time::{Duration, Instant};

use shortlist_load::RestConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Form;
use crate::harness::{Server, folder, imported_store};

/// A head must come in this time, a body in the other.
const HEAD: Duration = Duration::from_secs(5);
const BODY: Duration = Duration::from_secs(10);
/// The machine may be busy.
const SLACK: Duration = Duration::from_secs(4);

pub fn check(form: Form) -> String {
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    let runtime = Runtime::new().unwrap();
    let asks = form.pick(100, 1_000);
    let calm = runtime.block_on(p99(&server, asks));
    let files = server.open_files();
    // All of them together have places: one more would wait for one.
    let clients = form.pick(200, 2_000);
    let (heads, bodies, streams, busy) = runtime.block_on(async {
        let slow = async {
            tokio::join!(
                all_cut(&server, clients, b"GET /healthz HTTP/1.1\r\nx-slow: ", HEAD),
                all_cut(&server, clients, b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n", BODY),
                silent_streams(&server, form.pick(100, 250)),
            )
        };
        // Somebody asks all the while.
        let ((heads, bodies, streams), busy) = tokio::join!(slow, p99(&server, 900));
        (heads, bodies, streams, busy)
    });
    assert!(busy < (5.0 * calm).max(0.1), "p99 {:.1} ms among slow clients, {:.1} ms without", busy * 1e3, calm * 1e3);
    let resets = runtime.block_on(rapid_reset(&server, form.pick(5_000, 100_000)));
    let frames = runtime.block_on(continuation_flood(&server, form.pick(5_000, 100_000)));
    server.wait_until("nothing is held", |server| server.open_files() <= files + 8);
    let after = runtime.block_on(p99(&server, asks));
    assert!(after < (5.0 * calm).max(0.1), "p99 {:.1} ms afterwards", after * 1e3);
    format!(
        "{clients} heads at a byte a second cut after {:.1} s at the latest, {clients} bodies after {:.1} s, {streams} silent calls on one connection after {:.1} s; cut after {resets} resets and after {frames} CONTINUATION frames; p99 of others {:.1} ms, among them {:.1} ms; all files closed",
        heads.as_secs_f64(),
        bodies.as_secs_f64(),
        BODY.as_secs_f64(),
        calm * 1e3,
        busy * 1e3,
    )
}

/// Seconds within which 99 of 100 questions on one connection are answered, one every ten milliseconds.
async fn p99(server: &Server, asks: usize) -> f64 {
    let mut connection = RestConnection::open_at(server.address.parse().unwrap()).await.unwrap();
    let mut took = Vec::with_capacity(asks);
    for i in 0..asks {
        let started = Instant::now();
        let path = format!("/v1/users/user-{}/recommendations", i % 100);
        assert_eq!(connection.get(&path).await.unwrap().status(), 200);
        took.push(started.elapsed().as_secs_f64());
        sleep(Duration::from_millis(10)).await;
    }
    took.sort_by(f64::total_cmp);
    took[asks * 99 / 100]
}

/// Clients who send `start` and then a byte a second; how long the most patient was held. Each must be cut in `limit`.
async fn all_cut(server: &Server, clients: usize, start: &'static [u8], limit: Duration) -> Duration {
    let mut held = JoinSet::new();
    for _ in 0..clients {
        let address = server.address.clone();
        held.spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let started = Instant::now();
            stream.write_all(start).await.unwrap();
            let (mut from, mut to) = stream.split();
            let drip = async {
                while to.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
                // The other half says when it was cut.
                std::future::pending::<()>().await;
            };
            let end = async { while matches!(from.read(&mut [0; 1024]).await, Ok(1..)) {} };
            let ended = timeout(limit + SLACK, async {
                tokio::select! { () = drip => {}, () = end => {} }
            })
            .await;
            assert!(ended.is_ok(), "held for more than {:?}", limit + SLACK);
            started.elapsed()
        });
    }
    held.join_all().await.into_iter().max().unwrap_or_default()
}

/// Calls that begin and never send their message; all must be answered in the time of a body.
async fn silent_streams(server: &Server, count: usize) -> usize {
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let mut begun = Vec::new();
    for _ in 0..count {
        client = client.ready().await.unwrap();
        begun.push(client.send_request(call(&server.address), false).unwrap());
    }
    let answers = begun.into_iter().map(|(answer, sender)| async {
        let answer = timeout(BODY + SLACK, answer).await.expect("a silent call is held for ever");
        drop(sender);
        answer.ok().and_then(|answer| Some(answer.headers().get("shortlist-code")?.to_str().ok()?.to_owned()))
    });
    let mut codes = Vec::new();
    for answer in answers {
        codes.push(answer.await);
    }
    assert!(codes.iter().all(|code| code.as_deref() == Some("body_timeout")), "{codes:?}");
    connection.abort();
    count
}

/// Begins calls and takes them back, until the server ends the connection; after how many.
async fn rapid_reset(server: &Server, most: usize) -> usize {
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let mut connection = tokio::spawn(connection);
    let mut sent = 0;
    while sent < most {
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        match client.send_request(call(&server.address), false) {
            Ok((_, mut sender)) => sender.send_reset(h2::Reason::CANCEL),
            Err(_) => break,
        }
        sent += 1;
    }
    // The server's last word may still be on its way.
    let ended = sent == most || timeout(SLACK, &mut connection).await.is_ok();
    connection.abort();
    assert!(ended, "the connection goes on after {sent}");
    sent
}

/// A head that never ends, frame by frame, until the server ends the connection; after how many.
async fn continuation_flood(server: &Server, most: usize) -> usize {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    // A literal header without indexing, as large as a frame may be.
    let field = [&[0, 1, b'x', 0x7f, 0x81, 0x7e][..], &[b'a'; 16_256]].concat();
    let mut sent = 0;
    let mut next = frame(1, 0, 1, &field);
    while sent < most {
        match timeout(Duration::from_secs(10), stream.write_all(&next)).await {
            Ok(Ok(())) => sent += 1,
            _ => break,
        }
        next = frame(9, 0, 1, &field);
    }
    assert!(sent < most, "{sent} frames of a head were taken");
    sent
}

fn call(address: &str) -> hyper::Request<()> {
    hyper::Request::post(format!("http://{address}/shortlist.v1.ShortlistService/Recommend"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}
