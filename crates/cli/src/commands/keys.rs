use anyhow::Context;
use serde_json::json;
use shortlist_gateway::{ApiKey, KeyEntry, KeyFile};

use crate::args::{KeysCommand, KeysListArgs, KeysNewArgs};
use crate::output;

/// `shortlist keys`.
pub(crate) fn run(command: &KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::New(args) => new(args),
        KeysCommand::List(args) => list(args),
    }
}

fn new(args: &KeysNewArgs) -> anyhow::Result<()> {
    let key = ApiKey::draw().context("the system gives no random numbers")?;
    let entry = KeyEntry::new(&args.name, args.role, args.requests_per_second, &key).at_most(args.priority);
    KeyFile::add(&args.file, entry)?;
    if args.json {
        return output::json(
            &json!({"id": key.id(), "role": args.role, "name": args.name, "priority": args.priority, "key": key.reveal()}),
        );
    }
    output::line(&key.reveal());
    output::note(&format!(
        "its hash is in {}; the key itself is shown this once. It goes into the header `authorization: Bearer KEY`",
        args.file.display()
    ));
    Ok(())
}

fn list(args: &KeysListArgs) -> anyhow::Result<()> {
    let KeyFile { keys } = KeyFile::read(&args.file)?;
    if args.json {
        let view = |key: &KeyEntry| {
            json!({"id": key.id, "name": key.name, "role": key.role,
            "requests_per_second": key.requests_per_second, "priority": key.priority})
        };
        return output::json(&json!({"keys": keys.iter().map(view).collect::<Vec<_>>()}));
    }
    let rows = keys.iter().map(|key| {
        let rate = key.requests_per_second.map_or_else(String::new, |rate| rate.to_string());
        vec![key.id.clone(), key.name.clone(), key.role.to_string(), rate, key.priority.to_string()]
    });
    output::table(&["id", "name", "role", "requests per second", "priority"], rows);
    Ok(())
}
