use std::io::Read;

use flate2::read::GzDecoder;

use crate::test_server::TestServer;

#[test]
fn the_page_is_whole_and_loads_nothing_from_elsewhere() {
    let server = TestServer::start();
    let page = file(&server, "");
    let links: Vec<_> = ["src=\"", "href=\""].iter().flat_map(|mark| page.split(mark).skip(1)).collect();
    let links: Vec<_> = links.iter().filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() >= 5, "{page}");
    for link in links {
        assert!(!link.contains("//"), "{link} is loaded from elsewhere");
        assert!(!file(&server, link.trim_start_matches("./")).is_empty(), "{link}");
    }
    let settings = file(&server, "swagger-initializer.js");
    assert!(settings.contains("\"/openapi.json\"") && settings.contains("\"validatorUrl\": \"none\""), "{settings}");

    let policy = server.get("/docs/").header("content-security-policy").unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
    assert_eq!(server.get("/docs/no-such-file.js").problem(404).0, "no_such_endpoint");
    assert_eq!(server.get("/docs/../openapi.json").problem(404).0, "no_such_endpoint");
}

/// A file of the page, unpacked.
fn file(server: &TestServer, name: &str) -> String {
    let mut body = server.bytes(&format!("/docs/{name}"));
    if body.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut unpacked).unwrap();
        body = unpacked;
    }
    String::from_utf8_lossy(&body).into_owned()
}
