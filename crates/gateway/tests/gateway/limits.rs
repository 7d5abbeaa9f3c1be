use std::path::Path;

use shortlist_types::Limit;

const BEGIN: &str = "<!-- Made from the constants: `UPDATE_LIMITS=1 cargo test -p shortlist-gateway limits`. -->\n";

fn table(title: &str, limits: &[Limit]) -> String {
    let rows: String = limits.iter().map(|limit| format!("{}\n", limit.row())).collect();
    format!("\n## {title}\n\n| limit | value | what it bounds, and what happens beyond it |\n|---|--:|---|\n{rows}")
}

#[test]
fn the_limits_in_the_documentation_are_the_constants() {
    let tables = table("Of requests, and of what is kept", shortlist_types::limits::ALL)
        + &table("Of connections, and of the service as a whole", shortlist_gateway::LIMITS);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md");
    let kept = std::fs::read_to_string(&path).unwrap();
    let (prose, _) = kept.split_once(BEGIN).unwrap();
    let wanted = format!("{prose}{BEGIN}{tables}");
    if std::env::var_os("UPDATE_LIMITS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(kept == wanted, "docs/limits.md differs; run this test with UPDATE_LIMITS=1 and look at the change");
    }
}
