//! Filter expressions: what a request says of the items that it wants.
//!
//! ```text
//! genre in ["Drama", "Crime"] and price between 5 and 20 and not adult
//! ```
//!
//! Names are attributes of items. `=` and `!=` compare a text, a number or a bool; a list has each of its texts. `<`,
//! `<=`, `>`, `>=` and `between`, with both ends, compare numbers. `in` asks for one of several values. A name alone
//! is true where the attribute is `true`. An item that lacks the attribute fails every comparison, `!=` too, and `not`
//! turns that round; a value of another type is never equal, less or greater. `and` binds closer than `or`, `not`
//! closer than both.

mod allow_set;
mod lexer;
mod parser;

use std::fmt;

use shortlist_features::CatalogItem;
use shortlist_types::{AttributeValue, InvalidInput};

pub(crate) use allow_set::AllowSet;

/// A parsed filter expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// The attribute is one of the values; a list, if it holds one.
    In(String, Vec<Value>),
    /// The attribute is there, and is none of the values.
    NotIn(String, Vec<Value>),
    /// The attribute is a number from here to there.
    Within(String, Bounds),
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// A range of numbers; an end may be left out of it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bounds {
    least: f64,
    with_least: bool,
    most: f64,
    with_most: bool,
}

impl Bounds {
    fn hold(self, number: f64) -> bool {
        let above = number > self.least || (self.with_least && number >= self.least);
        above && (number < self.most || (self.with_most && number <= self.most))
    }
}

impl Value {
    fn is(&self, known: &AttributeValue) -> bool {
        match (self, known) {
            (Self::Text(text), AttributeValue::Text(known)) => text == known,
            (Self::Text(text), AttributeValue::List(known)) => known.contains(text),
            // An exact comparison is what was asked for.
            #[allow(clippy::float_cmp)]
            (Self::Number(number), AttributeValue::Number(known)) => number == known,
            (Self::Bool(value), AttributeValue::Bool(known)) => value == known,
            _ => false,
        }
    }
}

impl Expression {
    /// Parses a filter expression.
    ///
    /// # Errors
    /// What stands where something else was expected, with its place in the text, or a text beyond the limits.
    ///
    /// ```
    /// use shortlist_recommender::Expression;
    /// assert!(Expression::parse(r#"genre = "Drama" and price < 20"#).is_ok());
    /// let error = Expression::parse("price < ").unwrap_err().to_string();
    /// assert_eq!(error, "filter: expected a number at character 9, got the end");
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        parser::parse(text).map(Self)
    }

    /// Whether an item is one of those that it asks for.
    ///
    /// **Cost**: one lookup by name per comparison that is reached.
    pub fn holds(&self, item: &CatalogItem) -> bool {
        self.0.holds(item)
    }
}

impl Node {
    fn holds(&self, item: &CatalogItem) -> bool {
        match self {
            Self::And(all) => all.iter().all(|node| node.holds(item)),
            Self::Or(any) => any.iter().any(|node| node.holds(item)),
            Self::Not(node) => !node.holds(item),
            Self::In(name, values) => {
                item.attributes.get(name).is_some_and(|known| values.iter().any(|value| value.is(known)))
            }
            Self::NotIn(name, values) => {
                item.attributes.get(name).is_some_and(|known| !values.iter().any(|value| value.is(known)))
            }
            Self::Within(name, bounds) => item.attributes.number(name).is_some_and(|number| bounds.hold(number)),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// In full brackets, so that it parses to the same again.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, nodes: &[Self], with: &str| {
            f.write_str("(")?;
            for (place, node) in nodes.iter().enumerate() {
                if place > 0 {
                    write!(f, " {with} ")?;
                }
                write!(f, "{node}")?;
            }
            f.write_str(")")
        };
        let list = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::And(nodes) => joined(f, nodes, "and"),
            Self::Or(nodes) => joined(f, nodes, "or"),
            Self::Not(node) => write!(f, "not {node}"),
            Self::In(name, values) => write!(f, "{} in [{}]", lexer::name(name), list(values)),
            Self::NotIn(name, values) => match values.as_slice() {
                [value] => write!(f, "{} != {value}", lexer::name(name)),
                values => write!(f, "{} not in [{}]", lexer::name(name), list(values)),
            },
            Self::Within(name, Bounds { least, with_least, most, with_most }) => {
                let name = lexer::name(name);
                let low = format!("{name} {} {least:?}", if *with_least { ">=" } else { ">" });
                let high = format!("{name} {} {most:?}", if *with_most { "<=" } else { "<" });
                match (*least > f64::MIN || !*with_least, *most < f64::MAX || !*with_most) {
                    (true, true) => write!(f, "({low} and {high})"),
                    (true, false) => f.write_str(&low),
                    _ => f.write_str(&high),
                }
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&lexer::quoted(text)),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests;
