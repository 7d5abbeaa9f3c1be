use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fs_err::File;
use serde::Serialize;
use serde_json::json;
use shortlist_retrieval::{Allowed, FrozenIndex, IndexConfig, RetrievalError, SearchParams, SearchScratch};
use shortlist_training::Progress;
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

use crate::args::{IndexBenchArgs, IndexBuildArgs, IndexCommand, IndexVerifyArgs};
use crate::npy::NpyFile;
use crate::output;
use crate::progress_bars::ProgressBars;

/// Name of the index in the folder that was asked for.
const INDEX_FILE: &str = "index.shortlist";
/// Timed passes over the queries, of which the best counts: what disturbs a pass only makes it slower.
const TIMED_PASSES: usize = 3;
/// Queries of the exact row: a scan of a million items takes some ten milliseconds each.
const EXACT_QUERIES_MAX: usize = 100;

/// `shortlist index`.
pub(crate) fn run(command: &IndexCommand) -> anyhow::Result<()> {
    match command {
        IndexCommand::Build(args) => build(args),
        IndexCommand::Bench(args) => bench(args),
        IndexCommand::Verify(args) => verify(args),
    }
}

fn build(args: &IndexBuildArgs) -> anyhow::Result<()> {
    let config = IndexConfig::default().with_metric(args.metric);
    let config = match args.leaf_points {
        Some(points) => config.with_leaf_points(points).context("--leaf-points")?,
        None => config,
    };
    let threads = args.threads.map_or_else(cores, usize::from);
    let path = args.out.join(INDEX_FILE);
    refuse_existing(&path)?;
    let (dimensions, vectors) = read_vectors(&args.vectors, "reading the vectors")?;
    let items = (0..vectors.len() / dimensions).map(|row| ItemIdx(row as u32)).collect();
    let table = EmbeddingTable::parse(dimensions, items, vectors)?;
    fs_err::create_dir_all(&args.out).context("cannot write there; `--out` takes another folder")?;
    // A folder that takes no file is said before the long work.
    drop(StagedFile::create(&path)?);

    let mut progress = ProgressBars::default();
    progress.begin("building the index", Some(table.len() as u64));
    let started = Instant::now();
    let index = FrozenIndex::build(&table, &config, threads, &mut |rows| progress.at(rows as u64))?;
    let build_seconds = started.elapsed().as_secs_f64();
    progress.end(&format!("{} items", index.len()));
    let staged = StagedFile::create(&path)?;
    index.write_to(&staged.file).with_context(|| format!("cannot write {}", staged.path.display()))?;
    let file_bytes = staged.publish(&path)?;

    let bytes_per_item = bytes_per_item(&index);
    if args.json {
        return output::json(&json!({
            "index": path, "items": index.len(), "dimensions": dimensions, "metric": args.metric.name(),
            "threads": threads, "build_seconds": build_seconds, "bytes_per_item": bytes_per_item,
            "file_bytes": file_bytes,
        }));
    }
    output::line(&format!("{}: {}", path.display(), description(&index, file_bytes)));
    output::line(&format!("built in {build_seconds:.1} s on {threads} threads"));
    Ok(())
}

fn verify(args: &IndexVerifyArgs) -> anyhow::Result<()> {
    let path = index_path(&args.index)?;
    let index = open(&path)?;
    let file_bytes = fs_err::metadata(&path)?.len();
    let model = format!("{:#018x}", index.model());
    if args.json {
        return output::json(&json!({
            "index": path, "items": index.len(), "dimensions": index.dimensions(), "metric": index.metric().name(),
            "model": model, "bytes_per_item": bytes_per_item(&index), "file_bytes": file_bytes,
        }));
    }
    output::line(&format!("{} is sound: {}", path.display(), description(&index, file_bytes)));
    output::line(&format!("built from vectors with fingerprint {model}"));
    Ok(())
}

fn bench(args: &IndexBenchArgs) -> anyhow::Result<()> {
    let path = index_path(&args.index)?;
    let (dimensions, queries) = read_vectors(&args.queries, "reading the queries")?;
    let name = args.queries.display();
    ensure!(!queries.is_empty(), "{name} holds no queries: nothing can be measured");
    let mut ef_search: Vec<usize> = args.ef_search.iter().map(|ef| *ef as usize).collect();
    ef_search.sort_unstable();
    ef_search.dedup();

    let started = Instant::now();
    let index = open(&path)?;
    ensure!(
        index.dimensions() == dimensions,
        "{name} has queries of {dimensions} dimensions, {} is of {}; bring the queries of its own vectors",
        path.display(),
        index.dimensions()
    );
    ensure!(!index.is_empty(), "{} holds no items: nothing can be measured", path.display());
    let k = index.len().min(args.k as usize);
    let first = SearchParams::new(k, ef_search.first().copied().unwrap_or(SearchParams::EXACT));
    index.search(&queries[..dimensions], first, Allowed::All, &Unlimited, &mut SearchScratch::new())?;
    let open_seconds = started.elapsed().as_secs_f64();
    if k < args.k as usize {
        output::note(&format!("the index holds {k} items: measuring with k = {k} instead of {}", args.k));
    }

    let wanted = args.max_queries.map_or(usize::MAX, |max| max as usize);
    let queries: Vec<&[f32]> = queries.chunks_exact(dimensions).take(wanted).collect();
    let truth = match &args.truth {
        Some(path) => given_truth(path, &index, queries.len(), k)?,
        None => exact_truth(&index, &queries, k)?,
    };
    let count = queries.len();
    let rows = Bench { index: &index, queries, truth, k }.rows(&ef_search)?;
    if args.json {
        return output::json(&json!({
            "index": path, "items": index.len(), "dimensions": dimensions, "metric": index.metric().name(),
            "k": k, "queries": count, "open_seconds": open_seconds, "rows": rows,
        }));
    }
    output::line(&format!("{}: {}", path.display(), description(&index, fs_err::metadata(&path)?.len())));
    output::line(&format!("k = {k}, {count} queries, first answer {open_seconds:.3} s after opening"));
    output::table(&["ef_search", "recall", "qps", "p50 us", "p99 us"], rows.iter().map(Row::cells));
    Ok(())
}

/// What is measured: an index, queries, and their true neighbours.
struct Bench<'a> {
    index: &'a FrozenIndex,
    queries: Vec<&'a [f32]>,
    /// `k` items per query, ascending.
    truth: Vec<u32>,
    k: usize,
}

/// One point of recall against speed.
#[derive(Debug, Serialize)]
struct Row {
    /// None for the exact search.
    ef_search: Option<usize>,
    exact: bool,
    queries: usize,
    recall: f64,
    qps: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Bench<'_> {
    /// From fast to exact.
    fn rows(&self, ef_search: &[usize]) -> anyhow::Result<Vec<Row>> {
        let mut progress = ProgressBars::default();
        progress.begin("measuring", Some(ef_search.len() as u64 + 1));
        let mut rows = Vec::new();
        for ef_search in ef_search.iter().copied().map(Some).chain([None]) {
            rows.push(self.row(ef_search)?);
            progress.at(rows.len() as u64);
        }
        progress.end(&format!("{} queries, k = {}", self.queries.len(), self.k));
        Ok(rows)
    }

    fn row(&self, ef_search: Option<usize>) -> anyhow::Result<Row> {
        let params = SearchParams::new(self.k, ef_search.unwrap_or(SearchParams::EXACT));
        let queries = if ef_search.is_some() { self.queries.len() } else { self.queries.len().min(EXACT_QUERIES_MAX) };
        let queries = &self.queries[..queries];
        let mut scratch = SearchScratch::new();
        let mut hits = 0;
        for (query, truth) in queries.iter().zip(self.truth.chunks_exact(self.k)) {
            let found = self.index.search(query, params, Allowed::All, &Unlimited, &mut scratch)?;
            hits += found.neighbors.iter().filter(|near| truth.binary_search(&near.item.0).is_ok()).count();
        }
        let mut best = (Duration::MAX, Vec::new());
        for _ in 0..TIMED_PASSES {
            let mut times = Vec::with_capacity(queries.len());
            for query in queries {
                let started = Instant::now();
                self.index.search(query, params, Allowed::All, &Unlimited, &mut scratch)?;
                times.push(started.elapsed());
            }
            let total = times.iter().sum();
            if total < best.0 {
                best = (total, times);
            }
        }
        let (total, mut times) = best;
        times.sort_unstable();
        Ok(Row {
            ef_search,
            exact: ef_search.is_none(),
            queries: queries.len(),
            recall: hits as f64 / (queries.len() * self.k) as f64,
            qps: queries.len() as f64 / total.as_secs_f64(),
            p50_us: quantile_us(&times, 0.5),
            p99_us: quantile_us(&times, 0.99),
        })
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let Self { ef_search, recall, qps, p50_us, p99_us, .. } = self;
        let ef_search = ef_search.map_or_else(|| "exact".to_owned(), |ef| ef.to_string());
        vec![ef_search, format!("{recall:.4}"), format!("{qps:.0}"), format!("{p50_us:.1}"), format!("{p99_us:.1}")]
    }
}

/// The least of the ascending `times` that a share `q` of them does not exceed.
fn quantile_us(times: &[Duration], q: f64) -> f64 {
    let rank = (q * times.len() as f64).ceil() as usize;
    times.get(rank.saturating_sub(1)).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// The first `k` ids of each query's row in a file, ascending.
fn given_truth(path: &Path, index: &FrozenIndex, queries: usize, k: usize) -> anyhow::Result<Vec<u32>> {
    let name = path.display();
    let file = NpyFile::open(path)?;
    let (rows, columns) = (file.rows(), file.columns());
    ensure!(rows >= queries, "{name} has {rows} rows for {queries} queries; `--max-queries {rows}` takes so many");
    ensure!(columns >= k, "{name} has {columns} ids per query, k = {k} needs as many; `--k {columns}` asks for fewer");
    let ids = file.ids()?;
    let mut truth = Vec::with_capacity(queries * k);
    for (row, ids) in ids.chunks_exact(columns).take(queries).enumerate() {
        let start = truth.len();
        truth.extend_from_slice(&ids[..k]);
        truth[start..].sort_unstable();
        let own = &truth[start..];
        if let Some(id) = own.iter().find(|id| index.vector(ItemIdx(**id)).is_none()) {
            anyhow::bail!(
                "{name}: row {row} names item {id}, which the index does not hold; bring the truth of its own vectors"
            );
        }
        ensure!(own.is_sorted_by(|a, b| a < b), "{name}: row {row} names an item twice; compute the truth anew");
    }
    Ok(truth)
}

/// The `k` items of each query that the index finds exactly, ascending; on all cores.
fn exact_truth(index: &FrozenIndex, queries: &[&[f32]], k: usize) -> Result<Vec<u32>, RetrievalError> {
    let mut progress = ProgressBars::default();
    progress.begin("finding the true neighbours", Some(queries.len() as u64));
    let mut truth = vec![0; queries.len() * k];
    let next = AtomicUsize::new(0);
    let (sender, answers) = mpsc::channel();
    let work = |sender: mpsc::Sender<_>| {
        let mut scratch = SearchScratch::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(query) = queries.get(at) else { break };
            let found = index.search(query, SearchParams::exact(k), Allowed::All, &Unlimited, &mut scratch);
            if sender.send((at, found)).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores().min(queries.len()) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        for (done, (at, found)) in (1..).zip(answers) {
            let own = &mut truth[at * k..(at + 1) * k];
            own.iter_mut().zip(found?.neighbors).for_each(|(id, near)| *id = near.item.0);
            own.sort_unstable();
            progress.at(done);
        }
        Ok::<_, RetrievalError>(())
    })?;
    progress.end(&format!("{} queries", queries.len()));
    Ok(truth)
}

/// The dimensions and the rows of a `.npy` file.
fn read_vectors(path: &Path, stage: &'static str) -> anyhow::Result<(usize, Vec<f32>)> {
    let file = NpyFile::open(path)?;
    let (rows, columns) = (file.rows(), file.columns());
    let mut progress = ProgressBars::default();
    progress.begin(stage, Some(rows as u64));
    let vectors = file.vectors(&mut |rows| progress.at(rows as u64))?;
    progress.end(&format!("{rows} rows of {columns}"));
    Ok((columns, vectors))
}

/// Where the index is, in a folder of `index build` or by its own name.
fn index_path(named: &Path) -> anyhow::Result<PathBuf> {
    let path = if named.is_file() { named.to_owned() } else { named.join(INDEX_FILE) };
    ensure!(
        path.is_file(),
        "there is no index at {}; `shortlist index build --out {}` writes one there",
        path.display(),
        named.display()
    );
    Ok(path)
}

fn open(path: &Path) -> anyhow::Result<FrozenIndex> {
    FrozenIndex::open(path).with_context(|| format!("{} cannot be used", path.display()))
}

fn description(index: &FrozenIndex, file_bytes: u64) -> String {
    let beside = bytes_per_item(index)
        .map_or_else(String::new, |bytes| format!(", {bytes:.1} bytes per item beside the vectors"));
    format!(
        "{} items of {} dimensions, metric {}, {:.1} MB{beside}",
        index.len(),
        index.dimensions(),
        index.metric().name(),
        file_bytes as f64 / 1e6
    )
}

/// What an item takes besides its exact vector; nothing can be said without items.
fn bytes_per_item(index: &FrozenIndex) -> Option<f64> {
    (!index.is_empty()).then(|| index.bytes_beside_vectors() as f64 / index.len() as f64)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    // A link that leads nowhere is something that is there, too.
    let there = fs_err::symlink_metadata(path).is_ok();
    ensure!(!there, "{} is there already; choose another `--out`, or remove it", path.display());
    Ok(())
}

/// A file under a temporary name beside its place, which goes unless it is published.
struct StagedFile {
    path: PathBuf,
    file: File,
}

impl StagedFile {
    /// The name has the process's number in it, so that two builds do not write into one file.
    fn create(place: &Path) -> anyhow::Result<Self> {
        let path = place.with_extension(format!("partial-{}", std::process::id()));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(error).context("remove what an earlier build left there")
            }
            Err(error) => Err(error).context("cannot write there; `--out` takes another folder"),
        }
    }

    /// Verifies the file, makes it read-only, and gives it its name, such that a crash leaves the whole of it
    /// or nothing. Returns its length.
    fn publish(self, place: &Path) -> anyhow::Result<u64> {
        self.file.sync_all()?;
        open(&self.path)?;
        // Who truncates a mapped file ends the process that reads it.
        let mut permissions = self.file.metadata()?.permissions();
        permissions.set_readonly(true);
        fs_err::set_permissions(&self.path, permissions)?;
        // Another build may have been faster; renaming would replace its index.
        refuse_existing(place)?;
        fs_err::rename(&self.path, place)?;
        if let (true, Some(folder)) = (cfg!(unix), place.parent()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(self.file.metadata()?.len())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // After it was published there is nothing of this name.
        let _ = fs_err::remove_file(&self.path);
    }
}
