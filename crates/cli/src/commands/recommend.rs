use std::sync::Arc;

use anyhow::Context;
use shortlist_features::FeatureState;
use shortlist_recommender::{Answer, Expression, Fate, Recommender, Request, WhyNot};
use shortlist_store::Store;
use shortlist_types::{ItemId, ItemIdx, Unlimited, UserId};

use crate::args::RecommendArgs;
use crate::clock;
use crate::config::Config;
use crate::output;
use crate::progress_bars::ProgressBars;
use crate::serving::{fold_log, load_current};

/// `shortlist recommend`.
pub(crate) fn run(args: &RecommendArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let user = UserId::parse(&args.user).context("--user")?;
    let request = Request {
        surface: args.surface.clone(),
        item_id: args.item.as_deref().map(ItemId::parse).transpose().context("--item")?,
        filter: args.filter.as_deref().map(Expression::parse).transpose().context("--filter")?.map(Arc::new),
        explain: args.explain,
        why_not: args.why_not.iter().map(|id| ItemId::parse(id)).collect::<Result<_, _>>().context("--why-not")?,
        ..Request::of(user, args.k)
    };
    request.check()?;
    let store = Store::open(&args.store.store)?;
    let recommender =
        Recommender::new(fold_log(&store, &config, &mut ProgressBars::default(), &mut |_| ())?, &config.surfaces)?;
    recommender.swap(load_current(&store)?);
    let answer = recommender.recommend(&request, clock::now(), &Unlimited)?;
    if args.json {
        return output::json(&shortlist_gateway::answer_as_json(&answer));
    }
    recommender.read(|state| print_answer(state, &args.user, &answer));
    Ok(())
}

/// Prints what the user did lately and what he should see now, with titles.
pub(crate) fn print_answer(state: &FeatureState, user: &str, answer: &Answer) {
    let known = state.user(user).filter(|user| !user.is_empty());
    match known {
        None => output::line(&format!("user {user} is not known: popular items")),
        Some(user_state) => {
            let wanted = user_state.wanted();
            let latest: Vec<_> = wanted.iter().take(5).map(|entry| title(state, entry.item)).collect();
            output::line(&format!("user {user} wanted {} items, latest: {}", wanted.len(), latest.join(" · ")));
        }
    }
    let rows = answer.items.iter().map(|item| {
        let index = state.catalog().find(item.item_id.as_str());
        let sources: Vec<_> = item.sources.iter().map(|hit| format!("{} #{}", hit.source, hit.rank + 1)).collect();
        let mut row = vec![
            (item.rank + 1).to_string(),
            item.item_id.to_string(),
            index.map(|index| title(state, index)).unwrap_or_default(),
            index.map(|index| labels(state, index)).unwrap_or_default(),
            format!("{:.3}", item.score.get()),
            sources.join(", "),
        ];
        row.extend(item.probabilities.iter().map(|(_, probability)| format!("{:.1} %", probability * 100.0)));
        row.extend(item.explanation.as_ref().map(|explanation| {
            let named = explanation.contributions.iter().take(3).map(|(name, value)| format!("{name} {value:+.2}"));
            named.chain(explanation.moved_by.iter().cloned()).collect::<Vec<_>>().join(", ")
        }));
        row
    });
    let mut header = vec!["#", "item", "title", "about", "score", "from"];
    let probabilities = answer.items.first().map(|item| item.probabilities.as_slice()).unwrap_or_default();
    header.extend(probabilities.iter().map(|(outcome, _)| outcome.as_str()));
    if answer.items.iter().any(|item| item.explanation.is_some()) {
        header.push("because");
    }
    output::table(&header, rows);
    for WhyNot { item_id, fate } in &answer.why_not {
        output::line(&format!("{item_id}: {}", in_words(fate)));
    }
    let bundle = answer.bundle.as_ref().map_or_else(|| "no bundle".to_owned(), |id| format!("bundle {id}"));
    let degraded: Vec<_> = answer.degraded.iter().map(|reason| reason.as_str()).collect();
    let degraded = if degraded.is_empty() { String::new() } else { format!(", degraded: {}", degraded.join(", ")) };
    output::line(&format!("{bundle}, log up to record {}{degraded}", answer.log_seq.0));
}

fn in_words(fate: &Fate) -> String {
    match fate {
        Fate::Unknown => "the catalogue does not know it".to_owned(),
        Fate::Filtered(filter) => format!("kept out by the filter {filter}"),
        Fate::NotProposed => "no source proposed it".to_owned(),
        Fate::NotChosen => "proposed, where the shares of the candidates were full".to_owned(),
        Fate::Behind { rank, score, order_rank, moved_by } => {
            let rules = if moved_by.is_empty() { String::new() } else { format!("; {}", moved_by.join(", ")) };
            let (rank, order_rank, score) = (rank + 1, order_rank + 1, score.get());
            format!("ranked {order_rank} with {score:.3}, place {rank}, behind the list{rules}")
        }
        Fate::Shown { rank } => format!("in the list, place {}", rank + 1),
    }
}

/// The item's title or name; its id where it has none.
pub(crate) fn title(state: &FeatureState, item: ItemIdx) -> String {
    let Some(entry) = state.catalog().get(item) else { return String::new() };
    let named = ["title", "name"].iter().find_map(|name| entry.attributes.labels(name).next());
    named.unwrap_or(entry.id.as_str()).to_owned()
}

/// The texts under which the item is filed: genres, category.
fn labels(state: &FeatureState, item: ItemIdx) -> String {
    let Some(entry) = state.catalog().get(item) else { return String::new() };
    let filed = ["genre", "genres", "category", "categories", "department"];
    filed.iter().flat_map(|name| entry.attributes.labels(name)).take(3).collect::<Vec<_>>().join(", ")
}
