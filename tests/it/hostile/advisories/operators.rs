//! What operators were hurt by: credentials that did not change, that were shown, or that were given to
//! more than they were meant for.

use super::super::{Sent, once};
use crate::support::client::{Client, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, ELSEWHERE, Folder, Setup};
use crate::support::process::{Process, run};

/// A configuration in front of this upstream, with a credential of its own for the second store.
fn configuration(folder: &Folder, upstream: &Fake) -> String {
    folder.write("credential", CREDENTIAL);
    folder.write("second", "canary-credential-of-other1");
    let text = Setup::new(upstream.address).text();
    let (first, second) = text.split_once("hash = \"other1\"").expect("two stores");
    let second = second.replacen("\"credential\"", "\"second\"", 1);
    let path = folder.write("gateway.toml", format!("{first}hash = \"other1\"{second}"));
    path.to_str().expect("UTF-8").to_owned()
}

/// Starts the program, sends requests to it one by one, and ends it; gives the ids of the answers.
fn serve(path: &str, requests: &[Request]) -> Vec<String> {
    let mut gateway = Process::start(&["serve", "--config", path]);
    let address = gateway.bound(" listening address=");
    let ids = requests.iter().map(|request| {
        let answer = Client::connect(address).exchange(request);
        assert_eq!((answer.status(), answer.code()), (200, None));
        let id = answer.field("x-correlation-id");
        id.expect("an id").to_owned()
    });
    let ids = ids.collect();
    gateway.signal("TERM");
    assert_eq!(gateway.end().code, Some(0));
    ids
}

/// What the upstream must see with this credential instead of the first store's.
fn sent(upstream: &Fake, request: &Request, id: &str, credential: &str) -> Vec<u8> {
    let sent = Sent::new(&request.method, &request.target, None);
    let bytes = sent.bytes(upstream.address, id);
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.replace(CREDENTIAL, credential).into_bytes()
}

/// Changing the injected value had no effect, since it was kept by the id of the rule: here a file with
/// another value and a start, and the next request carries it, in the one field and nowhere else.
#[test]
fn oathkeeper_851_after_a_restart_the_new_credential_is_sent() {
    let (upstream, folder) = (Fake::doing(once), Folder::new());
    let path = configuration(&folder, &upstream);
    let request = Request::new("GET", ONE);
    let mut expected = Vec::new();
    for (text, value) in [
        (CREDENTIAL, CREDENTIAL),
        ("canary-rotated-1\n", "canary-rotated-1"),
        ("canary-rotated-2 \r\n\n", "canary-rotated-2"),
    ] {
        folder.write("credential", text);
        for id in serve(&path, &[request.clone(), request.clone()]) {
            expected.push(sent(&upstream, &request, &id, value));
        }
    }
    assert_eq!(upstream.raw(), expected);
}

/// A list of hosts decided who got the secret, and another list who was asked: here each store's
/// credential goes with that store's path, and with no other.
#[test]
fn onecli_438_each_store_has_its_own_credential() {
    let (upstream, folder) = (Fake::doing(once), Folder::new());
    let path = configuration(&folder, &upstream);
    let first = Request::new("GET", ONE);
    let second = Request::new("GET", &ONE.replace("abc123", "other1"));
    let by_another = second.clone().instead("X-Auth-Token", ELSEWHERE);
    let requests = [first.clone(), second.clone(), by_another.clone(), first];
    let ids = serve(&path, &requests);
    let expected: Vec<_> = requests
        .iter()
        .zip(&ids)
        .map(|(request, id)| {
            let is_second = request.target.contains("other1");
            let credential = if is_second {
                "canary-credential-of-other1"
            } else {
                CREDENTIAL
            };
            sent(&upstream, request, id, credential)
        })
        .collect();
    assert_eq!(upstream.raw(), expected);
}

/// Operators asked for secrets from files that fail closed: here a file that is missing, empty or no
/// credential fails the start, is named, and is not shown.
#[test]
fn pomerium_documentation_2340_without_a_credential_nothing_starts() {
    let (upstream, folder) = (Fake::doing(once), Folder::new());
    let path = configuration(&folder, &upstream);
    for content in [
        None,
        Some(&b""[..]),
        Some(b" \r\n\n"),
        Some(b"canary-two words"),
        Some(b"canary-line\ncanary-line"),
        Some(b"canary-control\x01"),
        Some(b"canary-\xff"),
    ] {
        let file = folder.path().join("second");
        std::fs::remove_file(&file).expect("the file");
        if let Some(content) = content {
            folder.write("second", content);
        }
        for command in ["serve", "check"] {
            let ended = run(&[command, "--config", &path]);
            assert_eq!(ended.code, Some(2), "{content:?}");
            assert!(
                ended.stderr.contains("store[1].credential.file"),
                "{}",
                ended.stderr
            );
            assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
            assert_eq!(ended.stdout, "");
        }
        folder.write("second", "canary-good");
    }
    assert!(upstream.raw().is_empty());
}

/// A simulation showed the secrets that it would have sent: here no command that ends by itself does.
#[test]
fn jentic_one_500_no_command_shows_a_credential() {
    let (upstream, folder) = (Fake::doing(once), Folder::new());
    let path = configuration(&folder, &upstream);
    let broken = folder.write(
        "broken.toml",
        Setup::new(upstream.address).text() + "other = 1\n",
    );
    let broken = broken.to_str().expect("UTF-8");
    for (arguments, code) in [
        (&["check", "--config", &path][..], 0),
        (&["check", "--config", &path, "--without-secrets"], 0),
        (&["check", "--config", broken], 2),
        (&["serve", "--config", broken], 2),
        (&["--help"], 0),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?} {}", ended.stderr);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!told.contains("canary"), "{told}");
    }
    assert!(upstream.raw().is_empty(), "nobody was asked");
}
