//! What became of the configuration's reloads, for metrics and for the detail of readiness. Written by the
//! thread that reloads, read by the operator's.

use super::metrics::{count_of, gauge};
use arc_swap::ArcSwap;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::Arc;

/// The most bytes of a report that readiness shows.
const SHOWN: usize = 4096;

/// How the reloads stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloads {
    /// How many configurations have been in force, the first included.
    pub generation: u64,
    /// When the one in force was loaded.
    pub since: jiff::Timestamp,
    /// Credentials that were replaced without a new configuration.
    pub renewed: u64,
    /// How many loads were refused.
    pub refused: u64,
    /// When the last load was refused, and its report, if none has succeeded since.
    pub fault: Option<(jiff::Timestamp, String)>,
    /// The keys whose new values take effect at the next start.
    pub waiting: Vec<&'static str>,
    /// What is hardly meant in the one in force, as it was when it was loaded.
    pub warnings: Arc<[String]>,
}

/// A shared view of the reloads.
#[derive(Debug, Clone)]
pub struct ReloadHealth(Arc<ArcSwap<Reloads>>);

impl ReloadHealth {
    /// The state after the start, at `since`, of a configuration with these warnings.
    pub fn new(since: jiff::Timestamp, warnings: Arc<[String]>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Reloads {
            generation: 1,
            since,
            renewed: 0,
            refused: 0,
            fault: None,
            waiting: Vec::new(),
            warnings,
        })))
    }

    /// The state now.
    pub fn now(&self) -> Arc<Reloads> {
        self.0.load_full()
    }

    /// Changes the state. Called by one thread alone.
    pub fn change(&self, change: impl FnOnce(&mut Reloads)) {
        let mut state = Reloads::clone(&self.0.load());
        change(&mut state);
        self.0.store(Arc::new(state));
    }
}

impl Reloads {
    /// The lines that readiness shows.
    pub fn detail(&self) -> String {
        let mut out = format!(
            "configuration: generation {}, in force since {:.0}\n",
            self.generation, self.since
        );
        if !self.waiting.is_empty() {
            out.push_str("configuration: takes effect at the next start: ");
            out.push_str(&self.waiting.join(", "));
            out.push('\n');
        }
        if let Some((at, report)) = &self.fault {
            let shown = Self::shown(report);
            let head = format!(
                "configuration: the one read at {at:.0} is refused, the one before stays in force:"
            );
            for line in [head.as_str(), shown.trim_end()] {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }

    /// As much of a report as is shown.
    pub(super) fn shown(report: &str) -> &str {
        let end = report.char_indices().nth(SHOWN).map(|(end, _)| end);
        end.and_then(|end| report.get(..end)).unwrap_or(report)
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            encoder,
            "configuration_generation",
            "How many configurations have been in force, the first included",
            self.generation,
        )?;
        gauge(
            encoder,
            "configuration_loaded_timestamp_seconds",
            "When the configuration in force was loaded",
            u64::try_from(self.since.as_second()).unwrap_or(0),
        )?;
        gauge(
            encoder,
            "configuration_refused",
            "1 while the configuration that was read last is refused",
            u64::from(self.fault.is_some()),
        )?;
        gauge(
            encoder,
            "configuration_waiting",
            "How many keys have new values that take effect at the next start",
            self.waiting.len() as u64,
        )?;
        let help = "Changes of the configuration or of what it names, by what became of them";
        let mut family =
            encoder.encode_descriptor("configuration_loads", help, None, MetricType::Counter)?;
        for (outcome, count) in [
            ("loaded", self.generation.saturating_sub(1)),
            ("credential_renewed", self.renewed),
            ("refused", self.refused),
        ] {
            count_of(family.encode_family(&[("outcome", outcome)])?, count)?;
        }
        Ok(())
    }
}
