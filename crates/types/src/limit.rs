use std::fmt;

/// One named limit, as the documentation tells it.
#[derive(Clone, Copy)]
pub struct Limit {
    /// The name of the constant.
    pub name: &'static str,
    /// Its value.
    pub value: &'static (dyn fmt::Debug + Sync),
    /// What it bounds, and what happens beyond it: the constant's own comment, line by line.
    pub lines: &'static [&'static str],
}

/// Declares constants, and `ALL` of them as a table, so that what the documentation says is what holds.
///
/// ```
/// shortlist_types::limits! {
///     /// Most apples of a basket; more are refused.
///     pub const APPLES_MAX: usize = 12_000;
/// }
/// assert_eq!(ALL[0].row(), "| `APPLES_MAX` | 12,000 | Most apples of a basket; more are refused. |");
/// ```
#[macro_export]
macro_rules! limits {
    ($($(#[doc = $line:literal])+ $visible:vis const $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[doc = $line])+ $visible const $name: $type = $value;)+

        /// All limits of this file.
        pub const ALL: &[$crate::Limit] = &[
            $($crate::Limit { name: stringify!($name), value: &$name, lines: &[$($line),+] }),+
        ];
    };
}

impl Limit {
    /// The limit as a row of a Markdown table: name, value, meaning.
    pub fn row(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.trim()).collect();
        // Links of the code's own documentation lead nowhere else.
        let meaning = lines.join(" ").replace("[`", "`").replace("`]", "`");
        format!("| `{}` | {} | {meaning} |", self.name, self.written())
    }

    /// Digits in groups of three, units as they are.
    fn written(&self) -> String {
        let text = format!("{:?}", self.value);
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return text;
        }
        let groups = text.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join(",")
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.written())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_written_for_people() {
        const TENTH: std::time::Duration = std::time::Duration::from_millis(100);
        let written = |value| super::Limit { name: "X", value, lines: &[] }.written();
        assert_eq!(written(&7), "7");
        assert_eq!(written(&2_097_152), "2,097,152");
        assert_eq!(written(&TENTH), "100ms");
        assert_eq!(written(&0.5), "0.5");
    }
}
