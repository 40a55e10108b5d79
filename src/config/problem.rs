//! What is wrong with a configuration, told so that it can be put right: where it stands, which key
//! it is about, what is wrong and what would be right. A report names every problem of one run, in
//! the order of the file, and never shows a secret.

use std::fmt;

/// A place in a configuration file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// The start of the file, where what is missing altogether is reported.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A value and the place where it stands. Two of them are equal when their values are.
#[derive(Debug, Clone, Copy)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where the value stands; for a default, where its table stands.
    pub place: Place,
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The dotted path of the key, such as `caller[2].scopes[0]`; empty for a fault of the syntax.
    pub key: String,
    /// What is wrong: lower case, no full stop, never a secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        let Place { line, column } = place;
        Self {
            line,
            column,
            key: key.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The problem for people: `FILE:LINE:COLUMN: KEY: message`, and the hint in a line below. `file` is
    /// shown as it is given.
    pub fn in_file<'p>(&'p self, file: &'p str) -> impl fmt::Display + 'p {
        Line {
            file,
            problem: self,
        }
    }

    /// Where the problem stands.
    pub const fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.column,
        }
    }
}

struct Line<'p> {
    file: &'p str,
    problem: &'p Problem,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            line,
            column,
            key,
            message,
            hint,
        } = self.problem;
        write!(f, "{}:{line}:{column}: ", self.file)?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        f.write_str(message)?;
        match hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// At least one problem, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts what was found; `None` if nothing was.
    pub fn found(mut problems: Vec<Problem>) -> Option<Self> {
        // Stable, so that several problems of one place keep the order in which they were found.
        problems.sort_by_key(Problem::place);
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// These and others together.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self.0.sort_by_key(Problem::place);
        self
    }

    /// The problems in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The report for people: each problem as [`Problem::in_file`], and their number at the end.
    pub fn report<'p>(&'p self, file: &'p str) -> impl fmt::Display + 'p {
        Report {
            file,
            problems: self,
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

struct Report<'p> {
    file: &'p str,
    problems: &'p Problems,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file;
        for problem in self.problems {
            writeln!(f, "{}", problem.in_file(file))?;
        }
        match self.problems.count() {
            1 => writeln!(f, "1 problem"),
            count => writeln!(f, "{count} problems"),
        }
    }
}

/// A text from the file as a message shows it: in backticks, control characters escaped, so that it
/// cannot steer a terminal, and cut after 64 characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let mut kept: String = text.chars().take(LONGEST).flat_map(escaped).collect();
    if text.chars().nth(LONGEST).is_some() {
        kept.push('…');
    }
    format!("`{kept}`")
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    // `escape_debug` would also escape quotes, which harm nobody.
    let plain = matches!(character, '"' | '\'' | '\\').then_some(character);
    let other = plain.is_none().then(|| character.escape_debug());
    plain.into_iter().chain(other.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(line: usize, column: usize) -> Place {
        Place { line, column }
    }

    #[test]
    fn a_report_is_sorted_and_counted() {
        let problems = Problems::found(vec![
            Problem::new(at(9, 1), "caller[0].scope", "unknown key")
                .with_hint("did you mean `scopes`?"),
            Problem::new(at(2, 10), "", "unclosed table"),
            Problem::new(at(2, 3), "workers", "expected an integer, found a string"),
        ])
        .map(|problems| problems.report("gateway.toml").to_string());
        let expected = "\
gateway.toml:2:3: workers: expected an integer, found a string
gateway.toml:2:10: unclosed table
gateway.toml:9:1: caller[0].scope: unknown key
  hint: did you mean `scopes`?
3 problems
";
        assert_eq!(problems.as_deref(), Some(expected));
    }

    #[test]
    fn no_problem_is_none() {
        assert_eq!(Problems::found(Vec::new()), None);
    }

    #[test]
    fn one_problem_is_counted_in_the_singular() {
        let problems = Problems::from(Problem::new(Place::START, "store", "is missing"));
        assert_eq!(
            problems.report("a").to_string(),
            "a:1:1: store: is missing\n1 problem\n"
        );
    }

    #[test]
    fn shown_texts_cannot_steer_a_terminal() {
        for (text, expected) in [
            ("plain", "`plain`".to_owned()),
            ("", "an empty text".to_owned()),
            ("a\u{1b}[2J\n", "`a\\u{1b}[2J\\n`".to_owned()),
            ("\u{202e}x", "`\\u{202e}x`".to_owned()),
            ("it's \"so\" \\ ä", "`it's \"so\" \\ ä`".to_owned()),
            (&"x".repeat(65), format!("`{}…`", "x".repeat(64))),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
