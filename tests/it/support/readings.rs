//! Other readings of JSON than the gateway's, as parsers behind it might make: a lenient reader that
//! takes comments, a byte-order mark, single quotes, bare keys, trailing commas, `NaN`, control
//! characters, and any rest after the value. It keeps every member in its order, so that the first of
//! two equal keys can win as well as the last.

use metafield_gateway::policy::vocabulary::{PermissionSet, Verb};
use metafield_gateway::policy::{Item, Rules, UnknownFields};

/// A value as the lenient reader sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// `null`, booleans, and words that no JSON has.
    Word(String),
    /// A number's text.
    Number(String),
    Text(String),
    Array(Vec<Read>),
    /// Every member, equal keys too.
    Object(Vec<(String, Read)>),
}

/// Which of several members with equal keys counts, and what makes keys equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wins {
    First,
    Last,
    /// The first whose key is equal after folding case and dropping `_`, `-` and spaces.
    FirstFolded,
    /// The last of those.
    LastFolded,
}

/// Every reading there is.
pub const ALL: [Wins; 4] = [Wins::First, Wins::Last, Wins::FirstFolded, Wins::LastFolded];

impl Read {
    /// A member's value, as this reading finds it.
    pub fn member(&self, name: &str, wins: Wins) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut found = members.iter().filter(|(key, _)| match wins {
            Wins::First | Wins::Last => key == name,
            Wins::FirstFolded | Wins::LastFolded => folded(key) == folded(name),
        });
        let member = match wins {
            Wins::First | Wins::FirstFolded => found.next(),
            Wins::Last | Wins::LastFolded => found.next_back(),
        };
        member.map(|(_, value)| value)
    }

    /// Every key at every depth.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::Array(items) => items.iter().flat_map(Self::keys).collect(),
            Self::Object(members) => members
                .iter()
                .flat_map(|(key, value)| std::iter::once(key.as_str()).chain(value.keys()))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// How many containers stand within each other.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => {
                1 + members
                    .iter()
                    .map(|(_, value)| value.depth())
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Whether an object somewhere has a key twice.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Array(items) => items.iter().any(Self::repeats),
            Self::Object(members) => {
                let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
                keys.sort_unstable();
                keys.windows(2).any(|pair| pair[0] == pair[1])
                    || members.iter().any(|(_, value)| value.repeats())
            }
            _ => false,
        }
    }
}

/// A key as a reader sees it that cares for letters and digits alone.
pub fn folded(key: &str) -> String {
    key.chars()
        .filter(|letter| !matches!(letter, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Reads the first value in these bytes, as leniently as it can; `None` where even that finds none.
pub fn read(bytes: &[u8]) -> Option<Read> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader {
        rest: text.trim_start_matches('\u{feff}').chars().peekable(),
        left: 200,
    };
    reader.value()
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    /// How much deeper it may go.
    left: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Option<Read> {
        self.skip();
        match *self.rest.peek()? {
            '{' => self.object(),
            '[' => self.array(),
            quote @ ('"' | '\'') => {
                self.rest.next();
                Some(Read::Text(self.text(quote)))
            }
            '-' | '+' | '.' | '0'..='9' => Some(Read::Number(self.word())),
            letter if letter.is_alphanumeric() => Some(Read::Word(self.word())),
            _ => None,
        }
    }

    fn object(&mut self) -> Option<Read> {
        self.left = self.left.checked_sub(1)?;
        self.rest.next();
        let mut members = Vec::new();
        loop {
            self.skip();
            let key = match *self.rest.peek()? {
                '}' => {
                    self.rest.next();
                    break;
                }
                ',' => {
                    self.rest.next();
                    continue;
                }
                quote @ ('"' | '\'') => {
                    self.rest.next();
                    self.text(quote)
                }
                _ => self.word(),
            };
            self.skip();
            self.rest.next_if_eq(&':')?;
            members.push((key, self.value()?));
        }
        self.left += 1;
        Some(Read::Object(members))
    }

    fn array(&mut self) -> Option<Read> {
        self.left = self.left.checked_sub(1)?;
        self.rest.next();
        let mut items = Vec::new();
        loop {
            self.skip();
            match *self.rest.peek()? {
                ']' => {
                    self.rest.next();
                    break;
                }
                ',' => {
                    self.rest.next();
                }
                _ => items.push(self.value()?),
            }
        }
        self.left += 1;
        Some(Read::Array(items))
    }

    /// The text up to its closing quote, which was opened before.
    fn text(&mut self, quote: char) -> String {
        let mut units: Vec<u16> = Vec::new();
        while let Some(letter) = self.rest.next() {
            let letter = match letter {
                end if end == quote => break,
                '\\' => match self.rest.next() {
                    Some('u') => {
                        let digits: String = (0..4).map_while(|_| self.rest.next()).collect();
                        units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
                        continue;
                    }
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some(other) => other,
                    None => break,
                },
                other => other,
            };
            units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
        }
        String::from_utf16_lossy(&units)
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self
            .rest
            .next_if(|letter| letter.is_alphanumeric() || "+-._$".contains(*letter))
        {
            word.push(letter);
        }
        word
    }

    /// White space and comments.
    fn skip(&mut self) {
        loop {
            while self.rest.next_if(|letter| letter.is_whitespace()).is_some() {}
            let mut ahead = self.rest.clone();
            match (ahead.next(), ahead.peek()) {
                (Some('#'), _) | (Some('/'), Some('/')) => {
                    while self.rest.next_if(|letter| *letter != '\n').is_some() {}
                }
                (Some('/'), Some('*')) => {
                    self.rest.next();
                    self.rest.next();
                    let mut star = false;
                    for letter in self.rest.by_ref() {
                        if star && letter == '/' {
                            break;
                        }
                        star = letter == '*';
                    }
                }
                _ => return,
            }
        }
    }
}

/// Every reading of a body that was allowed finds what the gateway found.
pub fn check_readings(verb: Verb, rules: &Rules, body: &[u8], items: &[Item]) {
    if !verb.has_body() {
        return assert!(body.is_empty());
    }
    let text = std::str::from_utf8(body).expect("UTF-8");
    let tree = tree(text).expect("JSON");
    let read = read(body).expect("JSON for a lenient reader too");
    assert!(!read.repeats() && read.depth() <= 32);
    assert_eq!(
        members(&tree),
        read.keys().len(),
        "no key was lost to another"
    );
    let found: Vec<&Read> = match &read {
        Read::Array(items) if verb.is_batch() => items.iter().collect(),
        object => vec![object],
    };
    assert_eq!(found.len(), items.len());
    for (read, item) in found.iter().zip(items) {
        if verb == Verb::DeleteBatch {
            let id = item.id.expect("an id").get().to_string();
            assert_eq!(**read, Read::Number(id));
            continue;
        }
        for wins in ALL {
            check_reading(read, wins, item);
        }
    }
    check_keys(verb, rules, &found);
}

fn check_reading(read: &Read, wins: Wins, item: &Item) {
    let id = item.id.map(|id| Read::Number(id.get().to_string()));
    assert_eq!(read.member("id", wins), id.as_ref(), "{wins:?}");
    let set = item.permission_set.map(PermissionSet::as_str);
    let texts = [
        ("permission_set", set),
        ("namespace", item.namespace.as_deref()),
        ("key", item.key.as_deref()),
    ];
    for (name, text) in texts {
        let text = text.map(|text| Read::Text(text.to_owned()));
        assert_eq!(read.member(name, wins), text.as_ref(), "{name} {wins:?}");
    }
}

/// Fields stand in the metafields themselves and nowhere deeper, whatever their spelling.
fn check_keys(verb: Verb, rules: &Rules, found: &[&Read]) {
    const FIELDS: [&str; 11] = [
        "date_created",
        "date_modified",
        "description",
        "id",
        "key",
        "namespace",
        "owner_client_id",
        "permission_set",
        "resource_id",
        "resource_type",
        "value",
    ];
    for read in found {
        let Read::Object(members) = read else {
            assert_eq!(verb, Verb::DeleteBatch);
            continue;
        };
        for (key, value) in members {
            let is_field = FIELDS.contains(&key.as_str());
            let forwards = rules.unknown_fields == UnknownFields::Forward;
            assert!(is_field || forwards, "{key}");
            let deeper = value.keys();
            let spelt = deeper
                .iter()
                .copied()
                .chain((!is_field).then_some(key.as_str()));
            for key in spelt {
                assert!(
                    !FIELDS.iter().any(|field| folded(field) == folded(key)),
                    "{key}"
                );
            }
        }
    }
}

/// How many members there are, at every depth.
pub fn members(tree: &serde_json::Value) -> usize {
    match tree {
        serde_json::Value::Array(items) => items.iter().map(members).sum(),
        serde_json::Value::Object(object) => {
            object.len() + object.values().map(members).sum::<usize>()
        }
        _ => 0,
    }
}

/// The reading of a parser in common use, in which the last of equal keys wins.
#[expect(clippy::disallowed_methods, reason = "another reading is the point")]
pub fn tree(text: &str) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(text)
}
