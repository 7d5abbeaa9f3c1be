//! Lines of the log as a program reads them.

use serde_json::{Value, json};

use crate::harness::{Server, folder, imported_store};

#[test]
fn every_line_about_a_request_names_it_at_whatever_level() {
    let folder = folder();
    let store = imported_store(&folder);
    // What is around a request is said at `warn`, what is within it at `debug`.
    let levels = "shortlist_gateway=warn,shortlist_gateway::service=debug,info";
    let args = ["serve", "--store", &store, "--listen", "127.0.0.1:0"];
    let server = Server::start_with_env(&args, &[("SHORTLIST_LOG", levels)]);
    let asked: Vec<_> = (0..5).map(|user| json!({"user_id": format!("user-{user}")})).collect();
    let answers: Vec<_> = asked.iter().map(|body| server.post("/v1/recommend", body).1).collect();
    let said = |server: &Server| -> Vec<Value> {
        let lines = server.lines().into_iter().map(|line| serde_json::from_str(&line).expect("each line is an object"));
        lines.filter(|line: &Value| line["fields"]["message"] == "the answer is degraded").collect()
    };
    server.wait_until("all is said", |server| said(server).len() >= asked.len());
    let lines = said(&server);
    for (line, answer) in lines.iter().zip(&answers) {
        assert_eq!(line["span"]["request_id"], answer["request_id"], "{line}");
        assert_eq!(line["span"]["method"], "recommend", "{line}");
        assert!(["timestamp", "level", "target"].iter().all(|field| line[field].is_string()), "{line}");
        assert_eq!(line["fields"]["reason"], "no_bundle", "{line}");
        assert!(line["span"].get("trace_id").is_none(), "nothing is traced: {line}");
        assert!(!line.to_string().contains("user-"), "nobody is named: {line}");
    }
}
