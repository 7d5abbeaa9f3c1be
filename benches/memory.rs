//! What a server takes: resident memory of the real binary at rest, for several catalogues and numbers of users, what an
//! item and a user add, how long it loads, and the bytes of its store.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints its results")]

#[allow(dead_code, reason = "every benchmark uses its part of the server")]
mod server;
#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::path::Path;
use std::time::Instant;

use shortlist_load::Driver;

use crate::server::Server;
use crate::world::{Size, World, is_smoke};

/// A base, more items, more users.
const SIZES: [Size; 3] = [
    Size { items: 100_000, users: 2_000 },
    Size { items: 1_000_000, users: 2_000 },
    Size { items: 100_000, users: 52_000 },
];
const SIZES_SMOKE: [Size; 3] =
    [Size { items: 1_000, users: 20 }, Size { items: 2_000, users: 20 }, Size { items: 1_000, users: 60 }];

/// What one size takes, in MiB and seconds.
struct Taken {
    memory: u64,
    log: u64,
    bundle: u64,
    load: f64,
}

fn main() -> anyhow::Result<()> {
    let sizes = if is_smoke() { SIZES_SMOKE } else { SIZES };
    println!("| items | users, 50 events each | memory, MiB | log, MiB | bundle, MiB | from the start to ready, s |");
    println!("|--:|--:|--:|--:|--:|--:|");
    let mut taken = Vec::new();
    for size in sizes {
        let one = take(size)?;
        let Taken { memory, log, bundle, load } = &one;
        println!("| {} | {} | {memory} | {log} | {bundle} | {load:.1} |", size.items, size.users);
        taken.push(one);
    }
    let per = |more: &Taken, count: usize| {
        let [memory, base] = [more.memory, taken[0].memory].map(|mib| mib as f64 * 1_048_576.0);
        (memory - base) / count as f64
    };
    println!("\nper item: {:.0} bytes", per(&taken[1], sizes[1].items - sizes[0].items));
    println!("per user with 50 events: {:.0} bytes", per(&taken[2], sizes[2].users - sizes[0].users));
    Ok(())
}

fn take(size: Size) -> anyhow::Result<Taken> {
    let folder = tempfile::tempdir()?;
    World::make(size)?.into_store(folder.path())?;
    let driver = Driver::new(1)?;
    // Once to make the first checkpoint, and once as it is from then on.
    drop(Server::start(folder.path(), &driver, None)?);
    let started = Instant::now();
    let server = Server::start_only(folder.path(), &driver, None)?;
    let load = started.elapsed().as_secs_f64();
    server.settle();
    let mib = |path: &Path| Ok::<_, anyhow::Error>(bytes(path)? / 1_048_576);
    let memory = server.memory_mib().unwrap_or_default();
    Ok(Taken {
        memory,
        log: mib(&folder.path().join("shortlist.db"))?,
        bundle: mib(&folder.path().join("bundles"))?,
        load,
    })
}

/// Of a file, or of all below a folder.
fn bytes(path: &Path) -> anyhow::Result<u64> {
    if !path.is_dir() {
        return Ok(path.metadata()?.len());
    }
    std::fs::read_dir(path)?.map(|entry| bytes(&entry?.path())).sum()
}
