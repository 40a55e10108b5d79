//! Configuration files: each is read, or every problem of it has a place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metafield_gateway::config::materials::Secrets;
use metafield_gateway::config::{Materials, Snapshot, file};
use metafield_gateway::secret::Secret;
use std::path::Path;

fuzz_target!(|text: &str| {
    let file = match file::read(text, Path::new("/folder")) {
        Ok(file) => file,
        Err(problems) => {
            let report = problems.report("gateway.toml").to_string();
            assert!(!report.trim().is_empty());
            assert!(report.contains("gateway.toml:"), "{report}");
            let lines = text.split('\n').count();
            for line in report
                .lines()
                .filter(|line| line.starts_with("gateway.toml:"))
            {
                let place = line
                    .split(':')
                    .nth(1)
                    .and_then(|line| line.parse::<usize>().ok());
                assert!(
                    place.is_some_and(|place| (1..=lines).contains(&place)),
                    "{line}"
                );
            }
            return;
        }
    };
    assert!(!file.stores.is_empty() && !file.callers.is_empty());
    assert!(file.limits.body_memory >= file.limits.body.max(file.limits.batch_body));
    if file.listen.tls.is_some() || file.upstream.ca.is_some() {
        return;
    }
    let credentials = file.stores.iter().map(|store| Secrets {
        current: secret(),
        previous: store.previous.is_some().then(secret),
    });
    let materials = Materials {
        jwks: Vec::new(),
        credentials: credentials.collect(),
        server_tls: None,
        upstream_ca: None,
        shared: None,
    };
    if let Ok(snapshot) = Snapshot::compile(&file, materials) {
        assert!(
            file.stores
                .iter()
                .all(|store| snapshot.credentials(&store.hash).is_some())
        );
    }
});

fn secret() -> Secret {
    Secret::new(b"credential".to_vec()).expect("one")
}
