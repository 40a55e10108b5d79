//! The chart's values: wrong ones are refused, by their name.

use super::tools::{chart, helm};

/// Values that are wrong, and where helm says so.
const WRONG: &str = "
    config=                                   /config
    mode=daemonset                            /mode
    replica=3                                 replica
    replicas=many                             /replicas
    replicas=-1                               /replicas
    image.tag=not/a/tag                       /image/tag
    image.digest=sha256:12                    /image/digest
    image.name=gateway                        /image
    ports.admin=80                            /ports/admin
    ports.gateway=https                       /ports/gateway
    ports.page=0                              /ports/page
    statusPage.enabled=perhaps                /statusPage/enabled
    statusPage.port=1                         /statusPage
    tls.enabled=yes-please                    /tls/enabled
    tls.secretName=Not_A_Name                 /tls/secretName
    drain.delaySeconds=5s                     /drain/delaySeconds
    drain.timeoutSeconds=0                    /drain/timeoutSeconds
    credentials.file=/run/secrets/token       /credentials
    resources.limits.memory=lots              /resources/limits/memory
    resources.limits.gpu=1                    /resources/limits
    podMonitor.interval=often                 /podMonitor/interval
    service.type=LoadBalancer                 /service
    podDisruptionBudget.maxUnavailable=0      /podDisruptionBudget/maxUnavailable
    networkPolicy.except[0]=everywhere        /networkPolicy/except/0
    extraVolumeMounts[0].mountPath=/a         /extraVolumeMounts/0
    logLevel=a$b                              /logLevel
    config=[listen]                           config: write keys of [listen] and [admin]
    config=[admin]                            config: write keys of [listen] and [admin]
";

#[test]
fn a_wrong_value_is_named() {
    let cases = WRONG.lines().map(str::trim).filter(|line| !line.is_empty());
    for case in cases {
        let (setting, place) = case.split_once("  ").expect("two columns");
        let output = helm(&chart(), &["--set", "config=a = 1", "--set", setting]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{setting} is accepted");
        let place = place.trim();
        assert!(said.contains(place), "{setting}: {place} is not in {said}");
    }
}

#[test]
fn a_mount_that_would_not_change_is_refused() {
    let mount = "extraVolumeMounts[0].name=a,extraVolumeMounts[0].mountPath=/a";
    let sub_path = "extraVolumeMounts[0].subPath=b";
    let config = ["--set", "config=a = 1", "--set", mount];
    assert!(helm(&chart(), &config).status.success());
    let refused = helm(&chart(), &[&config[..], &["--set", sub_path]].concat());
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/extraVolumeMounts/0"));
}
