use std::iter::Peekable;
use std::str::CharIndices;

use shortlist_types::InvalidInput;

/// A word of an expression, and the byte that it begins with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// An attribute, or a word such as `and`.
    Name(String),
    /// An attribute in backticks: never a word.
    Quoted(String),
    Text(String),
    Number(f64),
    /// `=`, `(` and their like.
    Sign(&'static str),
    End,
}

/// All signs; longer ones before their beginnings.
const SIGNS: [&str; 12] = ["<=", ">=", "!=", "==", "<", ">", "=", "(", ")", "[", "]", ","];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, InvalidInput> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some(&(start, first)) = chars.peek() {
        let kind = match first {
            _ if first.is_whitespace() => {
                chars.next();
                continue;
            }
            '"' | '\'' | '`' => {
                chars.next();
                let inside = delimited(&mut chars, first).ok_or_else(|| error(text, start, "a quote that closes"))?;
                if first == '`' { Kind::Quoted(inside) } else { Kind::Text(inside) }
            }
            _ if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') => {
                let word = word(&mut chars, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
                let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
                Kind::Number(number.ok_or_else(|| error(text, start, "a finite number"))?)
            }
            _ if first.is_alphabetic() || first == '_' => {
                Kind::Name(word(&mut chars, |c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')))
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| text[start..].starts_with(sign));
                let sign = sign.ok_or_else(|| error(text, start, "a name, a value or a sign"))?;
                chars.nth(sign.len() - 1);
                Kind::Sign(sign)
            }
        };
        found.push(Token { kind, start });
    }
    found.push(Token { kind: Kind::End, start: text.len() });
    Ok(found)
}

fn word(chars: &mut Peekable<CharIndices<'_>>, belongs: impl Fn(char) -> bool) -> String {
    let mut word = String::new();
    while let Some((_, c)) = chars.next_if(|(_, c)| belongs(*c)) {
        word.push(c);
    }
    word
}

/// What stands before the closing mark; a backslash takes the next character as it is.
fn delimited(chars: &mut Peekable<CharIndices<'_>>, mark: char) -> Option<String> {
    let mut inside = String::new();
    loop {
        match chars.next()?.1 {
            '\\' => inside.push(chars.next()?.1),
            c if c == mark => return Some(inside),
            c => inside.push(c),
        }
    }
}

/// An attribute as it can be written anywhere.
pub(super) fn name(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('`', "\\`");
    format!("`{escaped}`")
}

/// A text as it is written.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// That something else was expected at byte `start` of `text`; the place is told in characters, from 1.
pub(super) fn error(text: &str, start: usize, expected: &str) -> InvalidInput {
    let rest: String = text[start..].chars().take(12).collect();
    let got = if rest.is_empty() { "the end".to_owned() } else { format!("{rest:?}") };
    let place = text[..start].chars().count() + 1;
    InvalidInput::new("filter", format!("expected {expected} at character {place}, got {got}"))
}
