//! How the keys of the issuers stand, for `/metrics` and `/readyz`.

use super::clock::Clock;
use crate::identity::{Issuer, Keys, Standing};
use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

#[derive(Debug)]
struct Shown {
    name: String,
    keys: Arc<Keys>,
}

/// The issuers of the configuration that counts.
#[derive(Debug, Clone)]
pub struct Board {
    shown: Arc<ArcSwap<Vec<Shown>>>,
    clock: Clock,
}

impl Board {
    /// A board with nothing on it.
    pub fn new(clock: Clock) -> Self {
        Self {
            shown: Arc::default(),
            clock,
        }
    }

    /// From now on these are the issuers.
    pub fn show(&self, issuers: &[Issuer]) {
        let shown = |issuer: &Issuer| Shown {
            name: issuer.settings.name.clone(),
            keys: Arc::clone(&issuer.keys),
        };
        self.shown
            .store(Arc::new(issuers.iter().map(shown).collect()));
    }

    /// The issuers whose tokens cannot be judged now, by name.
    pub fn without_keys(&self) -> Vec<String> {
        let mut standings = self.standings();
        standings.retain(|(_, standing)| standing.keys == 0);
        standings.into_iter().map(|(name, _)| name).collect()
    }

    /// How they stand, for the status page.
    pub(super) fn told(&self) -> Vec<Value> {
        let told = |(name, standing): &(String, Standing)| {
            json!({
                "name": name,
                "keys": standing.keys,
                "age_s": standing.age.map(|age| age.as_secs()),
                "failed": standing.failed,
            })
        };
        self.standings().iter().map(told).collect()
    }

    fn standings(&self) -> Vec<(String, Standing)> {
        let now = self.clock.now();
        let shown = self.shown.load();
        let standing = |shown: &Shown| (shown.name.clone(), shown.keys.standing(now));
        shown.iter().map(standing).collect()
    }
}

impl Collector for Board {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let standings = self.standings();
        if standings.is_empty() {
            return Ok(());
        }
        let help = "Keys of an issuer that can be used now";
        let mut family = encoder.encode_descriptor("issuer_keys", help, None, MetricType::Gauge)?;
        for (name, standing) in &standings {
            let labels = [("issuer", name.as_str())];
            family
                .encode_family(&labels)?
                .encode_gauge(&(standing.keys as u64))?;
        }
        let help = "Seconds since the keys of an issuer were last fetched";
        let unit = prometheus_client::registry::Unit::Seconds;
        let mut family =
            encoder.encode_descriptor("issuer_keys_age", help, Some(&unit), MetricType::Gauge)?;
        for (name, standing) in &standings {
            if let Some(age) = standing.age {
                let labels = [("issuer", name.as_str())];
                family
                    .encode_family(&labels)?
                    .encode_gauge(&age.as_secs())?;
            }
        }
        let help = "Fetches of an issuer's keys by outcome";
        let mut family =
            encoder.encode_descriptor("issuer_refreshes", help, None, MetricType::Counter)?;
        for (name, standing) in &standings {
            for (outcome, count) in [("ok", standing.succeeded), ("failed", standing.failed)] {
                let labels = [("issuer", name.as_str()), ("outcome", outcome)];
                family
                    .encode_family(&labels)?
                    .encode_counter::<[(&str, &str); 0], _, f64>(&count, None)?;
            }
        }
        Ok(())
    }
}
