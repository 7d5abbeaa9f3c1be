use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use shortlist_store::BundleId;
use shortlist_types::UserId;

use crate::SurfaceConfig;

/// All experiments by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Experiments(pub(super) BTreeMap<String, Experiment>);

/// `[experiments.NAME]`: users split between variants of one surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Where it runs.
    pub surface: String,
    /// What the split depends on beside the user: another salt makes another split.
    pub salt: String,
    /// The variant that the others are compared with.
    pub control: String,
    /// In order of name. Their shares add up to at most 1; who is in none of them is not in the experiment.
    pub variants: BTreeMap<String, Variant>,
}

/// One of the ways that an experiment compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Of all users, above 0, at most 1.
    pub share: f64,
    /// The surface as it is here, where that differs.
    pub settings: Option<SurfaceConfig>,
    /// What serves here instead of the promoted bundle.
    pub bundle: Option<BundleId>,
}

impl Experiments {
    /// All of them in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Experiment)> {
        self.0.iter().map(|(name, experiment)| (name.as_str(), experiment))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The experiment of that name.
    pub fn find(&self, name: &str) -> Option<&Experiment> {
        self.0.get(name)
    }

    /// The bundles that variants serve from.
    pub fn bundles(&self) -> impl Iterator<Item = &BundleId> {
        self.0
            .values()
            .flat_map(|experiment| experiment.variants.values())
            .filter_map(|variant| variant.bundle.as_ref())
    }
}

impl Experiment {
    /// The variant that a user is in, if any: the same at any time on any machine, and with another salt independent of
    /// this one.
    ///
    /// The first 8 bytes of SHA-256 of the salt, a line feed, and the user's name, as a big-endian share of 2^64, fall
    /// on the shares of the variants in order of name.
    ///
    /// **Cost**: under a microsecond.
    pub fn assign(&self, user_id: &UserId) -> Option<&str> {
        let digest =
            Sha256::new().chain_update(&self.salt).chain_update("\n").chain_update(user_id.as_str()).finalize();
        let first = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let at = first as f64 / 2.0_f64.powi(64);
        let mut end = 0.0;
        let found = self.variants.iter().find(|(_, variant)| {
            end += variant.share;
            at < end
        });
        found.map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(salt: &str, shares: &[(&str, f64)]) -> Experiment {
        let variant = |share: f64| Variant { share, settings: None, bundle: None };
        Experiment {
            surface: "home".to_owned(),
            salt: salt.to_owned(),
            control: "control".to_owned(),
            variants: shares.iter().map(|(name, share)| ((*name).to_owned(), variant(*share))).collect(),
        }
    }

    fn user(n: usize) -> UserId {
        UserId::parse(&format!("user-{n}")).unwrap()
    }

    #[test]
    fn users_fall_on_variants_by_share_and_stay() {
        const USERS: usize = 100_000;
        let split = experiment("a", &[("control", 0.5), ("treatment", 0.3)]);
        let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for n in 0..USERS {
            *counts.entry(split.assign(&user(n))).or_default() += 1;
        }
        for (variant, share) in [(Some("control"), 0.5), (Some("treatment"), 0.3), (None, 0.2)] {
            let expected = share * USERS as f64;
            let far = (counts[&variant] as f64 - expected).abs() / (expected * (1.0 - share)).sqrt();
            assert!(far < 4.0, "{variant:?}: {} is {far} deviations from {expected}", counts[&variant]);
        }
        // As `printf 'a\nuser-1' | sha256sum` says: e5de..., a share of 0.898.
        assert_eq!(split.assign(&user(1)), None);
    }

    #[test]
    fn another_salt_makes_an_independent_split() {
        let half = [("control", 0.5), ("treatment", 0.5)];
        let (a, b) = (experiment("a", &half), experiment("b", &half));
        let both = (0..40_000).filter(|n| a.assign(&user(*n)) == b.assign(&user(*n))).count();
        assert!((19_600..20_400).contains(&both), "{both} of 40,000 are in the same variant of both");
    }
}
