//! Fields by which a caller changed what a proxy sends, where to, or as whom.

use super::super::{Bench, Case, text};
use super::check_table;
use crate::support::client::ONE;
use crate::support::fake::Fake;
use crate::support::gateway::WRITER;

/// `X_Forwarded_User` and the like slipped past the stripping of `X-Forwarded-User` (CVE-2025-64484).
#[test]
fn oauth2_proxy_ghsa_vjrc_mh2v_45x6_an_underscore_is_no_alias() {
    check_table(
        "underscores",
        r"
        401:missing_token open GET ONE HTTP/1.1~HOST~X_Auth_Token: WRITER~~
        401:missing_token open GET ONE HTTP/1.1~HOST~X-Auth_Token: WRITER~~
        GET:one           open READ~X_Auth_Token: canary-token-of-nobody~~
        GET:one           open READ~X_Forwarded_User: admin~X_Forwarded_Email: a@b~~
        GET:one           open READ~User_Agent: x~Accept_: y~X_Correlation_Id: 0123abcd-4567-489a-8bcd-0123456789ef~~
        GET:one           open READ~Via_: 1.1 metafield-gateway~Host_: other.test~~
        ",
    );
}

/// Fields in an odd case, or named by `Connection`, kept what a proxy meant to remove.
#[test]
fn traefik_ghsa_5m6w_wvh7_57vm_case_makes_no_other_field() {
    check_table(
        "case",
        r"
        400:ambiguous_credentials open READ~x-AUTH-tOKEN: canary-token-of-nobody~~
        400:malformed_request     open READ~hOsT: other.test~~
        508:loop_detected         open READ~vIA: 1.1 METAFIELD-gateway~~
        400:malformed_request     open READ~uPGRADE: h2c~~
        GET:one                   open READ~x-forwarded-FOR: 127.0.0.1~X-REAL-ip: 127.0.0.1~~
        GET:one                   open READ~cOOKIE: a=b~x-http-METHOD-override: DELETE~~
        ",
    );
}

/// `Connection: <name>` made the proxy delete the signature that it had just added.
#[test]
fn toolhive_5835_connection_names_nothing_of_the_gateway() {
    check_table(
        "named by Connection",
        r"
        PUT:one:{} open UPDATE~Connection: x-auth-token~Content-Length: 2~~{}
        PUT:one:{} open UPDATE~Connection: X-Auth-Token, X-Correlation-Id, Via~Content-Length: 2~~{}
        PUT:one:{} open UPDATE~Connection: content-length, content-type, host~Content-Length: 2~~{}
        PUT:one:{} open UPDATE~Connection: user-agent~Connection: x-auth-token~Content-Length: 2~~{}
        PUT:one:{} open UPDATE~Connection: keep-alive,x-auth-token ,~Content-Length: 2~~{}
        ",
    );
}

/// `Connection: X-Forwarded-Host` removed what a backend relied on.
#[test]
fn traefik_cve_2024_45410_forwarding_fields_mean_nothing() {
    check_table(
        "forwarding fields",
        r"
        GET:one open READ~Connection: X-Forwarded-Host, X-Forwarded-For~X-Forwarded-Host: other.test~~
        GET:one open READ~Connection: close-not, X-Real-Ip~X-Real-Ip: 10.0.0.1~~
        GET:one open READ~Connection: X-Forwarded-Proto~X-Forwarded-Proto: https~~
        GET:one open READ~Connection: Forwarded~Forwarded: for=10.0.0.1~~
        ",
    );
}

/// The same again: a client removed `X-Forwarded-For` and the like, which the proxy itself had set.
#[test]
fn fabio_cve_2025_48865_the_own_fields_cannot_be_removed() {
    check_table(
        "own fields",
        r"
        GET:one open READ~Connection: Via~Via: 1.1 x~~
        GET:one open READ~Connection: X-Correlation-Id~X-Correlation-Id: x~~
        GET:one open READ~Connection: Host~~
        GET:one open READ~Connection: Authorization, X-Auth-Token~~
        GET:one open GET ONE HTTP/1.1~HOST~Authorization: Bearer WRITER~Connection: Authorization~~
        ",
    );
}

/// A field with two values was judged by one and read by the other.
#[test]
fn istio_cve_2026_31838_no_field_that_counts_has_two_values() {
    check_table(
        "two values",
        r"
        400:ambiguous_credentials  open   UPDATE~TOKEN~Content-Length: 2~~{}
        400:ambiguous_credentials  open   UPDATE~X-Auth-Token: canary-token-of-reader~Content-Length: 2~~{}
        400:ambiguous_credentials  open   UPDATE~Authorization: Bearer WRITER~Content-Length: 2~~{}
        401:unknown_token          open   PUT ONE HTTP/1.1~HOST~JSON~X-Auth-Token: WRITER,canary-token-of-reader~Content-Length: 2~~{}
        415:unsupported_media_type open   UPDATE~JSON~Content-Length: 2~~{}
        415:unsupported_media_type open   UPDATE~Content-Type: text/plain~Content-Length: 2~~{}
        400                        closed UPDATE~Content-Length: 2~Content-Length: 12~~{}EVIL
        400                        closed UPDATE~Content-Length: 2, 12~~{}EVIL
        400:malformed_request      open   UPDATE~Host: other.test~Content-Length: 2~~{}
        ",
    );
}

/// The proxy took the connection for a tunnel before any 101 had come.
#[test]
fn pingora_cve_2026_2833_an_upgrade_opens_no_tunnel() {
    check_table(
        "tunnels",
        r"
        400:malformed_request+GET:one open READ~Connection: Upgrade~Upgrade: x~~READ~~
        400:malformed_request+401:missing_token open READ~Connection: Upgrade~Upgrade: websocket~~GET ONE HTTP/1.1~HOST~~
        400:malformed_request+404:unknown_route open READ~Connection: Upgrade~Upgrade: h2c~~DELETE /stores/abc123/v3/customers HTTP/1.1~HOST~TOKEN~~
        400:malformed_request+401:missing_token open CONNECT gateway.test:443 HTTP/1.1~HOST~TOKEN~~GET ONE HTTP/1.1~HOST~~
        400:malformed_request open UPDATE~Connection: Upgrade~Upgrade: x~Content-Length: LENGTH_OF_EVIL~~EVIL
        ",
    );
}

/// Bodies of HTTP/1.0 and of `Transfer-Encoding` beside a length ended where the client liked.
#[test]
fn pingora_cve_2026_2835_a_body_ends_in_one_place() {
    check_table(
        "ends",
        r"
        400:malformed_request closed PUT ONE HTTP/1.0~HOST~TOKEN~JSON~Content-Length: 2~~{}EVIL
        400:malformed_json    closed PUT ONE HTTP/1.0~HOST~TOKEN~JSON~~{}EVIL
        400                   closed PUT ONE HTTP/1.0~HOST~TOKEN~JSON~Transfer-Encoding: chunked~~2~{}~0~~EVIL
        400                   closed PUT ONE HTTP/1.0~HOST~TOKEN~JSON~Connection: keep-alive~Transfer-Encoding: identity, chunked~~2~{}~0~~EVIL
        400:malformed_request closed UPDATE~Transfer-Encoding: identity, chunked~Content-Length: 2~~2~{}~0~~EVIL
        PUT:one:{}            closed UPDATE~Transfer-Encoding: chunked~Content-Length: 12~~2~{}~0~~EVIL
        400                   closed UPDATE~Transfer-Encoding: chunked, x~Content-Length: 2~~{}EVIL
        ",
    );
}

/// Answers were shared between hosts whose names were not part of the key; here nothing is kept, and
/// whatever the host, it is another request.
#[test]
fn pingora_cve_2026_2836_no_answer_is_kept_for_another() {
    check_table(
        "answers",
        r"
        GET:one+GET:one open READ~~GET ONE HTTP/1.1~Host: other.test~TOKEN~~
        GET:one+401:missing_token open READ~~GET ONE HTTP/1.1~Host: other.test~~
        GET:one+403:store_denied open READ~~GET ONE HTTP/1.1~HOST~X-Auth-Token: canary-token-of-elsewhere~~
        HEAD:one+GET:one open HEAD ONE HTTP/1.1~HOST~TOKEN~~READ~Cache-Control: only-if-cached~~
        ",
    );
}

/// The host that was dialled and the host that the secret was pinned to came from different places.
#[test]
fn tokenizer_34_agentcage_175_the_authority_comes_from_the_configuration() {
    let other = Fake::good();
    let mut bench = Bench::new("");
    let at = other.address;
    for head in [
        format!("GET {ONE} HTTP/1.1~Host: {at}"),
        format!("GET http://{at}{ONE} HTTP/1.1~Host: {at}"),
        format!("GET https://{at}{ONE} HTTP/1.1~Host: {at}"),
        format!(
            "GET {ONE} HTTP/1.1~HOST~X-Forwarded-Host: {at}~X-Forwarded-Server: {at}~X-Host: {at}"
        ),
        format!("GET {ONE} HTTP/1.1~HOST~Forwarded: host={at}~X-Original-Host: {at}"),
        format!(
            "GET {ONE} HTTP/1.1~HOST~Proxy-Connection: keep-alive~X-Real-Host: {at}~Alt-Svc: h2=\"{at}\""
        ),
        format!("GET {ONE} HTTP/1.0~X-Forwarded-Host: {at}~Connection: keep-alive"),
    ] {
        let bytes = text::bytes(&format!("{head}~TOKEN~~"));
        bench.run(&Case::new("GET:one", "open", bytes));
    }
    for head in [
        format!("CONNECT {at} HTTP/1.1~Host: {at}"),
        format!("GET http://{at}{ONE} HTTP/1.1~HOST"),
        format!("GET http://gateway.test@{at}{ONE} HTTP/1.1~Host: {at}"),
        format!("GET {ONE} HTTP/1.1~HOST~Host: {at}"),
    ] {
        let bytes = text::bytes(&format!("{head}~TOKEN~~"));
        bench.run(&Case::new("400:malformed_request", "open", bytes));
    }
    bench.finish();
    assert!(other.raw().is_empty(), "the other host was contacted");
}

/// `X-Forwarded-Uri` from a caller was taken for the path that rules were matched with.
#[test]
fn oauth2_proxy_ghsa_7x63_xv5r_3p2x_the_path_stands_in_the_first_line() {
    check_table(
        "paths in fields",
        r"
        404:unknown_route open DELETE /stores/abc123/v3/customers HTTP/1.1~HOST~TOKEN~X-Forwarded-Uri: ONE~~
        404:unknown_route open DELETE /x HTTP/1.1~HOST~TOKEN~X-Original-URL: ONE~X-Rewrite-URL: ONE~~
        401:missing_token open DELETE ONE HTTP/1.1~HOST~X-Forwarded-Uri: /livez~~
        401:missing_token open DELETE ONE HTTP/1.1~HOST~X-Forwarded-Uri: /livez~X-Original-URI: /livez~~
        DELETE:one        open DELETE ONE HTTP/1.1~HOST~TOKEN~X-Forwarded-Uri: /metafields/8~X-Forwarded-Method: GET~~
        ",
    );
}

/// A health check's user agent was let through without any credential.
#[test]
fn oauth2_proxy_ghsa_5hvv_m4w4_gf6v_a_health_check_skips_nothing() {
    let mut bench = Bench::new("");
    for agent in [
        "GoogleHC/1.0",
        "kube-probe/1.30",
        "ELB-HealthChecker/2.0",
        "Envoy/HC",
        "Go-http-client/1.1",
    ] {
        for (line, answer) in [
            ("GET ONE", "401:missing_token"),
            ("DELETE ONE", "401:missing_token"),
            ("GET /livez", "404:unknown_route"),
            ("GET /readyz", "404:unknown_route"),
            ("GET /metrics", "404:unknown_route"),
            ("GET /ping", "404:unknown_route"),
            ("GET /", "404:unknown_route"),
        ] {
            let line = format!("{line} HTTP/1.1~HOST~User-Agent: {agent}~~");
            bench.run(&Case::new(answer, "open", text::bytes(&line)));
        }
    }
    bench.finish();
}

/// `X-Forwarded-Proto` from a caller chose the rule.
#[test]
fn oathkeeper_ghsa_vhr5_ggp3_qq85_the_scheme_is_nobodys_to_choose() {
    let mut bench = Bench::new("");
    for fields in [
        "X-Forwarded-Proto: https",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Proto: ftp, x",
        "X-Forwarded-Scheme: https~X-Url-Scheme: https",
        "Forwarded: proto=https",
        "Front-End-Https: on~X-Forwarded-Ssl: on~X-Forwarded-Protocol: https",
    ] {
        let with =
            |token: &str| text::bytes(&format!("DELETE ONE HTTP/1.1~HOST~{fields}{token}~~"));
        bench.run(&Case::new("401:missing_token", "open", with("")));
        let token = format!("~X-Auth-Token: {WRITER}");
        bench.run(&Case::new("DELETE:one", "open", with(&token)));
    }
    bench.finish();
}
