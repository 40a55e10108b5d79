//! Files and variables that cannot serve, each named with its place, and none of their content shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::super::file;
use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAQIDBA==\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nBAMCAQ==\n-----END PRIVATE KEY-----\n";

/// A directory of its own for each test, removed when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("metafield-gateway-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn read(&self, text: &str) -> Result<Materials, Problems> {
        let file = file::read(text, &self.0).unwrap();
        let variables = |name: &str| match name {
            "SET" => Some("variable-token".into()),
            "EMPTY" => Some(" ".into()),
            _ => None,
        };
        read(&file.named(), &Outside::new(&variables))
    }

    fn report(&self, text: &str) -> String {
        let problems = self.read(text).err().unwrap();
        let report = problems.report("gateway.toml").to_string();
        report.replace(self.0.to_str().unwrap(), "DIR")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn with_store(credential: &str, rest: &str) -> String {
    let digest = "0".repeat(64);
    format!(
        "[[store]]\nhash = \"abc\"\ncredential = {credential}\n[[caller]]\nname = \"a\"\n\
         token_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\n{rest}\n"
    )
}

#[test]
fn everything_named_is_read() {
    let directory = Directory::new("all")
        .with("token", "file-token\n")
        .with("chain.pem", [CERTIFICATE, CERTIFICATE].concat())
        .with("key.pem", KEY)
        .with("ca.pem", format!("a comment\n{CERTIFICATE}"));
    let text = with_store(
        "{ file = \"token\" }",
        "[listen]\ntls = { certificate = \"chain.pem\", private_key = \"key.pem\", client_ca = \"ca.pem\" }\n\
         [upstream]\nca = \"ca.pem\"\n[[store]]\nhash = \"def\"\ncredential = { env = \"SET\" }",
    );
    let materials = directory.read(&text).ok().unwrap();
    let credentials: Vec<_> = materials
        .credentials
        .into_iter()
        .map(|secrets| secrets.current.into_inner().to_vec())
        .collect();
    assert_eq!(
        credentials,
        [b"file-token".to_vec(), b"variable-token".to_vec()]
    );
    let tls = materials.server_tls.unwrap();
    assert_eq!(tls.certificates.len(), 2);
    assert_eq!(tls.private_key.secret_der(), [4, 3, 2, 1]);
    assert_eq!(tls.client_ca.map(|ca| ca.len()), Some(1));
    assert_eq!(materials.upstream_ca.map(|ca| ca.len()), Some(1));
}

#[test]
fn every_problem_is_named_at_its_key() {
    let directory = Directory::new("none")
        .with("empty", "")
        .with("broken", "-----BEGIN CERTIFICATE-----\nAQ");
    let text = with_store(
        "{ file = \"absent\" }",
        "[listen]\ntls = { certificate = \"broken\", private_key = \"empty\", client_ca = \".\" }\n\
         [upstream]\nca = \"empty\"\n[[store]]\nhash = \"def\"\ncredential = { env = \"UNSET\" }",
    );
    let expected = "\
gateway.toml:3:23: store[0].credential.file: `DIR/absent` cannot be read: there is no such file
  hint: put it there first; relative paths are relative to the configuration file
gateway.toml:9:23: listen.tls.certificate: `DIR/broken` ends inside a PEM section
  hint: it must begin with `-----BEGIN CERTIFICATE-----`
gateway.toml:9:47: listen.tls.private_key: `DIR/empty` holds no private key in PEM
  hint: it must hold a key in PKCS#8, PKCS#1 or SEC1 that is not encrypted
gateway.toml:9:68: listen.tls.client_ca: `DIR/.` cannot be read: it is a directory
  hint: name a file that the gateway can read
gateway.toml:11:6: upstream.ca: `DIR/empty` holds no certificate in PEM
  hint: it must begin with `-----BEGIN CERTIFICATE-----`
gateway.toml:14:22: store[1].credential.env: the environment variable is not set
  hint: set it where the gateway is started, or write `{ file = ... }`
6 problems
";
    assert_eq!(directory.report(&text), expected);
}

#[test]
fn secrets_that_everyone_can_read_are_told() {
    let directory = Directory::new("exposed").with("token", "canary-credential");
    let file = file::read(&with_store("{ file = \"token\" }", ""), &directory.0).unwrap();
    let told = |mode: u32| {
        let path = directory.0.join("token");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        exposed(&file.named())
    };
    assert_eq!(told(0o640), []);
    let problems = told(0o644);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "store[0].credential.file");
}

#[test]
fn unusable_credentials_are_named_and_not_shown() {
    let directory = Directory::new("unusable")
        .with("empty", " \n")
        .with("two", "one hidden-word\n")
        .with("long", "h".repeat(9000))
        .with("huge", "h".repeat(LARGEST_CREDENTIAL));
    for (credential, expected) in [
        (
            "{ file = \"empty\" }",
            "`DIR/empty` cannot be a credential: it is empty",
        ),
        (
            "{ file = \"two\" }",
            "cannot be a credential: it holds a character that is not visible ASCII",
        ),
        (
            "{ file = \"long\" }",
            "cannot be a credential: it is longer than 8192 bytes",
        ),
        ("{ file = \"huge\" }", "cannot be read: 65536 bytes or more"),
        (
            "{ file = \"/dev/zero\" }",
            "`/dev/zero` cannot be read: 65536 bytes or more",
        ),
        (
            "{ env = \"EMPTY\" }",
            "the environment variable cannot be a credential: it is empty",
        ),
        (
            "{ env = \"abcdefghij0123456789abcdefghij0\" }",
            "the environment variable is not set",
        ),
        (
            "{ file = \"abcdefghij0123456789abcdefghij0\" }",
            "the file cannot be read: there is no such file",
        ),
    ] {
        let report = directory.report(&with_store(credential, ""));
        assert!(report.contains(expected), "{credential}: {report}");
        assert!(report.ends_with("\n1 problem\n"), "{report}");
        for hidden in ["hidden", "hhhh", "abcdefghij0"] {
            assert!(!report.contains(hidden), "{report}");
        }
    }
}

#[test]
fn a_broken_key_is_not_shown() {
    let directory = Directory::new("key")
        .with("token", "t")
        .with("chain.pem", CERTIFICATE);
    for key in [
        "-----BEGIN PRIVATE KEY----- hidden\n",
        "-----BEGIN PRIVATE KEY-----\nhidden!\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nhidden\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhidden\n-----END ENCRYPTED PRIVATE KEY-----\n",
        CERTIFICATE,
    ] {
        fs::write(directory.0.join("key.pem"), key).unwrap();
        let text = with_store(
            "{ file = \"token\" }",
            "[listen.tls]\ncertificate = \"chain.pem\"\nprivate_key = \"key.pem\"",
        );
        let report = directory.report(&text);
        assert!(
            report.contains(":10:15: listen.tls.private_key: `DIR/key.pem` "),
            "{report}"
        );
        assert!(!report.contains("hidden"), "{report}");
    }
}
