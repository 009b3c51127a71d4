//! Compares `hostseed create` with programs that make the same identity: the certificates and keys of a CA, a server and a client. They
//! write nothing else, and do not wait for the disk. On a disk, and on a tmpfs if there is one. `cargo bench --bench create`.

mod table;

use std::path::Path;
use std::process::Command;

use table::Row;

const OPENSSL: &str = r#"
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

// mkcert's CA is always RSA 3072.
const MKCERT: &str = r#"
export CAROOT="$PWD"
mkcert -ecdsa -cert-file server.pem -key-file server-key.pem 203.0.113.7 web1 localhost 127.0.0.1
mkcert -ecdsa -client -cert-file cert.pem -key-file key.pem web1
"#;

// Debian's minica knows only RSA 2048, and one name.
const MINICA: &str = r#"
minica -ca-cert ca.pem -ca-key ca-key.pem -type server web1
minica -ca-cert ca.pem -ca-key ca-key.pem -type client client
"#;

const CFSSL: &str = r#"
request() { printf '{"CN": "web1", "hosts": %s, "key": {"algo": "ecdsa", "size": 256}, "names": [{"O": "%s"}]}' "$2" "$1" >"$1.json"; }
request authority '[]'; request server '["203.0.113.7", "web1", "localhost", "127.0.0.1"]'; request client '[]'
cfssl genkey -loglevel 5 -initca authority.json | cfssljson -bare ca
for who in server client; do
    cfssl gencert -loglevel 5 -ca ca.pem -ca-key ca-key.pem "$who.json" | cfssljson -bare "$who"
done
"#;

const CERTTOOL: &str = r#"
printf 'cn=web1\nca\ncert_signing_key\nexpiration_days=3650\n' >ca.cfg
printf 'cn=web1\ndns_name=web1\ndns_name=localhost\nip_address=203.0.113.7\nip_address=127.0.0.1\ntls_www_server\nexpiration_days=730\n' >server.cfg
printf 'cn=web1\ntls_www_client\nexpiration_days=730\n' >client.cfg
for who in ca server client; do
    certtool --generate-privkey --key-type=ecdsa --curve=secp256r1 --outfile "$who-key.pem"
done
certtool --generate-self-signed --load-privkey ca-key.pem --template ca.cfg --outfile ca.pem
for who in server client; do
    certtool --generate-certificate --load-privkey "$who-key.pem" --load-ca-certificate ca.pem --load-ca-privkey ca-key.pem \
        --template "$who.cfg" --outfile "$who.pem"
done
"#;

fn main() {
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (place, on) in [(disk, "a disk"), (Path::new("/dev/shm"), "a tmpfs")] {
        if !place.is_dir() {
            println!("{} is not there: nothing on {on}", place.display());
            continue;
        }
        let create = |options: &'static [&'static str]| {
            move || {
                let mut create = Command::new(env!("CARGO_BIN_EXE_hostseed"));
                create.args(["create", "web1", "--quiet", "--store", "store"]).args(options);
                create
            }
        };
        let mut rows = vec![
            Row::new("hostseed create", create(&["--address", "203.0.113.7"])),
            Row::new("hostseed create with a boot issuer", create(&[])),
            Row::new("hostseed --version", || {
                let mut version = Command::new(env!("CARGO_BIN_EXE_hostseed"));
                version.arg("--version");
                version
            }),
        ];
        let peers = [
            Row::of_script(&["openssl"], "openssl", OPENSSL),
            Row::of_script(&["mkcert"], "mkcert (CA: RSA)", MKCERT),
            Row::of_script(&["minica"], "minica (RSA)", MINICA),
            Row::of_script(&["cfssl", "cfssljson"], "cfssl", CFSSL),
            Row::of_script(&["certtool"], "certtool", CERTTOOL),
        ];
        rows.extend(peers.into_iter().flatten());
        table::compare(&format!("one machine on {on}"), place, rows);
    }
}
