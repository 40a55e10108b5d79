//! `[otlp]`: the collector to which traces and audit records go (OpenTelemetry Protocol 1, section "OTLP/HTTP").

use toml::de::DeValue;

use super::origin::{Origin, Scheme};
use crate::config::problem::Located;
use crate::config::reader::{Fault, TableReader, value};

/// `otlp.sample`: a store's quota is 5 to 15 requests a second, all of which a collector can take.
pub const SAMPLE: f64 = 1.0;

/// `otlp.logs`: who names a collector wants what the gateway has to tell.
pub const LOGS: bool = true;

/// Whether this program was built with the feature `otlp`.
const IS_BUILT: bool = cfg!(feature = "otlp");

/// `[otlp]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// The collector's scheme, host and port; `/v1/traces` and `/v1/logs` are appended.
    pub endpoint: Located<Origin>,
    /// The part of the requests that are traced although their callers do not say, from 0 to 1.
    pub sample: f64,
    /// Whether audit records are sent too.
    pub logs: bool,
}

// No number that can be read is without an order.
impl Eq for Otlp {}

pub(super) fn otlp(table: &mut TableReader<'_, '_>) -> Option<Otlp> {
    let hint = "such as `endpoint = \"http://127.0.0.1:4318\"`";
    let endpoint = table.required("endpoint", hint, |found| {
        Origin::parse(value::text(found, "a URL")?)
    });
    let sample = table.or("sample", SAMPLE, part).value;
    let logs = table.or("logs", LOGS, value::boolean).value;
    let allow_plaintext = table.or("allow_plaintext", false, value::boolean).value;
    if let Some(endpoint) = endpoint.as_ref().filter(|_| !allow_plaintext)
        && endpoint.value.scheme == Scheme::Http
        && !endpoint.value.is_loopback()
    {
        let fault = Fault::new("would tell another machine without encryption who changes what")
            .with_hint(
                "write `https://`, or set `allow_plaintext = true` if the way there is trusted",
            );
        table.fault(endpoint.place, "endpoint", fault);
    }
    if !IS_BUILT {
        let fault = Fault::new("this program was built without OTLP").with_hint(
            "build it with `cargo build --release --features otlp` (an image with `--build-arg FEATURES=otlp`), or remove the table",
        );
        table.fault_here(fault);
    }
    Some(Otlp {
        endpoint: endpoint?,
        sample,
        logs,
    })
}

/// A number from 0 to 1.
fn part(found: &DeValue<'_>) -> Result<f64, Fault> {
    let number = match (found.as_float(), found.as_integer()) {
        (Some(number), _) => number.as_str().parse::<f64>().ok(),
        (_, Some(number)) => number.as_str().parse::<u8>().ok().map(f64::from),
        _ => return Err(Fault::mismatch("a number from 0 to 1", found)),
    };
    let number = number.filter(|number| (0.0..=1.0).contains(number));
    number
        .ok_or_else(|| Fault::new("is not between 0 and 1").with_hint("0.1 is one request in ten"))
}
