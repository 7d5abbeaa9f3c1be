//! Clients that others wrote: grpcio for Python, and schemathesis, which tries what the description allows and what it
//! forbids. They run where Python has them; `SHORTLIST_PYTHON` names another interpreter than `python3`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails
#![allow(clippy::print_stderr)] // why a test was skipped

mod harness;

use std::path::Path;
use std::process::{Command, Output};

use harness::{Server, folder, imported_store, text};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What JSON Schema cannot say is no fault: that texts are counted in bytes, which event types a configuration names,
/// what a filter may say, that an id in a body repeats the one in the path. And an unknown user gets a list, though
/// his description was deleted.
const NOT_CHECKED: &str = "positive_data_acceptance,use_after_free";

#[test]
fn python_asks_through_reflection_of_both_versions() {
    let Some(python) = python_with(&["grpc", "grpc_reflection"]) else { return };
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    let list = server.list("user-1", 3).join(" ");
    let script = format!("{ROOT}/tests/foreign/reflection.py");
    let said = ok(Command::new(python).args([&script, &server.address]));
    let refused = "refused INVALID_ARGUMENT invalid_input";
    assert_eq!(said.lines().collect::<Vec<_>>(), [&format!("list {list}"), refused, &format!("list {list}"), refused]);
}

#[test]
fn python_asks_by_code_made_from_the_proto_files_as_they_are() {
    let Some(python) = python_with(&["grpc", "grpc_tools"]) else { return };
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    let list = server.list("user-1", 3).join(" ");
    let (proto, code) = (format!("{ROOT}/proto"), folder.path().to_str().expect("UTF-8"));
    let mut protoc = Command::new(&python);
    protoc.args(["-m", "grpc_tools.protoc", "-I", &proto]);
    protoc.args([format!("--python_out={code}"), format!("--grpc_python_out={code}")]);
    for file in std::fs::read_dir(Path::new(&proto).join("shortlist/v1")).unwrap() {
        protoc.arg(format!("shortlist/v1/{}", file.unwrap().file_name().to_str().unwrap()));
    }
    ok(&mut protoc);
    let said = ok(Command::new(python).args([&format!("{ROOT}/tests/foreign/stubs.py"), &server.address, code]));
    let expected = [&format!("list {list}"), "accepted 1 duplicates 0", "accepted 0 duplicates 1"];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn schemathesis_finds_nothing() {
    let Some(python) = python_with(&["schemathesis"]) else { return };
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    // A caller who waits for one millisecond may get no answer in it.
    let late = "[checks.not_a_server_error]\nexpected-statuses = [\"2xx\", \"3xx\", \"4xx\", 504]\n";
    std::fs::write(folder.path().join("schemathesis.toml"), late).unwrap();
    let mut command = Command::new(python);
    command.args(["-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]);
    command.arg(format!("{}/openapi.json", server.url)).args(["--max-examples", "15", "--seed", "1", "--no-color"]);
    command.args(["--exclude-checks", NOT_CHECKED]).current_dir(folder.path());
    let said = ok(&mut command);
    // It warns that much of what it makes up is refused: texts by their bytes, times ahead. All is answered as described.
    let all_passed = said.lines().find_map(|line| {
        let (generated, passed) = line.trim().strip_suffix(" passed")?.split_once(" generated, ")?;
        Some(generated == passed)
    });
    assert_eq!(all_passed, Some(true), "{said}");
    assert_eq!(server.get("/healthz").0, 200);
}

/// The interpreter, if it has these modules; otherwise why the test is skipped.
fn python_with(modules: &[&str]) -> Option<String> {
    let python = std::env::var("SHORTLIST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports: Vec<_> = modules.iter().map(|module| format!("import {module}")).collect();
    let found = Command::new(&python).args(["-c", &imports.join("; ")]).output();
    let has_all = found.is_ok_and(|output| output.status.success());
    if !has_all {
        eprintln!("skipped: {python} does not have {}", modules.join(" and "));
    }
    has_all.then_some(python)
}

fn ok(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    assert!(status.success(), "{command:?}: {}\n{}", text(&stdout), text(&stderr));
    text(&stdout)
}
