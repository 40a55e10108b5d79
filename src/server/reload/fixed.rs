//! What a running gateway cannot change: doors, threads and logs stand as they were started. A new value is
//! told and waits for the next start, except where it would change what the door promises.

use crate::config::file::{Admin, File, Limits};
use crate::config::problem::{Place, Problem};

/// The keys whose new values take effect at the next start.
pub(super) fn waiting(started: &File, new: &File) -> Vec<&'static str> {
    let limits = |limits: &Limits| {
        (
            (limits.connections, limits.connections_per_peer),
            (limits.exempt_local_peers, limits.http2_streams),
            (limits.header_timeout, limits.idle_timeout),
            (limits.write_timeout, limits.handshake_timeout),
            (limits.headers, limits.target),
        )
    };
    let compared = [
        ("workers", started.workers == new.workers),
        ("drain_timeout", started.drain_timeout == new.drain_timeout),
        ("drain_delay", started.drain_delay == new.drain_delay),
        ("handover", started.handover == new.handover),
        (
            "listen.address",
            started.listen.address.value == new.listen.address.value
                && started.listen.socket_mode == new.listen.socket_mode,
        ),
        ("admin", {
            let admin = |file: &File| {
                let admin = file.admin.as_ref();
                admin.map(|admin| {
                    let Admin {
                        address,
                        hosts,
                        page,
                    } = admin;
                    (address.value.clone(), hosts.clone(), page.value.clone())
                })
            };
            admin(started) == admin(new)
        }),
        (
            "audit",
            started.audit.output.value == new.audit.output.value
                && started.audit.on_failure == new.audit.on_failure
                && started.audit.queue == new.audit.queue,
        ),
        ("otlp", started.otlp == new.otlp),
        (
            "limits.ownership_entries",
            started.limits.ownership_entries == new.limits.ownership_entries,
        ),
        (
            "limits of connections and heads",
            limits(&started.limits) == limits(&new.limits),
        ),
    ];
    compared
        .into_iter()
        .filter_map(|(key, same)| (!same).then_some(key))
        .collect()
}

/// A listener that was opened with TLS must not go on without it, nor the other way round.
pub(super) fn refuse(started: &File, new: &File) -> Option<Problem> {
    let tls = |file: &File| file.listen.tls.is_some();
    (tls(started) != tls(new)).then(|| {
        let place = new
            .listen
            .tls
            .as_ref()
            .map_or(Place::START, |tls| tls.certificate.place);
        Problem::new(
            place,
            "listen.tls",
            "TLS can neither come nor go while the gateway runs",
        )
        .with_hint("restart the gateway")
    })
}
