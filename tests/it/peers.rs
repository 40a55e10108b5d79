//! Callers that are known by what their connection proves, through clients that are not ours: curl and
//! `openssl s_client` with client certificates, and curl on a Unix socket.

use crate::doors::setup;
use crate::support::client::{Client, ONE, Request};
use crate::support::client_h2::{self, GOAWAY};
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Gateway, READER, Setup, WRITER, token_sha256};
use crate::support::tls::{Authority, Dialer, Identity};
use metafield_gateway::server::Reloaded;
use rcgen::{CertificateParams, DnType, SanType};
use std::io::Write;
use std::process::{Command, Stdio};

const CRM: &str = "spiffe://example.org/ns/crm/sa/sync";
const CALLERS: &str = "[[caller]]\nname = \"crm\"\ncertificate = { spiffe = [\"spiffe://example.org/ns/crm/sa/sync\"] }\n\
    scopes = [\"store_v2_customers\"]\n\
    [[caller]]\nname = \"erp\"\ncertificate = { dns = [\"erp.internal.example\", \"erp-2.internal.example\"] }\n\
    scopes = [\"store_v2_customers_read_only\"]";

/// A gateway that knows callers by certificates of `clients`, and its own authority.
fn gateway(upstream: &Fake, clients: &Authority, auth: &str) -> (Gateway, String) {
    let own = Authority::new();
    let tls = format!(", client_ca = \"clients.crt\"{auth}");
    let setup = setup(upstream.address, &own, &tls).with(CALLERS);
    setup.folder.write("clients.crt", clients.pem());
    setup.folder.write("own.crt", own.pem());
    let text = setup.text();
    (setup.start(), text)
}

/// A client's certificate with these names, whatever its subject says.
fn issued(clients: &Authority, names: &[SanType]) -> Identity {
    clients.issue_altered(&[], |params: &mut CertificateParams| {
        params.subject_alt_names = names.to_vec();
        let subject = &mut params.distinguished_name;
        subject.push(DnType::CommonName, "erp.internal.example");
    })
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().expect("ASCII"))
}

/// What curl exits with where the server ends the handshake: with TLS 1.3 a client learns what became of its
/// certificate when it sends its request (55) or waits for an answer (56), whichever comes first.
const REFUSED: [i32; 2] = [55, 56];

fn is_refused(outcome: &Result<(u16, String), i32>) -> bool {
    outcome.as_ref().is_err_and(|code| REFUSED.contains(code))
}

fn show(folder: &Folder, identity: &Identity) -> [String; 4] {
    let certificate = folder.write("client.crt", &identity.certificate);
    let key = folder.write("client.key", &identity.private_key);
    let path = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
    [
        "--cert".to_owned(),
        path(certificate),
        "--key".to_owned(),
        path(key),
    ]
}

/// What curl is answered: the status and the gateway's code, or how it failed.
fn curl(arguments: &[&str]) -> Result<(u16, String), i32> {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--include",
            "--noproxy",
            "*",
            "--max-time",
            "30",
        ])
        .args(arguments)
        .output()
        .expect("curl runs");
    if !output.status.success() {
        return Err(output.status.code().expect("an exit code"));
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Ok(answer(&text))
}

fn answer(text: &str) -> (u16, String) {
    let status = text.split(' ').nth(1).expect("a status line");
    let code = text
        .lines()
        .find_map(|line| line.strip_prefix("x-gateway-code: "));
    (
        status.parse().expect("a status"),
        code.unwrap_or("ok").trim_end().to_owned(),
    )
}

fn by_curl(gateway: &Gateway, more: &[&str]) -> Result<(u16, String), i32> {
    let own = gateway.folder.path().join("own.crt");
    let url = format!("https://{}{ONE}", gateway.address());
    let mut arguments = vec!["--cacert", own.to_str().expect("UTF-8"), &url];
    arguments.extend(more);
    curl(&arguments)
}

fn told(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_caller_is_known_by_its_certificate() {
    let (upstream, clients) = (Fake::good(), Authority::new());
    let (gateway, _) = gateway(&upstream, &clients, "");
    let cases: [(&[SanType], u16, &str, Option<&str>); 8] = [
        (&[uri(CRM)], 200, "ok", Some("crm")),
        (
            &[uri(CRM), dns("crm.internal.example")],
            200,
            "ok",
            Some("crm"),
        ),
        (&[dns("ERP.Internal.Example")], 200, "ok", Some("erp")),
        (&[dns("erp-2.internal.example")], 200, "ok", Some("erp")),
        // Two ids are none; neither a wildcard nor the subject's common name is a name.
        (
            &[uri(CRM), uri("spiffe://example.org/other")],
            401,
            "missing_token",
            None,
        ),
        (&[dns("*.internal.example")], 401, "missing_token", None),
        (&[], 401, "missing_token", None),
        // Names of two callers are nobody's.
        (
            &[uri(CRM), dns("erp.internal.example")],
            401,
            "ambiguous_certificate",
            None,
        ),
    ];
    for version in ["--http1.1", "--http2"] {
        for (names, status, code, _) in &cases {
            let shown = show(&gateway.folder, &issued(&clients, names));
            let mut more: Vec<&str> = shown.iter().map(String::as_str).collect();
            more.push(version);
            assert_eq!(
                by_curl(&gateway, &more),
                Ok(told(*status, code)),
                "{names:?}"
            );
        }
    }
    let lines = gateway.stop();
    assert_eq!(lines.len(), 16);
    for (line, (names, _, _, caller)) in lines.iter().zip(cases.iter().chain(&cases)) {
        assert_eq!(line["caller"].as_str(), *caller, "{names:?}");
        let means = caller.map(|_| "certificate");
        assert_eq!(line["identified_by"].as_str(), means, "{names:?}");
    }
    assert_eq!(upstream.requests().len(), 8);
}

#[test]
fn a_token_decides_whatever_the_certificate_says() {
    let (upstream, clients) = (Fake::good(), Authority::new());
    let (gateway, _) = gateway(&upstream, &clients, "");
    let shown = show(&gateway.folder, &issued(&clients, &[uri(CRM)]));
    let with = |token: &str| {
        let field = format!("X-Auth-Token: {token}");
        let mut more: Vec<&str> = shown.iter().map(String::as_str).collect();
        more.extend(["-H", &field]);
        by_curl(&gateway, &more)
    };
    assert_eq!(with(READER), Ok(told(200, "ok")));
    assert_eq!(with("a-token-of-nobody"), Ok(told(401, "unknown_token")));
    assert_eq!(with("short"), Ok(told(401, "invalid_token")));
    let lines = gateway.stop();
    assert_eq!(lines[0]["caller"], "reader");
    assert_eq!(lines[0]["identified_by"], "token");
    assert_eq!(lines[1]["caller"].as_str(), None);
}

#[test]
fn certificates_are_required_or_optional_and_never_wrong() {
    let (upstream, clients, others) = (Fake::good(), Authority::new(), Authority::new());
    let token = format!("X-Auth-Token: {WRITER}");
    for (auth, without) in [
        ("", None),
        (", client_auth = \"required\"", None),
        (", client_auth = \"optional\"", Some(Ok(told(200, "ok")))),
    ] {
        let (gateway, _) = gateway(&upstream, &clients, auth);
        let bare = by_curl(&gateway, &["-H", &token]);
        let is_optional = without.is_some();
        match without {
            None => assert!(is_refused(&bare), "{bare:?}"),
            Some(expected) => assert_eq!(bare, expected),
        }
        for wrong in [
            issued(&others, &[uri(CRM)]),
            clients.issue_expired(&["erp.internal.example"]),
            Identity::self_signed(&["erp.internal.example"]),
        ] {
            let shown = show(&gateway.folder, &wrong);
            let mut more: Vec<&str> = shown.iter().map(String::as_str).collect();
            more.extend(["-H", &token]);
            let refused = by_curl(&gateway, &more);
            assert!(is_refused(&refused), "{auth} {refused:?}");
        }
        if is_optional {
            let neither = by_curl(&gateway, &[]);
            assert_eq!(neither, Ok(told(401, "missing_token")));
        }
        let shown = show(&gateway.folder, &issued(&clients, &[uri(CRM)]));
        let more: Vec<&str> = shown.iter().map(String::as_str).collect();
        assert_eq!(by_curl(&gateway, &more), Ok(told(200, "ok")));
    }
}

#[test]
fn openssl_shows_a_certificate_too() {
    let (upstream, clients) = (Fake::good(), Authority::new());
    let (gateway, _) = gateway(&upstream, &clients, "");
    let shown = show(&gateway.folder, &issued(&clients, &[uri(CRM)]));
    let own = gateway.folder.path().join("own.crt");
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-connect"])
        .arg(gateway.address().to_string())
        .args(["-cert", &shown[1], "-key", &shown[3], "-CAfile"])
        .arg(own)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let request = format!("GET {ONE} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n");
    let mut stdin = client.stdin.take().expect("a pipe");
    stdin.write_all(request.as_bytes()).expect("written");
    let output = client.wait_with_output().expect("openssl ends");
    drop(stdin);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(answer(&text), (200, "ok".to_owned()), "{text}");
    assert_eq!(gateway.stop()[0]["caller"], "crm");
}

#[test]
fn an_authority_that_is_gone_vouches_for_no_open_connection() {
    let (upstream, clients, successors) = (Fake::good(), Authority::new(), Authority::new());
    let (own, tls) = (Authority::new(), ", client_ca = \"clients.crt\"");
    let setup = setup(upstream.address, &own, tls).with(CALLERS);
    setup.folder.write("clients.crt", clients.pem());
    let gateway = setup.start();
    let request = Request::new("GET", ONE).without("X-Auth-Token");
    let identity = issued(&clients, &[uri(CRM)]);
    let connect = |identity: &Identity| {
        Dialer::trusting(&own)
            .showing(identity)
            .connect(gateway.address())
    };
    let mut client = Client::over(connect(&identity).expect("a handshake"));
    assert_eq!(client.exchange(&request).status(), 200);
    let dialer = Dialer::trusting(&own).showing(&identity).offering(&["h2"]);
    let mut by_http2 = client_h2::Client::connect_tls(gateway.address(), dialer.config());
    assert_eq!(by_http2.exchange(&request).status(), 200);
    // Another certificate of the gateway's own changes nothing for the clients.
    let renewed = own.issue(&crate::support::tls::LOOPBACK);
    gateway.folder.write("tls.crt", renewed.certificate);
    gateway.folder.write("tls.key", renewed.private_key);
    assert_eq!(gateway.reload(), Reloaded::Loaded);
    assert_eq!(client.exchange(&request).status(), 200);
    gateway.folder.write("clients.crt", successors.pem());
    assert_eq!(gateway.reload(), Reloaded::Loaded);
    let answer = client.exchange(&request);
    assert_eq!(
        (answer.status(), answer.code()),
        (401, Some("expired_certificate"))
    );
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    let answer = by_http2.exchange(&request);
    assert_eq!(answer.code(), Some("expired_certificate"));
    by_http2.until_frame(GOAWAY);
    by_http2.until_closed();
    let mut client = Client::over(connect(&issued(&successors, &[uri(CRM)])).expect("a handshake"));
    assert_eq!(client.exchange(&request).status(), 200);
    let lines = gateway.stop();
    for line in &lines[3..=4] {
        assert_eq!(line["code"], "expired_certificate");
        assert_eq!(line["caller"], "crm");
    }
}

/// Who has this file, which is who runs the test.
fn own_ids(folder: &Folder) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let made = std::fs::metadata(folder.write("own", "")).expect("a file");
    (made.uid(), made.gid())
}

#[test]
fn a_caller_is_known_by_its_user_or_group_on_a_unix_socket() {
    let upstream = Fake::good();
    let mut answers = Vec::new();
    for binding in [
        "uid = [{uid}]",
        "gid = [{gid}]",
        "uid = [{other}]",
        "gid = [{other}]",
    ] {
        let setup =
            Setup::new(upstream.address).listening("listen.address = \"unix:gateway.sock\"");
        let (uid, gid) = own_ids(&setup.folder);
        let binding = binding
            .replace("{uid}", &uid.to_string())
            .replace("{gid}", &gid.to_string())
            .replace("{other}", "54321");
        let gateway = setup
            .with(&format!(
                "[[caller]]\nname = \"app\"\nunix = {{ {binding} }}\nscopes = [\"store_v2_customers\"]"
            ))
            .start();
        let socket = gateway.folder.path().join("gateway.sock");
        let socket = socket.to_str().expect("UTF-8");
        let url = format!("http://localhost{ONE}");
        let answer = curl(&["--unix-socket", socket, &url]);
        let token = format!("X-Auth-Token: {READER}");
        let by_token = curl(&["--unix-socket", socket, "-H", &token, &url]);
        assert_eq!(by_token, Ok(told(200, "ok")));
        let lines = gateway.stop();
        assert_eq!(lines[1]["caller"], "reader");
        answers.push((
            answer,
            lines[0]["identified_by"].as_str().map(str::to_owned),
        ));
    }
    let known = || (Ok(told(200, "ok")), Some("unix_peer".to_owned()));
    let unknown = || (Ok(told(401, "missing_token")), None);
    assert_eq!(answers, [known(), known(), unknown(), unknown()]);
}

#[test]
fn a_token_is_its_callers_until_it_expires() {
    let upstream = Fake::good();
    let (past, future) = ("canary-token-of-the-past", "canary-token-of-the-future");
    let setup = Setup::new(upstream.address).with(&format!(
        "[[caller]]\nname = \"rotating\"\ntoken_sha256 = [\n{{ sha256 = \"{}\", expires = \"2020-01-31T00:00:00Z\" }},\n\
         {{ sha256 = \"{}\", expires = \"2999-01-31T00:00:00+01:00\" }}]\nscopes = [\"store_v2_customers\"]",
        token_sha256(past),
        token_sha256(future)
    ));
    let gateway = setup.start();
    let with =
        |token: &str| gateway.exchange(&Request::new("GET", ONE).instead("X-Auth-Token", token));
    assert_eq!(with(future).status(), 200);
    let answer = with(past);
    assert_eq!(
        (answer.status(), answer.code()),
        (401, Some("expired_token"))
    );
    let challenge = answer.field("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    let lines = gateway.stop();
    assert_eq!(lines[1]["caller"], "rotating");
    assert_eq!(lines[1]["decision"], "denied");
}
