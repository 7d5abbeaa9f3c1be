//! Runs the real binary over real files and sockets. Every process that is started here ends with its
//! guard, and listens on a loopback port that the system chose.
#![allow(dead_code, unreachable_pub)] // each test target uses a part of it
#![allow(clippy::expect_used, clippy::panic)] // a test that cannot go on fails

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use shortlist_simulator::{MarketConfig, Marketplace};
use shortlist_types::{LogRecord, Timestamp};
use tempfile::TempDir;

/// The binary under test.
pub fn shortlist(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortlist"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(args: &[&str]) -> Output {
    shortlist(args).output().expect("the binary starts")
}

/// Runs a command that must succeed; its stdout.
pub fn ok(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?} failed: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must succeed and print one JSON object.
pub fn ok_json(args: &[&str]) -> Value {
    let printed = ok(args);
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{args:?} printed no JSON ({error}): {printed}"))
}

/// Runs a command that must fail with `code`; its stderr.
pub fn fails(code: i32, args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder that goes with its test.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("UTF-8").to_owned()
}

/// Whether any file below a folder holds a text.
pub fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).expect("a file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// The records of a small simulated marketplace.
pub fn market(users: usize, items: usize, events: usize) -> Vec<LogRecord> {
    let end = Timestamp::parse("2026-06-01T00:00:00Z").expect("a time");
    let config = MarketConfig { users, items, events, ..MarketConfig::new(11, end) };
    Marketplace::generate(&config).expect("a marketplace").records
}

/// Writes records as JSON lines, each with its kind, as `import jsonl` reads them.
pub fn write_jsonl(file: &Path, records: &[LogRecord]) {
    let line = |record: &LogRecord| {
        let (kind, mut value, timestamp) = match record {
            LogRecord::Event(event) => ("event", serde_json::to_value(event), None),
            LogRecord::ItemPut { timestamp, item } => ("item", serde_json::to_value(item), Some(timestamp)),
            LogRecord::UserPut { timestamp, user } => ("user", serde_json::to_value(user), Some(timestamp)),
            LogRecord::ItemPatch { .. }
            | LogRecord::ItemDelete { .. }
            | LogRecord::UserDelete { .. }
            | LogRecord::Erased { .. } => {
                return String::new();
            }
        };
        let value = value.as_mut().expect("a record serialises");
        value["kind"] = kind.into();
        if let Some(timestamp) = timestamp {
            value["timestamp"] = timestamp.to_string().into();
        }
        format!("{value}\n")
    };
    std::fs::write(file, records.iter().map(line).collect::<String>()).expect("a file");
}

/// A store with a simulated log, imported by the binary.
pub fn imported_store(folder: &TempDir) -> String {
    let file = folder.path().join("market.jsonl");
    write_jsonl(&file, &market(150, 300, 30_000));
    let store = path(folder, "store");
    ok(&["import", "jsonl", file.to_str().expect("UTF-8"), "--store", &store]);
    store
}

/// A running server; killed when it is dropped.
pub struct Server {
    child: Child,
    pub url: String,
    pub address: String,
}

impl Server {
    /// Serves `store` and waits until it is ready.
    pub fn start(store: &str) -> Self {
        Self::start_with(&["serve", "--store", store, "--listen", "127.0.0.1:0"])
    }

    pub fn start_with(args: &[&str]) -> Self {
        let mut command = shortlist(args);
        command.env("SHORTLIST_LOG", "info").env("SHORTLIST_LOG_FORMAT", "json");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (found, address) = mpsc::channel();
        // Reads to the end, so that the server never waits for its log to be read.
        std::thread::spawn(move || {
            let mut said = Vec::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address = serde_json::from_str::<Value>(&line)
                    .ok()
                    .and_then(|log| Some(log["fields"]["address"].as_str()?.to_owned()));
                if let Some(address) = address {
                    let _ = found.send(Ok(address));
                }
                said.push(line);
            }
            let _ = found.send(Err(said.join("\n")));
        });
        // The guard comes first: a server that never says its address must end all the same.
        let mut server = Self { child, url: String::new(), address: String::new() };
        server.address = match address.recv_timeout(Duration::from_secs(60)) {
            Ok(Ok(address)) => address,
            Ok(Err(said)) => panic!("the server ended before it served: {said}"),
            Err(error) => panic!("the server did not say its address: {error}"),
        };
        server.url = format!("http://{}", server.address);
        server.wait_until("it is ready", |server| server.get("/readyz").0 == 200);
        server
    }

    /// GET: status and body.
    pub fn get(&self, path: &str) -> (u16, Value) {
        get_json(&format!("{}{path}", self.url))
    }

    /// POST of JSON: status and body.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        post_json(&format!("{}{path}", self.url), body)
    }

    /// PUT of JSON: status and body.
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(agent().put(format!("{}{path}", self.url)).send_json(body))
    }

    /// DELETE: status and body.
    pub fn delete(&self, path: &str) -> (u16, Value) {
        answer(agent().delete(format!("{}{path}", self.url)).call())
    }

    /// The ids of a user's list.
    pub fn list(&self, user: &str, k: usize) -> Vec<String> {
        let (status, body) = self.get(&format!("/v1/users/{user}/recommendations?k={k}"));
        assert_eq!(status, 200, "{body}");
        ids(&body)
    }

    pub fn wait_until(&self, what: &str, is_true: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_true(self) {
            assert!(started.elapsed() < Duration::from_secs(30), "waited too long until {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing is flushed by the process itself.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The item ids of an answer, in order.
pub fn ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no items in {answer}"));
    items.iter().map(|item| item["item_id"].as_str().expect("an id").to_owned()).collect()
}

/// GET: status and body.
pub fn get_json(url: &str) -> (u16, Value) {
    answer(agent().get(url).call())
}

/// POST of JSON: status and body.
pub fn post_json(url: &str, body: &Value) -> (u16, Value) {
    answer(agent().post(url).send_json(body))
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    config.http_status_as_error(false).timeout_global(Some(Duration::from_secs(20))).build().into()
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    match response {
        Ok(mut response) => {
            let status = response.status().as_u16();
            let body = response.body_mut().read_to_string().unwrap_or_default();
            (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
        }
        // The server is not there (yet).
        Err(error) => (0, Value::String(error.to_string())),
    }
}

/// Where the real data lies: asked for and absent is a failure, not a skip.
pub fn real_data(name: &str) -> PathBuf {
    let folder = std::env::var("SHORTLIST_DATA").expect("SHORTLIST_DATA names the folder of the real data");
    let folder = PathBuf::from(folder).join(name);
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    folder
}
