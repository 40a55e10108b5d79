//! BigCommerce's answers, of which the gateway learns whose metafields are: what it learns every other reading
//! finds too, whichever of two equal members counts.
#![no_main]

use fuzz::readings::{self, Read, Wins};
use libfuzzer_sys::fuzz_target;
use metafield_gateway::policy::vocabulary::Id;
use metafield_gateway::policy::{Owner, owner_in, owners_in};

fuzz_target!(|body: &[u8]| {
    let owners = owners_in(body);
    if owners.is_empty() {
        return;
    }
    let read = readings::read(body).expect("a lenient reader reads it too");
    for wins in [Wins::First, Wins::Last] {
        let data = read.member("data", wins).expect("`data`");
        let items = match data {
            Read::Array(list) => list.iter().collect(),
            one => vec![one],
        };
        assert!(owners.len() <= items.len());
        for (id, owner) in &owners {
            let found = items.iter().any(|item| is_of(item, *id, owner, wins));
            assert!(found, "{id:?} {owner:?} {wins:?}");
        }
    }
    for (id, owner) in &owners {
        let alone = owner_in(body, *id);
        assert_eq!(alone.as_ref(), Some(owner).filter(|_| owners.len() == 1));
    }
});

/// Whether an item says this of its metafield.
fn is_of(item: &Read, id: Id, owner: &Owner, wins: Wins) -> bool {
    let number = |name: &str| match item.member(name, wins) {
        Some(Read::Number(number)) => number.parse().ok().and_then(Id::new),
        _ => None,
    };
    let text = |name: &str| match item.member(name, wins) {
        Some(Read::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let kind = item.member("resource_type", wins);
    number("id") == Some(id)
        && number("resource_id") == owner.customer()
        && text("namespace") == Some(owner.namespace())
        && text("key") == Some(owner.key())
        && kind.is_none_or(|kind| *kind == Read::Text("customer".to_owned()))
}
