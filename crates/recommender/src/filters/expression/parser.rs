use shortlist_types::InvalidInput;
use shortlist_types::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_VALUES_MAX};

use super::lexer::{Kind, Token, error, tokens};
use super::{Bounds, Node, Value};

/// Words that are no attributes unless they stand in backticks.
const WORDS: [&str; 7] = ["and", "or", "not", "in", "between", "true", "false"];

pub(super) fn parse(text: &str) -> Result<Node, InvalidInput> {
    if text.len() > FILTER_BYTES_MAX {
        let reason = format!("must be at most {FILTER_BYTES_MAX} bytes, got {}", text.len());
        return Err(InvalidInput::new("filter", reason));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, values: 0 };
    let node = parser.either()?;
    match parser.peek() {
        Kind::End => Ok(node),
        _ => Err(parser.expected("and, or, or the end")),
    }
}

/// Recursive descent, a method per level of binding.
struct Parser<'a> {
    text: &'a str,
    /// The last is [`Kind::End`].
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    values: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn expected(&self, what: &str) -> InvalidInput {
        error(self.text, self.tokens[self.at].start, what)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Kind::Name(name) if name.eq_ignore_ascii_case(word));
        self.at += usize::from(is_it);
        is_it
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Kind::Sign(known) if *known == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn either(&mut self) -> Result<Node, InvalidInput> {
        self.joined("or", Self::both, Node::Or)
    }

    fn both(&mut self) -> Result<Node, InvalidInput> {
        self.joined("and", Self::unary, Node::And)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Node, InvalidInput>,
        join: fn(Vec<Node>) -> Node,
    ) -> Result<Node, InvalidInput> {
        let first = part(self)?;
        let mut nodes = vec![first];
        while self.take_word(word) {
            nodes.push(part(self)?);
        }
        Ok(if nodes.len() > 1 { join(nodes) } else { nodes.remove(0) })
    }

    fn unary(&mut self) -> Result<Node, InvalidInput> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(InvalidInput::new("filter", format!("must nest at most {FILTER_DEPTH_MAX} deep")));
        }
        let node = if self.take_word("not") {
            Node::Not(Box::new(self.unary()?))
        } else if self.take_sign("(") {
            let inside = self.either()?;
            if !self.take_sign(")") {
                return Err(self.expected("a closing bracket"));
            }
            inside
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, InvalidInput> {
        let name = match self.peek() {
            Kind::Quoted(name) => name.clone(),
            Kind::Name(name) if !is_word(name) => name.clone(),
            _ => return Err(self.expected("an attribute, not or a bracket")),
        };
        self.at += 1;
        if self.take_word("in") {
            return Ok(Node::In(name, self.list()?));
        }
        if self.take_word("not") {
            if !self.take_word("in") {
                return Err(self.expected("in"));
            }
            return Ok(Node::NotIn(name, self.list()?));
        }
        if self.take_word("between") {
            let least = self.number()?;
            if !self.take_word("and") {
                return Err(self.expected("and"));
            }
            let most = self.number()?;
            return Ok(Node::Within(name, Bounds { least, with_least: true, most, with_most: true }));
        }
        let Kind::Sign(sign) = *self.peek() else { return Ok(Node::In(name, vec![Value::Bool(true)])) };
        let all = Bounds { least: f64::MIN, with_least: true, most: f64::MAX, with_most: true };
        match sign {
            "=" | "==" => {
                self.at += 1;
                Ok(Node::In(name, vec![self.value()?]))
            }
            "!=" => {
                self.at += 1;
                Ok(Node::NotIn(name, vec![self.value()?]))
            }
            "<" | "<=" => {
                self.at += 1;
                Ok(Node::Within(name, Bounds { most: self.number()?, with_most: sign == "<=", ..all }))
            }
            ">" | ">=" => {
                self.at += 1;
                Ok(Node::Within(name, Bounds { least: self.number()?, with_least: sign == ">=", ..all }))
            }
            _ => Ok(Node::In(name, vec![Value::Bool(true)])),
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, InvalidInput> {
        if !self.take_sign("[") {
            return Err(self.expected("a list in square brackets"));
        }
        let mut values = vec![self.value()?];
        while self.take_sign(",") {
            values.push(self.value()?);
        }
        if self.take_sign("]") { Ok(values) } else { Err(self.expected("a comma or a closing square bracket")) }
    }

    fn value(&mut self) -> Result<Value, InvalidInput> {
        self.values += 1;
        if self.values > FILTER_VALUES_MAX {
            return Err(InvalidInput::new("filter", format!("must name at most {FILTER_VALUES_MAX} values")));
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.take_word(word) {
                return Ok(Value::Bool(value));
            }
        }
        let value = match self.peek() {
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Number(number) => Value::Number(*number),
            _ => return Err(self.expected("a text in quotes, a number, true or false")),
        };
        self.at += 1;
        Ok(value)
    }

    fn number(&mut self) -> Result<f64, InvalidInput> {
        match *self.peek() {
            Kind::Number(number) => {
                self.at += 1;
                Ok(number)
            }
            _ => Err(self.expected("a number")),
        }
    }
}

fn is_word(name: &str) -> bool {
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}
