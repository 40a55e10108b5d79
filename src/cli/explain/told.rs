//! An explanation as it is told: to people in lines, to machines as one JSON object.

use super::explanation::{Asked, Explanation};
use super::{after, step};
use crate::config::Policy;
use crate::denial::{Code, Denial};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What is told beside the steps.
pub(super) struct Told<'a> {
    pub(super) policy: &'a Policy,
    pub(super) caller: usize,
    pub(super) asked: &'a Asked<'a>,
    pub(super) explanation: &'a Explanation,
    /// What a denial may come from that is no matter of the gateway's.
    pub(super) hint: Option<&'static str>,
}

impl Told<'_> {
    fn name(&self) -> &str {
        let caller = self.policy.callers.get(self.caller);
        caller.map_or("", |caller| &caller.name)
    }

    /// What an allowed request still depends on.
    fn condition(&self) -> Option<String> {
        let caller = self.policy.callers.get(self.caller)?;
        let condition = self.explanation.condition?;
        Some(condition.text(&caller.grants))
    }

    /// The claim of a signed token that has a say too.
    fn claim(&self) -> Option<(&str, &'static str)> {
        let claim = self.policy.scope_claims.get(self.caller)?.as_ref()?;
        let operation = self.explanation.operation.as_ref()?;
        Some((claim, operation.verb.as_str()))
    }

    fn afterwards(&self) -> Vec<String> {
        let caller = self.policy.callers.get(self.caller);
        let operation = self.explanation.operation.as_ref();
        match caller.zip(operation) {
            Some((caller, operation)) if self.explanation.outcome.is_ok() => after::told(
                self.policy,
                &caller.grants,
                operation,
                &self.explanation.items,
            ),
            _ => Vec::new(),
        }
    }

    /// In lines.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            asked, explanation, ..
        } = self;
        writeln!(
            out,
            "{} {} by {}\n",
            asked.method,
            asked.target,
            self.name()
        )?;
        let width = explanation.steps.iter().map(|step| step.name.len()).max();
        let width = width.unwrap_or_default();
        for step in &explanation.steps {
            let mark = step.mark.as_str();
            let line = format!("  {mark:11}  {:width$}  {}", step.name, step.compared);
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
        match &explanation.outcome {
            Ok(()) => self.print_allowed(out)?,
            Err(denial) => {
                let (code, detail) = (denial.code(), denial.detail());
                let (status, code) = (code.status().as_u16(), code.as_str());
                writeln!(out, "denied: {status} {code}\n  {detail}")?;
                for (place, reason) in step::places(denial) {
                    writeln!(out, "  {place}: {reason}")?;
                }
                if let Some(hint) = self.hint {
                    writeln!(out, "  hint: {hint}")?;
                }
            }
        }
        let afterwards = self.afterwards();
        if !afterwards.is_empty() {
            writeln!(out)?;
        }
        for line in afterwards {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn print_allowed(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "allowed{}", self.condition().unwrap_or_default())?;
        if let Some((claim, verb)) = self.claim() {
            writeln!(
                out,
                "  with a signed token: only if a scope in its claim `{claim}` opens {verb} too"
            )?;
        }
        if let Some(code) = self.explanation.reported.code() {
            let code = code.as_str();
            writeln!(
                out,
                "  reported: with `enforcement = \"enforce\"` it would be refused with {code}"
            )?;
        }
        Ok(())
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> Value {
        let Self {
            asked, explanation, ..
        } = self;
        let denial = explanation.outcome.as_ref().err();
        let code = denial.map(Denial::code);
        let places: BTreeMap<String, String> = denial
            .map(step::places)
            .unwrap_or_default()
            .into_iter()
            .collect();
        let steps = explanation.steps.iter().map(|step| {
            json!({
                "name": step.name,
                "outcome": step.mark.as_str().to_ascii_lowercase().replace(' ', "_"),
                "compared": step.compared,
            })
        });
        let condition = self.condition();
        let condition = condition.map(|text| text.trim_start_matches([',', ';', ' ']).to_owned());
        json!({
            "caller": self.name(),
            "method": asked.method,
            "path": asked.target,
            "operation": explanation.operation.as_ref().map(|operation| operation.verb.as_str()),
            "allowed": denial.is_none(),
            "status": code.map(|code| code.status().as_u16()),
            "code": code.map(Code::as_str),
            "detail": denial.map(|denial| denial.detail().to_string()),
            "errors": places,
            "hint": self.hint.filter(|_| denial.is_some()),
            "condition": condition,
            "scope_claim": self.claim().map(|(claim, _)| claim),
            "reported": explanation.reported.code().map(Code::as_str),
            "steps": steps.collect::<Vec<_>>(),
            "afterwards": self.afterwards(),
        })
    }
}
