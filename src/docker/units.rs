//! Starts the units that put new files in place on a host that lacks them: a host of Docker Machine, or of the first versions of hostseed.
//!
//! A container runs the host's own programs in the host's namespaces, as root. So it needs no image from elsewhere, and it is for users who ask
//! for it.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use ureq::http::Method;

use super::engine::{Call, Engine};
use super::mailbox::{LABEL, Mailbox, parse, remove};
use super::{Fault, Said};
use crate::userdata::paths::APPLY_PATH;

/// The architectures, as Docker names them, whose dynamic loader is in `/lib64` (the ABI of each). Docker would create a folder that the
/// host lacks.
const LIB64: [&str; 3] = ["amd64", "ppc64le", "loong64"];
/// The longest output that is read, in lines.
const TAIL: u32 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ended {
    status_code: i64,
}

/// Starts the path unit, at each boot too.
///
/// # Errors
/// Fails with the host's fault, or with the output of its programs.
pub fn start(engine: &Engine, mailbox: &Mailbox, arch: &str, deadline: Instant) -> Result<(), Fault> {
    let script = format!("systemctl daemon-reload && systemctl enable --now {APPLY_PATH}");
    let nsenter = "/usr/bin/nsenter --target 1 --mount --uts --ipc --net --pid -- /bin/sh -c";
    let command: Vec<&str> = nsenter.split(' ').chain([script.as_str()]).collect();
    let folders = ["/usr", "/lib", "/bin"].into_iter().chain(LIB64.contains(&arch).then_some("/lib64"));
    let binds: Vec<String> = folders.map(|folder| format!("{folder}:{folder}:ro")).collect();
    let body = json!({
        "Image": mailbox.image(),
        "Cmd": command,
        // Its output has no frames then.
        "Tty": true,
        "Labels": { LABEL: "units" },
        "HostConfig": {
            "Binds": binds,
            "NetworkMode": "host",
            "PidMode": "host",
            // nsenter(1) needs these. The profiles of a container forbid it.
            "CapAdd": ["SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"],
            "SecurityOpt": ["apparmor=unconfined", "seccomp=unconfined", "label=disable"],
        },
    })
    .to_string();
    let send = |method, path: String, body: Option<&str>| {
        let body = body.map(|body| ("application/json", body.as_bytes()));
        engine.send(mailbox.api(), &Call { method, path, body }, deadline)
    };
    let Created { id } = parse(&send(Method::POST, "/containers/create".to_owned(), Some(&body))?)?;
    let run = || {
        // An empty body with its length: Docker refuses to start a container with a body whose length it does not know.
        send(Method::POST, format!("/containers/{id}/start"), Some(""))?;
        let Ended { status_code } = parse(&send(Method::POST, format!("/containers/{id}/wait"), Some(""))?)?;
        if status_code == 0 {
            return Ok(());
        }
        let path = format!("/containers/{id}/logs?stdout=1&stderr=1&tail={TAIL}");
        let output = send(Method::GET, path, None)?.body;
        let said =
            Said::of(&String::from_utf8_lossy(&output).split_whitespace().collect::<Vec<_>>().join(" "));
        Err(Fault::Daemon { status: 500, said })
    };
    let done = run();
    let removed = remove(engine, mailbox.api(), &format!("/containers/{id}?force=1"), deadline);
    done.and(removed)
}
