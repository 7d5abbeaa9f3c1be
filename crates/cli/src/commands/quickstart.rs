use anyhow::Context;
use serde::{Deserialize, Serialize};
use shortlist_recommender::{Recommender, Request};
use shortlist_simulator::{EVENTS_DEFAULT, ITEMS_DEFAULT, MarketConfig, Marketplace, Truth, USERS_DEFAULT};
use shortlist_store::{Store, StoreError};
use shortlist_training::{Progress, Promote};
use shortlist_types::{ItemId, Timestamp, Unlimited, UserId};

use crate::args::{QuickstartArgs, StoreArgs};
use crate::clock;
use crate::commands::recommend::print_answer;
use crate::commands::serve::serve;
use crate::commands::train::{refusal, train_with};
use crate::config::Config;
use crate::doors::{DoorArgs, Doors};
use crate::output;
use crate::progress_bars::ProgressBars;
use crate::serving::{fold_log, load_current};

/// Property of the store that holds what its marketplace was made of.
const PROPERTY: &str = "quickstart";
const SEED_DEFAULT: u64 = 42;
/// Items per list in the sample and in the comparison with the truth.
const K: usize = 10;
/// Users whose lists are compared with the best possible ones.
const COMPARED_USERS: usize = 200;

/// What a quickstart store was made of: the same numbers make the same log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct MadeOf {
    users: usize,
    items: usize,
    events: usize,
    seed: u64,
    until: Timestamp,
}

/// `shortlist quickstart`: simulate, train, show a sample, serve.
pub(crate) fn run(args: &QuickstartArgs) -> anyhow::Result<()> {
    // A busy port is said before a minute of work, not after.
    let config = Config::of(&StoreArgs { store: args.store.clone(), config: None })?;
    let doors = DoorArgs { listen: args.listen, admin_listen: None, keys: None };
    let doors = if args.exit { None } else { Some(Doors::open(&doors, &config)?) };
    let (store, made_of) = open_or_make(args)?;
    if store.registry().current()?.is_none() {
        let trained = train_with(&store, &config, made_of.seed, Promote::IfGatePasses, &mut ProgressBars::default())?;
        crate::commands::evaluate::print_report(&trained.report);
        if let Some(reason) = refusal(&trained) {
            output::note(&format!("the gate refused bundle {}: {reason}", trained.bundle));
        }
    }
    sample(&store, &config, &made_of)?;
    let folder = args.store.display();
    let Some(doors) = doors else {
        output::note(&format!(
            "next: {} serve --store {folder}",
            std::env::args().next().unwrap_or_else(|| "shortlist".to_owned())
        ));
        return Ok(());
    };
    let address = doors.api.local_addr()?;
    output::note(&format!(
        "\nserving {folder} on http://{address}, stop with Ctrl-C; try\n  \
         curl 'http://{address}/v1/users/{}/recommendations?k=5'",
        sample_user(&made_of, 0)?
    ));
    serve(doors, store, &config, None)
}

/// The store of this quickstart: an existing one as it is, otherwise a newly simulated one.
fn open_or_make(args: &QuickstartArgs) -> anyhow::Result<(Store, MadeOf)> {
    let folder = args.store.display();
    if args.store.exists() && std::fs::read_dir(&args.store)?.next().is_some() {
        let store = Store::open(&args.store)?;
        // An empty log was left by a quickstart that was stopped while it simulated.
        if store.reader()?.head()?.log_seq.0 > 0 {
            let text = store.property(PROPERTY)?;
            let text = text.with_context(|| format!("{folder} holds another store; `--store` takes another folder"))?;
            let made_of: MadeOf = serde_json::from_str(&text).context("the store's quickstart property")?;
            same_arguments(args, &made_of)?;
            output::note(&format!("{folder} exists and is used as it is"));
            return Ok((store, made_of));
        }
    }
    let made_of = MadeOf {
        users: args.users.unwrap_or(USERS_DEFAULT),
        items: args.items.unwrap_or(ITEMS_DEFAULT),
        events: args.events.unwrap_or(EVENTS_DEFAULT),
        seed: args.seed.unwrap_or(SEED_DEFAULT),
        until: args.until.unwrap_or_else(|| clock::midnight(clock::now())),
    };
    let store = simulate(args, &made_of)?;
    Ok((store, made_of))
}

fn same_arguments(args: &QuickstartArgs, made_of: &MadeOf) -> anyhow::Result<()> {
    let asked = MadeOf {
        users: args.users.unwrap_or(made_of.users),
        items: args.items.unwrap_or(made_of.items),
        events: args.events.unwrap_or(made_of.events),
        seed: args.seed.unwrap_or(made_of.seed),
        until: args.until.unwrap_or(made_of.until),
    };
    anyhow::ensure!(
        asked == *made_of,
        "{} was made with --users {} --items {} --events {} --seed {} --until {}; \
         other arguments need another folder (--store), or this one removed",
        args.store.display(),
        made_of.users,
        made_of.items,
        made_of.events,
        made_of.seed,
        made_of.until,
    );
    Ok(())
}

impl MadeOf {
    fn market(&self) -> MarketConfig {
        let Self { users, items, events, seed, until } = *self;
        MarketConfig { users, items, events, seed, end: until }
    }
}

fn simulate(args: &QuickstartArgs, made_of: &MadeOf) -> anyhow::Result<Store> {
    let mut progress = ProgressBars::default();
    made_of.market().check()?;
    let store = Store::open_or_create(&args.store)?;
    let mut appender = store.lock_log()?;
    store.set_property(PROPERTY, &serde_json::to_string(made_of)?)?;
    progress.begin("simulating a marketplace", None);
    let market = Marketplace::generate(&made_of.market())?;
    progress.end(&format!("{} users, {} items, {} events", made_of.users, made_of.items, made_of.events));
    progress.begin("writing the log", Some(market.records.len() as u64));
    let records = market.records.into_iter().map(Ok::<_, StoreError>);
    let count = appender.append_all(records, &mut |done| progress.at(done))?;
    progress.end(&format!("{} records", count.new));
    Ok(store)
}

/// Prints one user's list and how close all lists come to the best possible ones.
fn sample(store: &Store, config: &Config, made_of: &MadeOf) -> anyhow::Result<()> {
    let recommender =
        Recommender::new(fold_log(store, config, &mut ProgressBars::default(), &mut |_| ())?, &config.surfaces)?;
    recommender.swap(load_current(store)?);
    let user = sample_user(made_of, 0)?;
    let answer = recommender.recommend(&Request::of(user.clone(), K), made_of.until, &Unlimited)?;
    recommender.read(|state| print_answer(state, user.as_str(), &answer));
    let truth = Truth::generate(&made_of.market())?;
    let compared = compare(&recommender, &truth, made_of)?;
    output::line(&format!(
        "the simulator knows what users truly like: of the best possible {K} items' appeal, \
         these lists reach {:.0} %, popular items {:.0} %, items at random {:.0} %",
        100.0 * compared.served / compared.best,
        100.0 * compared.popular / compared.best,
        100.0 * compared.random / compared.best,
    ));
    Ok(())
}

/// Mean true probability that a user takes an item of his list, for four kinds of list.
#[derive(Debug, Default)]
struct Compared {
    best: f64,
    served: f64,
    popular: f64,
    random: f64,
}

fn compare(recommender: &Recommender, truth: &Truth, made_of: &MadeOf) -> anyhow::Result<Compared> {
    let mut sums = Compared::default();
    let at = made_of.until.plus_seconds(-1);
    for number in 0..COMPARED_USERS.min(made_of.users) {
        let user = sample_user(made_of, number)?;
        let answer = recommender.recommend(&Request::of(user.clone(), K), at, &Unlimited)?;
        recommender.read(|state| {
            let seen = |item: &ItemId| {
                let index = state.catalog().find(item.as_str());
                index.is_some_and(|index| {
                    !state.catalog().is_recommendable(index)
                        || state.user(user.as_str()).is_some_and(|user| user.has_seen(index, at))
                })
            };
            let appeal = |item: &ItemId| truth.preference(&user, item, at).unwrap_or(0.0);
            let all = truth.best(&user, made_of.items, at, &|item| !seen(item));
            let mean = |appeals: &mut dyn Iterator<Item = f64>| appeals.take(K).sum::<f64>() / K as f64;
            let popular = state.popular().filter_map(|item| Some(state.catalog().get(item)?.id.clone()));
            sums.best += mean(&mut all.iter().map(|(_, appeal)| *appeal));
            sums.served += mean(&mut answer.items.iter().map(|item| appeal(&item.item_id)));
            sums.popular += mean(&mut popular.filter(|item| !seen(item)).map(|item| appeal(&item)));
            sums.random += all.iter().map(|(_, appeal)| *appeal).sum::<f64>() / all.len().max(1) as f64;
        });
    }
    Ok(sums)
}

/// User number `number` of those that are shown and compared, spread over all.
fn sample_user(made_of: &MadeOf, number: usize) -> anyhow::Result<UserId> {
    let spread = made_of.users / COMPARED_USERS.min(made_of.users);
    Ok(UserId::parse(&format!("user-{}", number * spread.max(1) + 1))?)
}
