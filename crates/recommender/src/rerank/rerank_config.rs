use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::{ATTRIBUTE_NAME_BYTES_MAX, K_MAX};
use shortlist_types::{InvalidInput, Timestamp};

use super::Explore;
use super::active::Active;

const CAPS_MAX: usize = 8;
const BOOSTS_MAX: usize = 64;
const PINS_MAX: usize = 64;
/// Largest boost either way: ten times as far as the best candidate is from the worst.
const BOOST_MAX: f64 = 10.0;
const FADES_DAYS_MAX: f64 = 3_650.0;

/// `[surfaces.NAME.rerank]`: what the surface wants of its list as a whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RerankConfig {
    /// How much likeness to the items above counts against an item, 0 to 1. At 0 it counts nothing; at 1 nothing else
    /// counts. It is 1 - lambda of maximal marginal relevance (Carbonell and Goldstein 1998).
    pub diversity: f64,
    /// The attribute whose shared values make items alike; none: their vectors do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diversity_by: Option<String>,
    /// Attributes, each with how often one value of it may stand in a list.
    pub caps: BTreeMap<String, Cap>,
    /// Kinds of items that are moved up or down.
    pub boosts: Vec<Boost>,
    /// Items with a place of their own.
    pub pins: Vec<Pin>,
    /// Places that are drawn at random; none: the list is what the rules make of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explore: Option<Explore>,
}

/// How often one value of an attribute may stand in a list, and how close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Most items of a list with the same value; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// Fewest other items between two with the same value.
    #[serde(default)]
    pub apart: usize,
}

/// A kind of items that is moved up or down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boost {
    /// A filter expression that says which; none: all.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// What is added to their score, on a scale on which the worst candidate has 0 and the best one 1; negative to
    /// move them down.
    pub by: f64,
    /// For what is new: days over which it fades to nothing, from the item's first appearance on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fades_days: Option<f64>,
    /// When it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// An item with a place of its own, for everybody whom no filter keeps it from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Which item.
    pub item_id: String,
    /// Its place, from 1.
    pub position: usize,
    /// When it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Boost {
    pub(super) fn active(&self) -> Active {
        Active { from: self.from, until: self.until }
    }
}

impl Pin {
    pub(super) fn active(&self) -> Active {
        Active { from: self.from, until: self.until }
    }
}

impl RerankConfig {
    /// Whether it leaves every list as it is.
    pub(super) fn is_nothing(&self) -> bool {
        let no_rules = self.caps.is_empty() && self.boosts.is_empty() && self.pins.is_empty();
        no_rules && self.diversity <= 0.0 && self.explore.is_none()
    }

    /// Checks all but the expressions.
    pub(super) fn check(&self) -> Result<(), InvalidInput> {
        if !(0.0..=1.0).contains(&self.diversity) {
            return Err(InvalidInput::new("diversity", format!("must be 0 to 1, got {}", self.diversity)));
        }
        for (field, count, most) in [
            ("caps", self.caps.len(), CAPS_MAX),
            ("boosts", self.boosts.len(), BOOSTS_MAX),
            ("pins", self.pins.len(), PINS_MAX),
        ] {
            if count > most {
                return Err(InvalidInput::new(field, format!("must be at most {most}, got {count}")));
            }
        }
        for attribute in self.caps.keys().chain(&self.diversity_by) {
            if attribute.is_empty() || attribute.len() > ATTRIBUTE_NAME_BYTES_MAX {
                let reason =
                    format!("names of attributes have 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes, got {attribute:?}");
                return Err(InvalidInput::new("caps", reason));
            }
        }
        for (attribute, cap) in &self.caps {
            if cap.most == Some(0) || (cap.most.is_none() && cap.apart == 0) {
                let reason = "needs most, 1 or more, or apart, 1 or more; what is not to be shown at all is a filter";
                return Err(InvalidInput::new(format!("caps.{attribute}"), reason));
            }
        }
        if let Some(explore) = &self.explore {
            explore.check().map_err(|error| error.within("explore"))?;
        }
        for (i, boost) in self.boosts.iter().enumerate() {
            let at = |field: &str| format!("boosts[{i}].{field}");
            if !(-BOOST_MAX..=BOOST_MAX).contains(&boost.by) {
                return Err(InvalidInput::new(
                    at("by"),
                    format!("must be -{BOOST_MAX} to {BOOST_MAX}, got {}", boost.by),
                ));
            }
            if let Some(days) = boost.fades_days.filter(|days| !(*days > 0.0 && *days <= FADES_DAYS_MAX)) {
                let reason = format!("must be above 0, at most {FADES_DAYS_MAX}, got {days}");
                return Err(InvalidInput::new(at("fades_days"), reason));
            }
            boost.active().check().map_err(|error| error.within(format!("boosts[{i}]")))?;
        }
        for (i, pin) in self.pins.iter().enumerate() {
            if !(1..=K_MAX).contains(&pin.position) {
                let reason = format!("must be 1 to {K_MAX}, got {}", pin.position);
                return Err(InvalidInput::new(format!("pins[{i}].position"), reason));
            }
            if self.pins[..i].iter().any(|other| other.item_id == pin.item_id) {
                let reason = format!("{:?} is pinned twice", pin.item_id);
                return Err(InvalidInput::new(format!("pins[{i}].item_id"), reason));
            }
            pin.active().check().map_err(|error| error.within(format!("pins[{i}]")))?;
        }
        Ok(())
    }
}
