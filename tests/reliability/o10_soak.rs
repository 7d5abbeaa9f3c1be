//! O10: an hour of questions and events over both protocols, with a swap every five minutes. Memory, open files and times
//! stay what they were. `SHORTLIST_SOAK_SVG` names a file for the picture.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shortlist_load::{Asks, Kind, Load, Manners, Schedule, Traffic};
use shortlist_store::{BundleId, Store};

use super::driven::{Driven, WARM_UP};
use super::h1_swaps::{Change, swap, with_three_bundles};
use super::soak_picture::{Course, soak_svg};
use super::{Form, SEED};
use crate::world::{K, Size};

/// What is asked, in shares of the capacity: lists, and events, whose time is that of the disk.
const LISTS: [(Kind, f64); 2] = [(Kind::RestRecommend, 0.315), (Kind::GrpcRecommend, 0.315)];
const EVENTS: [(Kind, f64); 2] = [(Kind::RestEvent, 0.035), (Kind::GrpcEvent, 0.035)];
/// A checkpoint every five minutes or so, and one before: the state that is kept for the next one grows with the log, as the
/// state that serves does, and not all at once in the middle of the hour.
const CONFIG: &str = "[store]\ncheckpoint_records = 10000\n";
/// So many that each asks for some thirty lists in the hour, and tells of three items: with few users, histories would
/// grow threefold, and with them the work for a list.
const USERS: usize = 50_000;
/// What the last quarter may have over the second one: the first fills caches. What users did is kept, some 50 bytes an
/// event, which is more than a leak that this would not see.
const GROWTH_MAX: f64 = 1.05;
/// Connections come and go.
const FILES_MORE: f64 = 8.0;
/// The machine has other work, too: a tenth, where it has none.
const TIMES_MAX: f64 = 1.25;
const DEGRADED_MAX: f64 = 0.001;
/// Share of the requests that may be refused or come too late: a machine that stalls for a tenth of a second has some.
const LOST_MAX: f64 = 0.0001;

pub fn check(form: Form) -> String {
    let size = form.pick(Size { items: 2_000, users: 60 }, Size { items: 100_000, users: USERS });
    let (seconds, swap_every, look_every) = form.pick((8, 3, 0.2), (3_600, 300, 5.0));
    let driven = Driven::over(form, size, CONFIG, with_three_bundles);
    let capacity = driven.capacity();
    driven.rest(Duration::from_secs(5));
    let store = Store::open(driven.folder.path()).unwrap();
    let ids: Vec<BundleId> = store.registry().list().unwrap().into_iter().map(|bundle| bundle.id).collect();

    let users = (size.users, size.items);
    let traffic = |loads: [(Kind, f64); 2]| {
        let rates = loads.map(|(kind, share)| (kind, share * capacity));
        let schedule = Schedule::new(&rates, Duration::from_secs(seconds), users, SEED).unwrap();
        let (target, asks) = (driven.server.address.into(), Asks::full_lists(K));
        Traffic { target, schedule, warm_up: WARM_UP, manners: Manners::default(), asks }
    };
    let (lists, events) = (traffic(LISTS), traffic(EVENTS));
    let (over, swaps, looks) = (AtomicBool::new(false), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let started = Instant::now();
    let (lists, events) = std::thread::scope(|scope| {
        scope.spawn(|| {
            every(swap_every as f64, &over, |number| {
                let at = started.elapsed().as_secs_f64();
                swap(&driven.server, &store, Change::Promote(&ids[[1, 2, 0][number % 3]]));
                swaps.lock().unwrap().push(at);
            });
        });
        scope.spawn(|| {
            every(look_every, &over, |_| {
                let memory = driven.server.memory_mib().unwrap() as f64;
                let files = driven.server.open_files().unwrap() as f64;
                let cpu = driven.server.cpu().unwrap().as_secs_f64();
                looks.lock().unwrap().push((started.elapsed().as_secs_f64(), memory, files, cpu));
            });
        });
        let events = scope.spawn(|| driven.driver.run(&events, &mut |_| ()).unwrap());
        let lists = driven.driver.run(&lists, &mut |_| ()).unwrap();
        over.store(true, Ordering::Relaxed);
        (lists, events.join().unwrap())
    });
    let (swaps, looks) = (swaps.into_inner().unwrap(), looks.into_inner().unwrap());
    let (whole, written) = (lists.whole(), events.whole());
    let memory: Course = looks.iter().map(|(at, memory, ..)| (*at, *memory)).collect();
    let files: Course = looks.iter().map(|(at, _, files, _)| (*at, *files)).collect();
    // A machine that is disturbed makes times longer; more work takes more of the core.
    let work = looks.windows(2).map(|pair| (pair[1].0, 100.0 * (pair[1].3 - pair[0].3) / (pair[1].0 - pair[0].0)));
    let work: Course = work.collect();
    let (times, commits) = (times(&lists), times(&events));
    if let Some(file) = std::env::var_os("SHORTLIST_SOAK_SVG") {
        let (answered, acknowledged, minutes) = (whole.answered(), written.answered(), seconds / 60);
        let title = format!("{answered} lists and {acknowledged} events in {minutes} min, {} swaps", swaps.len());
        let panels = [
            ("memory, MiB", &memory),
            ("open files and sockets", &files),
            ("one core in use by the server, %", &work),
            ("p99 of lists, ms", &times),
            ("p99 of events until they are on disk, ms", &commits),
        ];
        std::fs::write(file, soak_svg(&title, &panels, &swaps)).unwrap();
    }
    let [memory, files, work, times] = [memory, files, work, times].map(|course| quarters(&course, seconds as f64));
    let lost = whole.failed + whole.refused + written.failed + written.refused;
    let shown = format!(
        "C = {capacity:.0}/s, 0.7 of it for {} min: {} lists, {} of them degraded, {} events, {lost} requests refused or failed, {} swaps; \
         second and last quarter: memory {:.0} and {:.0} MiB, open files {:.0} and {:.0}, {:.0} and {:.0} % of a core in use, p99 of lists {:.1} and {:.1} ms",
        seconds / 60,
        whole.answered(),
        whole.degraded,
        written.answered(),
        swaps.len(),
        memory.0,
        memory.1,
        files.0,
        files.1,
        work.0,
        work.1,
        times.0,
        times.1,
    );
    assert!(swaps.len() as u64 >= seconds / swap_every - 1, "too few swaps: {shown}");
    assert!(memory.1 > 0.0 && files.1 > 0.0 && times.1 > 0.0, "{shown}");
    let sent = whole.sent + written.sent;
    assert!(lost as f64 <= LOST_MAX * sent as f64, "{:?} {:?}: {shown}", whole.failures, written.failures);
    if form == Form::Full {
        assert!(whole.degraded as f64 <= DEGRADED_MAX * whole.sent as f64, "degraded: {shown}");
        assert!(memory.1 <= GROWTH_MAX * memory.0, "memory: {shown}");
        assert!(files.1 <= files.0 + FILES_MORE, "open files: {shown}");
        assert!(times.1 <= TIMES_MAX * times.0, "times: {shown}");
    }
    shown
}

/// Does this every so many seconds until it is over.
fn every(seconds: f64, over: &AtomicBool, mut work: impl FnMut(usize)) {
    let started = Instant::now();
    for number in 0.. {
        let next = started + Duration::from_secs_f64(seconds * (number + 1) as f64);
        while Instant::now() < next {
            if over.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        work(number);
    }
}

/// The 99th percentile, part by part.
fn times(load: &Load) -> Course {
    let answered = load.slices.iter().filter(|slice| slice.tally.answered() > 0);
    answered.map(|slice| (slice.end.as_secs_f64(), slice.tally.percentile_ms(99.0))).collect()
}

/// The medians of the second quarter and of the last.
fn quarters(course: &[(f64, f64)], seconds: f64) -> (f64, f64) {
    let median = |from: f64, until: f64| {
        let within = course.iter().filter(|(at, _)| (from * seconds..until * seconds).contains(at));
        let mut values: Vec<f64> = within.map(|(_, value)| *value).collect();
        values.sort_unstable_by(f64::total_cmp);
        assert!(!values.is_empty(), "nothing was seen from {from} to {until} of the time");
        values[values.len() / 2]
    };
    (median(0.25, 0.5), median(0.75, 1.1))
}
