//! Compares `hostseed create` with the same identity made by the openssl CLI: three P-256 keys, and the certificates of
//! a CA, a server and a client. Runs whole processes in turn, so that load on the computer affects both alike, and
//! prints the medians and their ratio. `cargo bench --bench create`.

mod pair;

use std::process::Command;

const OPENSSL: &str = r#"
set -e
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
key ca-key.pem; key server-key.pem; key key.pem
openssl req -x509 -new -key ca-key.pem -subj '/O=authority/CN=web1' -days 3650 \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.pem
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
    if !pair::is_here("openssl") {
        return;
    }
    pair::compare(
        ("hostseed create", || {
            let mut create = Command::new(env!("CARGO_BIN_EXE_hostseed"));
            create.args(["create", "web1", "--address", "203.0.113.7", "--store", "store"]);
            create
        }),
        ("openssl CLI", || {
            let mut openssl = Command::new("sh");
            openssl.args(["-c", OPENSSL]);
            openssl
        }),
    );
}
