use shortlist_retrieval::{Allowed, Metric, SearchParams};

use crate::data::{Clusters, DIMENSIONS, build, recall, table};

const K: usize = 100;
const ROWS: usize = 20_000;

/// Asserts a recall that an index reaches and a scan does not: exactly 1 would mean that none was walked.
fn check(rows: &[Vec<f32>], queries: &[Vec<f32>], metric: Metric, least: f64) {
    let table = table(DIMENSIONS, rows);
    let recall = recall(&build(&table, metric), &table, queries, SearchParams::new(K, 1_600), Allowed::All);
    assert!((least..1.0).contains(&recall), "{metric:?}: recall {recall}");
}

#[test]
fn clusters_by_every_metric() {
    let mut clusters = Clusters::new(1);
    let (rows, queries) = (clusters.rows(ROWS), clusters.rows(50));
    for metric in Metric::ALL {
        check(&rows, &queries, metric, 0.97);
    }
}

#[test]
fn harder_search_finds_more() {
    let mut clusters = Clusters::new(7);
    let (rows, queries) = (clusters.rows(ROWS), clusters.rows(50));
    let table = table(DIMENSIONS, &rows);
    let index = build(&table, Metric::Ip);
    let recalls: Vec<f64> = [10, 400, 1_600, 100_000]
        .into_iter()
        .map(|ef| recall(&index, &table, &queries, SearchParams::new(K, ef), Allowed::All))
        .collect();
    assert!(recalls.is_sorted() && recalls[0] < 0.98 && recalls[3] > 0.985, "{recalls:?}");
    assert!(recall(&index, &table, &queries, SearchParams::exact(K), Allowed::All) >= 1.0);
}

#[test]
fn lengths_that_differ_by_orders_of_magnitude() {
    use rand::Rng;
    let mut clusters = Clusters::new(2);
    let mut rows = clusters.rows(ROWS);
    for row in &mut rows {
        let length = 10.0_f32.powf(clusters.random.random_range(-1.0..1.0));
        row.iter_mut().for_each(|x| *x *= length);
    }
    let queries = clusters.rows(50);
    for metric in Metric::ALL {
        check(&rows, &queries, metric, 0.9);
    }
}

#[test]
fn one_giant_row_does_not_hide_the_others() {
    let mut clusters = Clusters::new(3);
    let mut rows = clusters.rows(ROWS);
    rows[2_500] = vec![1e30; DIMENSIONS];
    let queries = clusters.rows(50);
    check(&rows, &queries, Metric::Ip, 0.95);
    check(&rows, &queries, Metric::L2, 0.95);
}

#[test]
fn vectors_of_any_scale_are_found() {
    let mut clusters = Clusters::new(8);
    let (rows, queries) = (clusters.rows(ROWS), clusters.rows(30));
    for scale in [1e-25, 1e25] {
        let rows: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(|x| x * scale).collect()).collect();
        check(&rows, &queries, Metric::Ip, 0.97);
        check(&rows, &queries, Metric::Cosine, 0.97);
    }
}

#[test]
fn many_equal_and_zero_rows_do_not_hide_the_others() {
    let mut clusters = Clusters::new(4);
    let cold = clusters.vector();
    let rows: Vec<_> = (0..ROWS)
        .map(|i| match i % 10 {
            0 => cold.clone(),
            1 => vec![0.0; DIMENSIONS],
            _ => clusters.vector(),
        })
        .collect();
    let queries = clusters.rows(50);
    for metric in Metric::ALL {
        check(&rows, &queries, metric, 0.95);
    }
}

#[test]
fn rows_in_order_of_cluster_are_found() {
    let mut clusters = Clusters::new(5);
    let mut rows = clusters.rows(ROWS);
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let queries = clusters.rows(50);
    check(&rows, &queries, Metric::Ip, 0.97);
}
