//! Runs the real binary over real files and sockets. Every process that is started here ends with its
//! guard, and listens on a loopback port that the system chose.
#![allow(dead_code, unreachable_pub)] // each test target uses a part of it
#![allow(clippy::expect_used, clippy::panic)] // a test that cannot go on fails

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
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
    /// Its log so far, line by line.
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves `store` and waits until it is ready.
    pub fn start(store: &str) -> Self {
        Self::start_with(&["serve", "--store", store, "--listen", "127.0.0.1:0"])
    }

    pub fn start_with(args: &[&str]) -> Self {
        Self::start_with_env(args, &[])
    }

    pub fn start_with_env(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = shortlist(args);
        command.env("SHORTLIST_LOG", "info").env("SHORTLIST_LOG_FORMAT", "json").envs(variables.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (found, address) = mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&log);
        // Reads to the end, so that the server never waits for its log to be read.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address = serde_json::from_str::<Value>(&line)
                    .ok()
                    .and_then(|log| Some(log["fields"]["address"].as_str()?.to_owned()));
                if let Some(address) = address {
                    let _ = found.send(Ok(address));
                }
                said.lock().expect("the log").push(line);
            }
            let _ = found.send(Err(said.lock().expect("the log").join("\n")));
        });
        // The guard comes first: a server that never says its address must end all the same.
        let mut server = Self { child, url: String::new(), address: String::new(), log };
        server.address = match address.recv_timeout(Duration::from_secs(60)) {
            Ok(Ok(address)) => address,
            Ok(Err(said)) => panic!("the server ended before it served: {said}"),
            Err(error) => panic!("the server did not say its address: {error}"),
        };
        server.url = format!("http://{}", server.address);
        // An address that is all of them is reached by loopback, too.
        server.url = server.url.replace("//0.0.0.0:", "//127.0.0.1:");
        server.wait_until("it is ready", |server| server.get("/readyz").0 == 200);
        server
    }

    /// Whether its log holds a text.
    pub fn said(&self, text: &str) -> bool {
        self.log.lock().expect("the log").iter().any(|line| line.contains(text))
    }

    /// Its log so far.
    pub fn lines(&self) -> Vec<String> {
        self.log.lock().expect("the log").clone()
    }

    /// Where it listens for administrators.
    pub fn admin_address(&self) -> String {
        let log = self.log.lock().expect("the log");
        let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut addresses = lines.filter_map(|line| Some(line["fields"]["admin_address"].as_str()?.to_owned()));
        addresses.next().expect("it listens for administrators")
    }

    /// The addresses that its process listens on, by the system's own tables.
    pub fn listening(&self) -> BTreeSet<String> {
        let sockets: BTreeSet<String> =
            self.files().filter_map(|file| file.strip_prefix("socket:[").map(str::to_owned)).collect();
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.id())).expect("a table of sockets");
        let listens = table.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_its = sockets.contains(&format!("{}]", fields.get(9)?));
            let (address, port) = fields[1].split_once(':')?;
            let [d, c, b, a] = u32::from_str_radix(address, 16).ok()?.to_be_bytes();
            let port = u16::from_str_radix(port, 16).ok()?;
            (is_its && fields[3] == "0A").then(|| format!("{a}.{b}.{c}.{d}:{port}"))
        });
        listens.collect()
    }

    /// Files and sockets that its process holds open.
    pub fn open_files(&self) -> usize {
        self.files().count()
    }

    fn files(&self) -> impl Iterator<Item = String> {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("its files");
        folder.filter_map(|file| Some(std::fs::read_link(file.ok()?.path()).ok()?.display().to_string()))
    }

    /// Memory that its process holds, in MiB.
    pub fn memory_mib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") / 1024
    }

    /// A request with a key: status and body.
    pub fn send_with_key(&self, verb: &str, path: &str, body: Option<&Value>, key: &str) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        answer(agent().run(request(verb, &format!("{}{path}", self.url), Some(key)).body(body).expect("a request")))
    }

    /// GET: status and body.
    pub fn get(&self, path: &str) -> (u16, Value) {
        get_json(&format!("{}{path}", self.url))
    }

    /// GET of a page of text.
    pub fn page(&self, path: &str) -> String {
        let mut response = agent().get(format!("{}{path}", self.url)).call().expect("an answer");
        response.body_mut().read_to_string().expect("a text")
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

/// Any bytes as JSON: status and body.
pub fn send_bytes(verb: &str, url: &str, body: &[u8]) -> (u16, Value) {
    answer(agent().run(request(verb, url, None).body(body).expect("a request")))
}

/// A request without a body: status and body.
pub fn send_with_key(verb: &str, url: &str, key: Option<&str>) -> (u16, Value) {
    answer(agent().run(request(verb, url, key).body(()).expect("a request")))
}

/// GET of a page of text, with a key.
pub fn page_with_key(url: &str, key: &str) -> String {
    let asked = agent().run(request("GET", url, Some(key)).body(()).expect("a request"));
    asked.expect("an answer").body_mut().read_to_string().expect("a text")
}

/// Bytes on a connection, and what comes back until it ends.
pub fn send_raw(address: &str, bytes: &[u8]) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    stream.write_all(bytes).expect("it takes bytes");
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    text(&heard)
}

fn request(verb: &str, url: &str, key: Option<&str>) -> ureq::http::request::Builder {
    let request = ureq::http::Request::builder().method(verb).uri(url).header("content-type", "application/json");
    match key {
        Some(key) => request.header("authorization", format!("Bearer {key}")),
        None => request,
    }
}

/// Any verb, with or without a body: status and body.
pub fn send_json(verb: &str, url: &str, body: Option<&Value>) -> (u16, Value) {
    let request = ureq::http::Request::builder().method(verb).uri(url);
    match body {
        Some(body) => {
            let request = request.header("content-type", "application/json").body(body.to_string());
            answer(agent().run(request.expect("a request")))
        }
        None => answer(agent().run(request.body(()).expect("a request"))),
    }
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
