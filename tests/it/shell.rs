//! What the program is to a shell and to scripts: completions, man pages, JSON, pipes that are closed, and a probe.

use crate::support::client::ONE;
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Gateway, Setup};
use crate::support::process::{Ended, program, run};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

const COMMANDS: [&str; 8] = [
    "serve",
    "check",
    "explain",
    "health",
    "token",
    "sandbox",
    "completions",
    "man",
];

fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
}

fn parsed(ended: &Ended) -> Value {
    assert_eq!(ended.stderr, "");
    crate::support::http1::json(ended.stdout.as_bytes())
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell]);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{shell}"
        );
        for command in COMMANDS {
            assert!(ended.stdout.contains(command), "{shell}: {command}");
        }
    }
    // The one shell that is always there reads its own.
    let script = run(&["completions", "bash"]).stdout;
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash");
    let mut input = bash.stdin.take().expect("a pipe");
    input.write_all(script.as_bytes()).expect("read");
    drop(input);
    assert!(bash.wait().expect("bash").success());
    assert_eq!(run(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn every_command_has_a_man_page() {
    let page = run(&["man"]);
    assert_eq!(page.code, Some(0));
    assert!(page.stdout.contains(".TH metafield-gateway 1"));
    for section in [
        "NAME",
        "SYNOPSIS",
        "SUBCOMMANDS",
        "\"EXIT STATUS\"",
        "SIGNALS",
        "ENVIRONMENT",
    ] {
        assert!(
            page.stdout.contains(&format!(".SH {section}\n")),
            "{section}"
        );
    }
    for command in COMMANDS {
        let name = format!("metafield\\-gateway\\-{command}(1)");
        assert!(page.stdout.contains(&name), "{command}");
        let page = run(&["man", command]);
        assert_eq!(page.code, Some(0));
        let title = format!(".TH metafield-gateway-{command} 1");
        assert!(page.stdout.contains(&title), "{}", page.stdout);
    }
    let ended = run(&["man", "serv"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("there is no command `serv`"));
    assert!(ended.stderr.contains("known are serve, check"));
}

#[test]
fn check_tells_machines_what_it_tells_people() {
    let folder = Folder::new();
    let good = Setup::url("https://api.bigcommerce.com").text();
    folder.write("credential", "a-credential\n");
    let path = folder.write("gateway.toml", &good);
    let path = path.to_str().expect("UTF-8");
    let ended = run(&["check", "--json", "--config", path]);
    assert_eq!(ended.code, Some(0));
    let told = parsed(&ended);
    assert_eq!((&told["ok"], &told["problems"]), (&json!(true), &json!([])));
    assert_eq!(told["secrets_read"], json!(true));
    assert_eq!(told["file"], json!(path));

    folder.write("gateway.toml", format!("listn = 1\n{good}\nx = [\n"));
    let people = run(&["check", "--config", path]);
    let ended = run(&["check", "--json", "--config", path]);
    assert_eq!((people.code, ended.code), (Some(2), Some(2)));
    let told = parsed(&ended);
    assert_eq!(told["ok"], json!(false));
    let problems = told["problems"].as_array().expect("a list");
    assert!(!problems.is_empty());
    for problem in problems {
        let place = format!("{}:{}: ", problem["line"], problem["column"]);
        let message = problem["message"].as_str().expect("a text");
        assert!(
            people
                .stderr
                .lines()
                .any(|line| line.contains(&place) && line.contains(message)),
            "{problem}"
        );
    }

    let ended = run(&["check", "--json", "--config", "/nowhere/gateway.toml"]);
    assert_eq!(ended.code, Some(2));
    let told = parsed(&ended);
    let message = told["problems"][0]["message"].as_str().expect("a text");
    assert!(message.starts_with("cannot read /nowhere/gateway.toml: "));
    assert_eq!(told["callers"], Value::Null);
}

#[test]
fn explain_tells_machines_what_it_tells_people() {
    let setup = Setup::new(nowhere());
    let file = setup.folder.write("gateway.toml", setup.text());
    for (body, code) in [
        ("{\"value\":\"gold\",\"permission_set\":\"read\"}", 0),
        ("{\"value\":\"gold\",\"permission_set\":\"raed\"}", 3),
        ("{\"value\":1}", 3),
        ("{", 3),
    ] {
        let body = setup.folder.write("body.json", body);
        let [file, body] = [&file, &body].map(|path| path.to_str().expect("UTF-8"));
        let asked = [
            "explain", "--config", file, "--caller", "writer", "--method", "PUT", "--path", ONE,
            "--body", body,
        ];
        let people = run(&asked);
        let ended = run(&[&asked[..], &["--json"]].concat());
        assert_eq!((people.code, ended.code), (Some(code), Some(code)));
        let told = parsed(&ended);
        assert_eq!(told["allowed"], json!(code == 0));
        assert_eq!(told["operation"], json!("update"));
        for step in told["steps"].as_array().expect("a list") {
            let outcome = step["outcome"].as_str().expect("a word").replace('_', " ");
            let name = step["name"].as_str().expect("a word");
            let line = people
                .stdout
                .lines()
                .find(|line| line.get(15..).is_some_and(|rest| rest.starts_with(name)))
                .expect("a line");
            assert!(line.to_lowercase().contains(&outcome), "{line}: {step}");
        }
        if code == 0 {
            for line in told["afterwards"].as_array().expect("a list") {
                assert!(people.stdout.contains(line.as_str().expect("a text")));
            }
        } else {
            let denied = format!(
                "denied: {} {}\n",
                told["status"],
                told["code"].as_str().expect("a code")
            );
            assert!(people.stdout.contains(&denied), "{denied}");
            for (place, reason) in told["errors"].as_object().expect("an object") {
                let line = format!("  {place}: {}", reason.as_str().expect("a text"));
                assert!(people.stdout.contains(&line), "{line}");
            }
        }
    }
}

#[test]
fn nothing_is_coloured_and_a_closed_pipe_is_no_failure() {
    for arguments in [
        &["--help"][..],
        &["nothing"],
        &["man"],
        &["check", "--config", "/nowhere"],
    ] {
        let output = program(arguments)
            .env("CLICOLOR_FORCE", "1")
            .env("FORCE_COLOR", "1")
            .output()
            .expect("it runs");
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains(&0x1b), "{arguments:?}");
        }
    }
    let nowhere = ["--config", "/nowhere"];
    let bad = [&["check", "--json"][..], &nowhere].concat();
    let unheard = [&["health"][..], &nowhere].concat();
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["man"], 0),
        (&["completions", "zsh"], 0),
        (&["token"], 0),
        // What is no success is none although nobody reads why.
        (&bad, 2),
        (&unheard, 2),
    ] {
        // Nobody reads.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program(arguments)
            .stdout(writer.try_clone().expect("a pipe"))
            .stderr(writer)
            .spawn()
            .expect("it runs")
            .wait_with_output()
            .expect("it ends");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_running_gateway_tells_how_it_is() {
    let fake = Fake::good();
    let setup = Setup::new(fake.address).with("admin.address = \"127.0.0.1:0\"");
    let gateway = setup.start();
    let port = gateway.admin_address().port();
    let folder = Folder::new();
    let config = |admin: &str| {
        let setup = Setup::url("https://api.bigcommerce.com");
        let setup = if admin.is_empty() {
            setup
        } else {
            setup.with(admin)
        };
        folder.write("gateway.toml", setup.text())
    };
    let ask = |admin: &str, more: &[&str]| {
        let path = config(admin);
        let path = path.to_str().expect("UTF-8");
        run(&[&["health", "--config", path], more].concat())
    };
    // One that listens everywhere is asked on the loopback interface.
    for address in ["127.0.0.1", "0.0.0.0"] {
        let admin = format!("admin.address = \"{address}:{port}\"");
        assert_eq!(ask(&admin, &[]).code, Some(0), "{address}");
        let ready = ask(&admin, &["--ready"]);
        assert_eq!(ready.code, Some(0), "{}", ready.stderr);
        assert!(ready.stdout.starts_with("ready"), "{}", ready.stdout);
    }
    let admin = format!("admin.address = \"127.0.0.1:{port}\"");
    leave(&gateway);
    let leaving = ask(&admin, &["--ready"]);
    assert_eq!(leaving.code, Some(1));
    assert!(
        leaving.stderr.starts_with("error: /readyz answers 503\n"),
        "{}",
        leaving.stderr
    );
    assert_eq!(ask(&admin, &[]).code, Some(0));
    gateway.stop();
    let gone = ask(&admin, &[]);
    assert_eq!(gone.code, Some(1));
    assert!(
        gone.stderr.contains(&format!("error: 127.0.0.1:{port}: ")),
        "{}",
        gone.stderr
    );
    let nobody = ask("", &[]);
    assert_eq!(nobody.code, Some(2));
    assert!(
        nobody.stderr.contains("the configuration has no `[admin]`"),
        "{}",
        nobody.stderr
    );
}

fn leave(gateway: &Gateway) {
    gateway.advance(metafield_gateway::server::Stage::Leaving);
    let is_leaving = (0..10_000).any(|_| gateway.admin("/readyz").status() == 503);
    assert!(is_leaving);
}
