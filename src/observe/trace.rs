//! What a request did when, for those that are traced (W3C Trace Context, level 1). A request that is not traced
//! costs a look at one header field, and that only where there is a collector.

use http::{HeaderMap, HeaderName};
use std::cell::Cell;
use std::time::Duration;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace that a request is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Never zero.
    pub trace: [u8; 16],
    /// The span that the request was sent in; never zero.
    pub parent: [u8; 8],
    /// Whether its sender traces it.
    pub is_sampled: bool,
}

/// A step of a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Whose it is, also with keys that had to be fetched.
    Identify,
    /// Its caller's limits, its turn, its share of the quota.
    Quota,
    /// Its body arrives.
    Body,
    /// Its body is judged.
    Judge,
    /// Whose its metafields are, remembered or looked up.
    Ownership,
    /// BigCommerce is asked, and answers.
    Upstream,
    /// The answer is passed on, or the request is refused.
    Answer,
}

impl Step {
    /// The name of its span.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Quota => "quota",
            Self::Body => "body",
            Self::Judge => "judge",
            Self::Ownership => "ownership",
            Self::Upstream => "BigCommerce",
            Self::Answer => "answer",
        }
    }
}

/// The steps of one request.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The trace that it is a part of; `None`: it begins one.
    pub context: Option<Context>,
    /// Whether its turn would have come although its caller had not said so.
    pub is_turn: bool,
    /// The steps in their order, each with its end, since the request's head had arrived.
    pub steps: Vec<(Step, Duration)>,
}

/// Which requests are traced: those whose callers say so, and a part of those whose callers say nothing. One worker's.
#[derive(Debug)]
pub struct Sampler {
    part: Option<f64>,
    due: Cell<f64>,
}

impl Sampler {
    /// A sampler of this part of the requests; `None`: nothing is traced.
    pub fn new(part: Option<f64>) -> Self {
        Self {
            part,
            due: Cell::new(0.0),
        }
    }

    /// A trace for a request with these header fields, if it is to be traced.
    pub fn begin(&self, headers: &HeaderMap) -> Option<Box<Trace>> {
        let part = self.part?;
        let context = Context::of(headers);
        let is_turn = self.is_turn(part);
        let is_traced = context
            .as_ref()
            .map_or(is_turn, |context| context.is_sampled);
        is_traced.then(|| {
            Box::new(Trace {
                context,
                is_turn,
                steps: Vec::with_capacity(8),
            })
        })
    }

    /// Evenly, so that nobody can choose by anything that it sends.
    fn is_turn(&self, part: f64) -> bool {
        let due = self.due.get() + part;
        let is_turn = due >= 1.0;
        self.due.set(if is_turn { due - 1.0 } else { due });
        is_turn
    }
}

impl Context {
    /// What the header fields say; what is malformed says nothing (section 4.3). `tracestate` is a text of
    /// the caller's own, and nothing is passed on: it is not looked at.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else {
            return None;
        };
        Self::parse(parent.as_bytes())
    }

    /// Section 3.2: version, trace-id, parent-id and flags in lower-case hexadecimal digits. What comes after in a
    /// later version is not looked at.
    fn parse(text: &[u8]) -> Option<Self> {
        let (version, trace, parent, flags) = (
            text.get(..2)?,
            text.get(3..35)?,
            text.get(36..52)?,
            text.get(53..55)?,
        );
        let dashes = [2, 35, 52].map(|at| text.get(at) == Some(&b'-'));
        let [version] = hex::<1>(version)?;
        let ends = text.len() == 55 || (version > 0 && text.get(55) == Some(&b'-'));
        let (trace, parent, [flags]) = (hex::<16>(trace)?, hex::<8>(parent)?, hex::<1>(flags)?);
        let is_valid =
            dashes == [true; 3] && ends && version != 0xff && trace != [0; 16] && parent != [0; 8];
        is_valid.then_some(Self {
            trace,
            parent,
            is_sampled: flags & 1 == 1,
        })
    }
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (to, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *to = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(fields: &[(&HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_context_is_read_to_the_letter() {
        let found = headers(&[(&TRACEPARENT, GOOD)]);
        let found = Context::of(&found).unwrap();
        assert_eq!(found.trace[..2], [0x4b, 0xf9]);
        assert_eq!(found.parent[6..], [0x02, 0xb7]);
        assert!(found.is_sampled);
        for (text, is_read) in [
            (GOOD.replace("-01", "-00"), true),
            (GOOD.replacen("00-", "cc-", 1), true),
            (GOOD.replacen("00-", "cc-", 1) + "-what-comes-later", true),
            (GOOD.to_owned() + "-what-comes-later", false),
            (GOOD.to_owned() + " ", false),
            (GOOD.replacen("00-", "ff-", 1), false),
            (GOOD.to_uppercase(), false),
            (GOOD.replace('-', "_"), false),
            (
                GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
                false,
            ),
            (GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)), false),
            (GOOD.chars().take(54).collect(), false),
            (String::new(), false),
        ] {
            let found = Context::of(&headers(&[(&TRACEPARENT, &text)]));
            assert_eq!(found.is_some(), is_read, "{text}");
        }
        let two = headers(&[(&TRACEPARENT, GOOD), (&TRACEPARENT, GOOD)]);
        assert_eq!(Context::of(&two), None);
    }

    #[test]
    fn so_many_are_traced_and_those_whose_callers_want_it() {
        let none = HeaderMap::new();
        for (part, of_a_thousand) in [(0.0, 0), (0.25, 250), (0.1, 100), (1.0, 1000)] {
            let sampler = Sampler::new(Some(part));
            let traced = (0..1000).filter(|_| sampler.begin(&none).is_some()).count();
            assert!(traced.abs_diff(of_a_thousand) <= 1, "{part}: {traced}");
            let wanted = headers(&[(&TRACEPARENT, GOOD)]);
            assert!(sampler.begin(&wanted).is_some());
            let unwanted = headers(&[(&TRACEPARENT, &GOOD.replace("-01", "-00"))]);
            assert!(sampler.begin(&unwanted).is_none());
        }
        let off = Sampler::new(None);
        assert!(off.begin(&headers(&[(&TRACEPARENT, GOOD)])).is_none());
    }
}
