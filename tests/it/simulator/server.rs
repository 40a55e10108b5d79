//! The shared server: its own script, in the Lua that Redis has, on hashes in memory.

use metafield_gateway::quota::{Answer, Question, SCRIPT, keys};
use mlua::{Function, Lua, MultiValue, Table, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The simulation's begin by the server's clock, in milliseconds.
const EPOCH: u64 = 1_800_000_000_000;

/// What it knows, by key and field.
pub type Hashes = BTreeMap<String, BTreeMap<String, String>>;

/// A server that knows what the script needs.
pub struct Server {
    script: Function,
    lua: Lua,
    hashes: Rc<RefCell<Hashes>>,
    now: Rc<Cell<u64>>,
}

impl Server {
    pub fn new() -> Self {
        let lua = Lua::new();
        let hashes = Rc::new(RefCell::new(Hashes::new()));
        let now = Rc::new(Cell::new(0));
        let (known, clock) = (Rc::clone(&hashes), Rc::clone(&now));
        let call = lua
            .create_function(move |lua, arguments: MultiValue| {
                let arguments: Vec<String> =
                    arguments.into_iter().map(|value| text(&value)).collect();
                command(lua, &mut known.borrow_mut(), clock.get(), &arguments)
            })
            .expect("a function");
        let redis = lua.create_table().expect("a table");
        redis.set("call", call).expect("a field");
        lua.globals().set("redis", redis).expect("a global");
        let script = lua.load(SCRIPT).into_function().expect("the script");
        Self {
            script,
            lua,
            hashes,
            now,
        }
    }

    /// Everything is lost.
    pub fn restart(&self) {
        self.hashes.borrow_mut().clear();
    }

    /// What it knows.
    pub fn save(&self) -> Hashes {
        self.hashes.borrow().clone()
    }

    /// It knows what it knew then.
    pub fn restore(&self, hashes: Hashes) {
        self.hashes.replace(hashes);
    }

    pub fn ask(&self, question: &Question, now: u64) -> Answer {
        self.now.set(EPOCH + now);
        let globals = self.lua.globals();
        let list = |items: Vec<String>| self.lua.create_sequence_from(items).expect("a list");
        globals
            .set("KEYS", list(keys("gw", "abc").into()))
            .expect("set");
        globals
            .set("ARGV", list(question.arguments()))
            .expect("set");
        let (numbers, callers): (Table, Vec<String>) = {
            let answer: Table = self.script.call(()).expect("the script runs");
            (
                answer.get(1).expect("numbers"),
                answer.get(2).expect("callers"),
            )
        };
        // As Redis does, which cuts what is no whole number.
        #[expect(clippy::cast_possible_truncation, reason = "as Redis does")]
        let numbers: Vec<i64> = numbers
            .sequence_values::<f64>()
            .map(|number| number.expect("a number") as i64)
            .collect();
        Answer::read(&numbers, &callers).expect("an answer of the script")
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => format!("{number}"),
        other => other.to_string().expect("a string or a number"),
    }
}

fn command(lua: &Lua, hashes: &mut Hashes, now: u64, words: &[String]) -> mlua::Result<Value> {
    let field = |value: Option<&String>| match value {
        Some(text) => lua.create_string(text).map(Value::String),
        None => Ok(Value::Boolean(false)),
    };
    let number = |number: usize| {
        Ok(Value::Number(f64::from(
            u32::try_from(number).expect("few"),
        )))
    };
    let list = |values: Vec<Value>| lua.create_sequence_from(values).map(Value::Table);
    let key = words.get(1).cloned().unwrap_or_default();
    match words[0].as_str() {
        "TIME" => list(vec![
            field(Some(&(now / 1000).to_string()))?,
            field(Some(&(now % 1000 * 1000).to_string()))?,
        ]),
        "HGET" => field(hashes.get(&key).and_then(|hash| hash.get(&words[2]))),
        "HMGET" => {
            let hash = hashes.get(&key);
            let values = words[2..]
                .iter()
                .map(|name| field(hash.and_then(|hash| hash.get(name))));
            list(values.collect::<mlua::Result<_>>()?)
        }
        "HSET" => {
            let hash = hashes.entry(key).or_default();
            for pair in words[2..].chunks_exact(2) {
                hash.insert(pair[0].clone(), pair[1].clone());
            }
            number(words.len())
        }
        "HDEL" => {
            let hash = hashes.entry(key.clone()).or_default();
            hash.remove(&words[2]);
            if hash.is_empty() {
                hashes.remove(&key);
            }
            number(1)
        }
        "HLEN" => number(hashes.get(&key).map_or(0, BTreeMap::len)),
        "HKEYS" => {
            let names = hashes.get(&key).into_iter().flat_map(BTreeMap::keys);
            list(
                names
                    .map(|name| field(Some(name)))
                    .collect::<mlua::Result<_>>()?,
            )
        }
        "EXISTS" => number(usize::from(hashes.contains_key(&key))),
        "RENAME" => {
            let hash = hashes.remove(&key).expect("Redis renames nothing else");
            hashes.insert(words[2].clone(), hash);
            number(1)
        }
        "DEL" => {
            for key in &words[1..] {
                hashes.remove(key);
            }
            number(1)
        }
        "PEXPIRE" => number(1),
        other => panic!("the script uses {other}"),
    }
}
