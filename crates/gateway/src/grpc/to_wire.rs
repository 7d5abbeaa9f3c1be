//! Answers in the words of [`crate::api`] as messages.

use std::collections::BTreeMap;

use shortlist_proto::v1::{self, attribute_value::Value};
use shortlist_types::{AttributeValue, Attributes};

use crate::api::{
    ChangeResponse, ExperimentView, ExplanationView, IngestResponse, ItemPage, ItemView, RecommendResponse,
    RecommendedItemView, RefusedRow, SimilarResponse, UserPage, UserView, WhyNotView,
};

pub(super) fn recommend(response: RecommendResponse) -> v1::RecommendResponse {
    let RecommendResponse { request_id, items, bundle, experiment, log_seq, degraded, timings, score_kind, why_not } =
        response;
    v1::RecommendResponse {
        request_id,
        items: items.into_iter().map(recommended_item).collect(),
        bundle,
        experiment: experiment.map(|ExperimentView { name, variant }| v1::Experiment { name, variant }),
        log_seq,
        degraded: texts(&degraded),
        timings: named(timings),
        score_kind: score_kind.to_owned(),
        why_not: why_not.into_iter().map(fate).collect(),
    }
}

fn fate(WhyNotView { item_id, fate, by, rank, score, order_rank, moved_by }: WhyNotView) -> v1::WhyNot {
    v1::WhyNot { item_id, fate: fate.to_owned(), by: by.map(str::to_owned), rank, score, order_rank, moved_by }
}

fn recommended_item(item: RecommendedItemView) -> v1::RecommendedItem {
    let RecommendedItemView { item_id, score, probabilities, rank, sources, explanation } = item;
    let sources =
        sources.iter().map(|hit| v1::SourceHit { source: hit.source.to_owned(), rank: hit.rank, score: hit.score });
    v1::RecommendedItem {
        item_id,
        score,
        rank,
        sources: sources.collect(),
        explanation: explanation.map(explained),
        probabilities,
    }
}

fn explained(explanation: ExplanationView) -> v1::Explanation {
    let contributions = explanation
        .contributions
        .iter()
        .map(|one| v1::Contribution { feature: one.feature.to_owned(), contribution: one.contribution });
    v1::Explanation {
        retrieval_score: explanation.retrieval_score,
        retrieval_rank: explanation.retrieval_rank,
        order_rank: explanation.order_rank,
        contributions: contributions.collect(),
        moved_by: explanation.moved_by.clone(),
        base_score: explanation.base_score,
        propensity: explanation.propensity,
        sentence: explanation.sentence.clone(),
    }
}

pub(super) fn similar(response: SimilarResponse) -> v1::SimilarResponse {
    let SimilarResponse { request_id, items, bundle, log_seq, degraded, timings } = response;
    let items =
        items.into_iter().map(|item| v1::SimilarItem { item_id: item.item_id, score: item.score, rank: item.rank });
    v1::SimilarResponse {
        request_id,
        items: items.collect(),
        bundle,
        log_seq,
        degraded: texts(&degraded),
        timings: named(timings),
    }
}

pub(super) fn ingest(response: IngestResponse) -> v1::IngestEventsResponse {
    let IngestResponse { accepted, duplicates, log_seq, refused } = response;
    v1::IngestEventsResponse { accepted, duplicates, log_seq, refused: rows(refused) }
}

pub(super) fn change(response: ChangeResponse) -> v1::ChangeResponse {
    let ChangeResponse { accepted, log_seq, refused } = response;
    v1::ChangeResponse { accepted, log_seq, refused: rows(refused) }
}

fn rows(refused: Vec<RefusedRow>) -> Vec<v1::RefusedRow> {
    let row = |RefusedRow { row, code, field, detail }| v1::RefusedRow { row, code: code.to_owned(), field, detail };
    refused.into_iter().map(row).collect()
}

pub(super) fn items(page: ItemPage) -> v1::ListItemsResponse {
    v1::ListItemsResponse { items: page.items.into_iter().map(item).collect(), next: page.next }
}

pub(super) fn users(page: UserPage) -> v1::ListUsersResponse {
    v1::ListUsersResponse { users: page.users.into_iter().map(user).collect(), next: page.next }
}

pub(super) fn item(item: ItemView) -> v1::Item {
    let ItemView { item_id, attributes: named, available, embedding } = item;
    v1::Item {
        item_id: item_id.into(),
        attributes: attributes(&named),
        available: Some(available),
        embedding: embedding.map(Vec::from).unwrap_or_default(),
    }
}

pub(super) fn user(user: UserView) -> v1::User {
    v1::User { user_id: user.user_id.into(), attributes: attributes(&user.attributes) }
}

fn attributes(attributes: &Attributes) -> BTreeMap<String, v1::AttributeValue> {
    let pairs = attributes.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::Text(text) => Value::StringValue(text.clone()),
            AttributeValue::Number(number) => Value::NumberValue(*number),
            AttributeValue::Bool(value) => Value::BoolValue(*value),
            AttributeValue::List(texts) => Value::ListValue(v1::StringList { values: texts.clone() }),
        };
        (name.to_owned(), v1::AttributeValue { value: Some(value) })
    });
    pairs.collect()
}

fn texts(texts: &[&'static str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn named(timings: BTreeMap<&'static str, f64>) -> BTreeMap<String, f64> {
    timings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
