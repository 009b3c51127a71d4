//! `hostseed create` against the same identity made with the openssl CLI: three P-256 keys, an authority, a server's and a
//! client's certificate. Whole processes, in turn, so that a noisy machine disturbs both alike; prints the medians
//! and their ratio. `cargo bench --bench create`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;

const OPENSSL: &str = r#"
set -e
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
key ca-key.pem; key server-key.pem; key key.pem
openssl req -x509 -new -key ca-key.pem -subj '/O=authority/CN=web1' -days 3650 \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:1' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.pem
sign() {
    openssl req -new -key "$1" -subj "$2" |
        openssl x509 -req -CA ca.pem -CAkey ca-key.pem -days 730 -extfile "$3" -out "$4"
}
printf 'extendedKeyUsage=serverAuth\nsubjectAltName=IP:203.0.113.7,DNS:web1,DNS:localhost,IP:127.0.0.1\n' >server.cnf
printf 'extendedKeyUsage=clientAuth\n' >client.cnf
sign server-key.pem '/O=server/CN=web1' server.cnf server.pem
sign key.pem '/O=client/CN=web1' client.cnf cert.pem
"#;

fn main() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("openssl is not here: nothing to compare with");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let place = dir.path().join(round.to_string());
        std::fs::create_dir(&place).unwrap();
        let mut create = Command::new(env!("CARGO_BIN_EXE_hostseed"));
        create.args(["create", "web1", "--address", "203.0.113.7", "--store", "store"]);
        let mut openssl = Command::new("sh");
        openssl.args(["-c", OPENSSL]);
        let times = [time(&mut create, &place), time(&mut openssl, &place)];
        // The first round warms up.
        if round > 0 {
            ours.push(times[0]);
            theirs.push(times[1]);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("hostseed create: {:.1} ms", ours.as_secs_f64() * 1e3);
    println!("openssl CLI:     {:.1} ms", theirs.as_secs_f64() * 1e3);
    println!("ratio:           {:.1}", theirs.as_secs_f64() / ours.as_secs_f64());
}

fn time(command: &mut Command, dir: &Path) -> Duration {
    let start = Instant::now();
    let output = command.current_dir(dir).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
