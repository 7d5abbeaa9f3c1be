use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;
use shortlist_gateway::{Access, ApiKey, GatewayConfig, KeyEntry, KeyFile, Priority, Role, TlsConfig};
use shortlist_proto::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::overload::says_when;
use crate::test_server::{Reply, TestServer, quick_config};

/// A file of keys that goes with its test.
struct KeyRing {
    folder: tempfile::TempDir,
}

impl KeyRing {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("keys.toml")
    }

    /// A new key in the file, as it goes into the header.
    fn add(&self, role: Role, rate: Option<u32>) -> String {
        self.add_at_most(role, rate, Priority::High)
    }

    fn add_at_most(&self, role: Role, rate: Option<u32>, priority: Priority) -> String {
        let key = ApiKey::draw().unwrap();
        KeyFile::add(&self.file(), KeyEntry::new(role.name(), role, rate, &key).at_most(priority)).unwrap();
        format!("Bearer {}", key.reveal())
    }

    fn config(&self) -> GatewayConfig {
        GatewayConfig { keys_file: Some(self.file()), ..quick_config() }
    }

    fn serve(&self) -> TestServer {
        TestServer::start_behind(Access::open(&self.config()).unwrap())
    }
}

fn ask(server: &TestServer, method: &str, path: &str, key: Option<&str>, body: &str) -> Reply {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(key.map(|key| ("authorization", key)));
    server.send(method, path, &headers, body.as_bytes())
}

#[test]
fn each_role_may_do_what_it_may_over_both_protocols() {
    let ring = KeyRing::new();
    let [read, write, admin] = Role::ALL.map(|role| ring.add(role, None));
    let server = ring.serve();
    let unknown = format!("Bearer {}", ApiKey::draw().unwrap().reveal());
    let malformed = ["", "Bearer", "Bearer x", "Basic x", &read[..read.len() - 1], &read[7..]];
    for key in malformed.into_iter().chain([unknown.as_str()]).map(Some).chain([None]) {
        let reply = ask(&server, "POST", "/v1/recommend", key, "{}");
        assert_eq!(reply.problem(401).0, "unauthenticated", "{key:?}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    for (method, path, body) in [("POST", "/v1/recommend", "{}"), ("GET", "/v1/items", ""), ("GET", "/metrics", "")] {
        assert_eq!(ask(&server, method, path, None, body).status, 401, "{path}");
        for key in [&read, &write, &admin] {
            assert_eq!(ask(&server, method, path, Some(key), body).status, 200, "{path}");
        }
    }
    for (method, path) in [("PUT", "/v1/items/a"), ("PATCH", "/v1/items/a"), ("DELETE", "/v1/users/u")] {
        assert_eq!(ask(&server, method, path, Some(&read), "{}").problem(403).0, "permission_denied", "{path}");
        assert_eq!(ask(&server, method, path, Some(&write), "{}").status, 200, "{path}");
    }
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(ask(&server, "GET", path, None, "").status, 200, "{path}");
    }
    // What there is not is told to those who have a key.
    assert_eq!(ask(&server, "GET", "/v1/nothing", None, "").status, 401);
    assert_eq!(ask(&server, "GET", "/v1/nothing", Some(&read), "").status, 404);
    // The administrator's routes are not here.
    assert_eq!(ask(&server, "GET", "/admin/v1/bundles", Some(&admin), "").status, 404);

    let put = |key: Option<&str>| {
        let item = v1::Item { item_id: "b".to_owned(), ..v1::Item::default() };
        let mut request = Request::new(v1::PutItemRequest { item: Some(item) });
        if let Some(key) = key {
            request.metadata_mut().insert("authorization", key.parse().unwrap());
        }
        server.runtime.block_on(server.grpc().put_item(request)).map(drop)
    };
    let status = put(None).unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.get_details_error_info().unwrap().reason, "unauthenticated");
    assert_eq!(put(Some(&read)).unwrap_err().code(), Code::PermissionDenied);
    put(Some(&write)).unwrap();
}

#[test]
fn a_key_beyond_its_rate_waits_and_others_do_not() {
    let ring = KeyRing::new();
    let (slow, fast) = (ring.add(Role::Read, Some(3)), ring.add(Role::Read, None));
    let server = ring.serve();
    let asked = |key: &str| ask(&server, "GET", "/v1/items", Some(key), "");
    let refused = (0..50).map(|_| asked(&slow)).find(|reply| reply.status != 200).unwrap();
    assert_eq!(refused.problem(429).0, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(asked(&fast).status, 200);
    let mut grpc = server.grpc();
    let mut over_grpc = || {
        let mut request = Request::new(v1::ListItemsRequest::default());
        request.metadata_mut().insert("authorization", slow.parse().unwrap());
        server.runtime.block_on(grpc.list_items(request)).map(drop)
    };
    let status = (0..50).find_map(|_| over_grpc().err()).unwrap();
    assert_eq!(status.metadata().get("shortlist-code").unwrap(), "rate_limited");
    assert!(says_when(&status), "{status:?}");
}

#[test]
fn a_key_of_low_priority_has_low_priority_whatever_its_requests_say() {
    let ring = KeyRing::new();
    let high = ring.add(Role::Write, None);
    let low = ring.add_at_most(Role::Write, None, Priority::Low);
    let (entered, has_entered) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let before_apply = move || {
        let _ = entered.send(());
        let _ = gate.recv();
    };
    let config = GatewayConfig { concurrency_max: 2, ..ring.config() };
    let server = TestServer::start_gated_behind(config, Access::open(&ring.config()).unwrap(), Box::new(before_apply));
    let ask = |key: &str, priority: &str| {
        let headers =
            [("content-type", "application/json"), ("authorization", key), ("x-shortlist-priority", priority)];
        let rest = server.send("POST", "/v1/recommend", &headers, b"{}").status;
        let mut request = Request::new(v1::RecommendRequest::default());
        request.metadata_mut().insert("authorization", key.parse().unwrap());
        request.metadata_mut().insert("x-shortlist-priority", priority.parse().unwrap());
        let grpc = server.runtime.block_on(server.grpc().recommend(request)).err().map(|status| status.code());
        (rest, grpc)
    };
    let (served, refused) = ((200, None), (429, Some(Code::ResourceExhausted)));
    std::thread::scope(|scope| {
        let event = r#"{"user_id": "u", "item_id": "a", "event_type": "click"}"#;
        // The lowest priority of a write is enough where nothing else is to be done.
        scope.spawn(|| assert_eq!(super::access::ask(&server, "POST", "/v1/events", Some(&low), event).status, 200));
        has_entered.recv_timeout(Duration::from_secs(20)).unwrap();
        let outcomes = [(&high, "high"), (&high, "low"), (&low, "high"), (&low, "low")].map(|(key, p)| ask(key, p));
        drop(release);
        assert_eq!(outcomes, [served, refused, refused, refused]);
    });
    assert_eq!(ask(&low, "high"), served);
}

#[test]
fn keys_are_taken_in_and_back_while_it_runs() {
    let ring = KeyRing::new();
    let first = ring.add(Role::Read, None);
    let server = ring.serve();
    let status = |key: &str| ask(&server, "GET", "/v1/items", Some(key), "").status;
    let until = |key: &str, expected: u16| {
        let end = Instant::now() + Duration::from_secs(20);
        while status(key) != expected {
            assert!(Instant::now() < end, "the keys were not read again");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let second = ring.add(Role::Read, None);
    until(&second, 200);
    assert_eq!(status(&first), 200);
    let kept = KeyFile { keys: vec![KeyFile::read(&ring.file()).unwrap().keys[1].clone()] };
    std::fs::write(ring.file(), toml::to_string(&kept).unwrap()).unwrap();
    until(&first, 401);
    assert_eq!(status(&second), 200);
    // A file that is broken takes nobody's key.
    std::fs::write(ring.file(), "[[keys]]\nid = 1").unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(status(&second), 200);
}

#[test]
fn the_administrators_routes_take_his_key_alone() {
    let ring = KeyRing::new();
    let [_, write, admin] = Role::ALL.map(|role| ring.add(role, None));
    let server = ring.serve();
    let ask = |method: &str, path: &str, key: Option<&str>| server.ask_admin(method, path, key);
    assert_eq!(ask("GET", "/admin/v1/bundles", None).problem(401).0, "unauthenticated");
    assert_eq!(ask("GET", "/admin/v1/bundles", Some(&write)).problem(403).0, "permission_denied");
    assert_eq!(ask("GET", "/admin/v1/bundles", Some(&admin)).expect(200), json!({"bundles": []}));
    let promote = |id: &str| ask("POST", &format!("/admin/v1/bundles/{id}/promote"), Some(&admin));
    assert_eq!(promote("b-0123456789abcdef").problem(404).0, "bundle_not_found");
    for id in ["..%2F..%2Fetc", "b-0123456789ABCDEF", "b-0123456789abcdef0", "%00", "b-..%2F"] {
        assert_eq!(promote(id).problem(400).1.as_deref(), Some("bundle"), "{id}");
    }
    assert_eq!(ask("POST", "/admin/v1/rollback", Some(&admin)).problem(409).0, "nothing_to_roll_back");
    assert_eq!(ask("GET", "/admin/v1/rollback", Some(&admin)).problem(405).0, "method_not_allowed");
    assert_eq!(ask("GET", "/v1/items", Some(&admin)).problem(404).0, "no_such_endpoint");
    // Without any key there is no administrator.
    let open = TestServer::start();
    assert_eq!(open.ask_admin("GET", "/admin/v1/bundles", Some(&admin)).problem(401).0, "unauthenticated");
}

#[test]
fn pages_of_named_origins_may_call_and_no_others() {
    let preflight = |server: &TestServer, origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let reply = server.send("OPTIONS", "/v1/recommend", &headers, b"");
        reply.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(preflight(&TestServer::start(), "https://shop.example"), None);
    let ring = KeyRing::new();
    ring.add(Role::Read, None);
    let config = GatewayConfig { cors_origins: vec!["https://shop.example".to_owned()], ..ring.config() };
    let server = TestServer::start_behind(Access::open(&config).unwrap());
    assert_eq!(preflight(&server, "https://shop.example").as_deref(), Some("https://shop.example"));
    assert_eq!(preflight(&server, "https://evil.example"), None);
}

/// A certificate of our own, and who trusts it.
fn certified() -> (tempfile::TempDir, TlsConfig, TlsConnector) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = TlsConfig { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
    std::fs::write(&tls.certificate, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&tls.certificate).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    (folder, tls, connector)
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[test]
fn whoever_came_over_tls_before_the_server_stopped_is_answered() {
    let (_folder, tls, connector) = certified();
    let config = GatewayConfig { tls: Some(tls), ..quick_config() };
    let mut server = TestServer::start_behind(Access::open(&config).unwrap());
    let address = server.url.trim_start_matches("http://").to_owned();
    let (connected, shaken) = server.runtime.block_on(async {
        let connected = TcpStream::connect(&address).await.unwrap();
        let stream = TcpStream::connect(&address).await.unwrap();
        (connected, connector.connect(localhost(), stream).await.unwrap())
    });
    let ended = server.shut_down();
    while std::net::TcpStream::connect(&address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let answers = server.runtime.block_on(async {
        let connected = connector.connect(localhost(), connected).await.unwrap();
        let mut answers = Vec::new();
        for mut stream in [shaken, connected] {
            stream.write_all(HEALTH).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        ended.await.unwrap();
        answers
    });
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
}

#[test]
fn over_tls_the_server_shows_its_certificate_and_speaks_nothing_plain() {
    let (folder, tls, connector) = certified();
    let config = GatewayConfig { tls: Some(tls.clone()), ..quick_config() };
    let server = TestServer::start_behind(Access::open(&config).unwrap());
    let address = server.url.trim_start_matches("http://").to_owned();
    let (encrypted, plain) = server.runtime.block_on(async {
        let stream = TcpStream::connect(&address).await.unwrap();
        let mut stream = connector.connect(localhost(), stream).await.unwrap();
        stream.write_all(HEALTH).await.unwrap();
        let mut encrypted = String::new();
        stream.read_to_string(&mut encrypted).await.unwrap();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(HEALTH).await.unwrap();
        let mut plain = Vec::new();
        let _ = stream.read_to_end(&mut plain).await;
        (encrypted, plain)
    });
    assert!(encrypted.starts_with("HTTP/1.1 200") && encrypted.ends_with(r#"{"status":"ok"}"#), "{encrypted}");
    assert!(!String::from_utf8_lossy(&plain).contains("HTTP/1.1"), "{plain:?}");
    // Files that do not fit are told before anything is served.
    let swapped = TlsConfig { certificate: tls.key.clone(), key: tls.certificate.clone() };
    let config = GatewayConfig { tls: Some(swapped), ..quick_config() };
    assert_eq!(Access::open(&config).err().unwrap().field, "gateway.tls.certificate");
    let missing = TlsConfig { key: folder.path().join("none"), ..tls };
    let config = GatewayConfig { tls: Some(missing), ..quick_config() };
    assert_eq!(Access::open(&config).err().unwrap().field, "gateway.tls.key");
}
