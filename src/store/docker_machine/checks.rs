//! Checks of a machine of Docker Machine before it is taken over: its record, its certificates, and its keys.

use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use crate::diag::{Code, Diagnostic, Report};
use crate::names::MachineName;
use crate::pki::{self, Certificate, HostIdentity, Purpose};
use crate::plan::Plan;
use crate::store::record::Record;
use crate::store::{Store, files, unusable};

/// The newest format of a record, which Docker Machine 0.16 writes (docker/machine, `version/version.go`). 0 had no `HostOptions`.
const FORMATS: std::ops::RangeInclusive<u64> = 1..=3;
/// The files of TLS that Docker Machine puts into a machine's folder.
const TLS_FILES: [&str; 5] = ["ca.pem", "server.pem", "server-key.pem", "cert.pem", "key.pem"];

impl Store {
    /// Reads a machine's record and its certificates. Keys must belong to their certificates.
    pub(super) fn checked_files(
        &self,
        source: &Store,
        name: &MachineName,
    ) -> Result<(Record, HostIdentity, Certificate)> {
        let dir = source.machine_dir(name);
        let mut problems = Vec::new();
        let refuse = |text: String| Diagnostic::error(Code::DockerMachineRecord, text);
        let path = dir.join("config.json");
        let text = files::read(&path);
        let lacks_address = text.as_ref().is_ok_and(|text| Record::lacks_address(text.expose()));
        let missing = TLS_FILES.iter().filter(|file| dir.join(file).symlink_metadata().is_err());
        let missing: Vec<_> = (lacks_address.then(|| "an address".to_owned()).into_iter())
            .chain(missing.map(|file| format!("`{file}`")))
            .collect();
        if !missing.is_empty() {
            let text =
                format!("`{name}` lacks {}: Docker Machine has not finished creating it", missing.join(", "));
            problems.push(refuse(text).hint("finish or remove it with `docker-machine`"));
        }
        let record = text.and_then(|text| {
            Record::from_json(text.expose()).map_err(|error| unusable(Code::StoredRecord, &path, &error))
        });
        match &record {
            Err(_) if lacks_address => {}
            Err(error) => problems.push(problem_of(error)),
            Ok(record) if !FORMATS.contains(&record.version()) => {
                let text = format!(
                    "the record of `{name}` has the format {}, and hostseed reads 1 to 3",
                    record.version()
                );
                problems.push(refuse(text).hint("`docker-machine ls` rewrites old records"));
            }
            Ok(record) if record.scheme() != "tcp" => {
                let text = format!(
                    "`{name}` is at `{}`: hostseed connects to machines only over TLS, at `tcp://HOST:PORT`",
                    record.url
                );
                problems.push(refuse(text));
            }
            Ok(_) => {}
        }
        if !missing.is_empty() {
            return Err(Report(problems).into());
        }
        let identity = read_identity(&dir);
        if let Err(error) = &identity {
            problems.push(problem_of(error));
        }
        match (record, identity) {
            (Ok(record), Ok((host, client))) if problems.is_empty() => Ok((record, host, client)),
            _ => Err(Report(problems).into()),
        }
    }

    /// A warning if the host's key is a client's key too. Docker Machine makes such certificates, hostseed never.
    pub fn client_use(
        &self,
        name: &MachineName,
        host: &HostIdentity,
        now: OffsetDateTime,
    ) -> Option<Diagnostic> {
        let (leaf, above) = host.chain.split_first()?;
        pki::judge(leaf, above, &host.ca.anchors(), Purpose::Client, now).ok()?;
        let text = format!(
            "the server certificate of `{name}` is valid for clients too, as Docker Machine makes it: anyone who has the user-data can control Docker on all machines of its CA until {}",
            leaf.validity().not_after.date()
        );
        let warning = Diagnostic::warning(Code::CertificatePurpose, text);
        // A host of Docker Machine has no units that put new files in place.
        let renew = self.command(["renew", name.as_str(), "--apply", "--install-units"]);
        Some(warning.hint("replace the certificate before you give the user-data to a cloud:").run(renew))
    }

    /// Warnings about a machine's certificates.
    pub(super) fn doubts(
        &self,
        plan: &Plan,
        host: &HostIdentity,
        client: &Certificate,
        now: OffsetDateTime,
    ) -> Vec<Diagnostic> {
        let name = &plan.name;
        let mut doubts = Vec::new();
        let anchors = host.ca.anchors();
        let [leaf, above @ ..] = &host.chain[..] else { return doubts };
        for (certificate, above, purpose, file) in
            [(leaf, above, Purpose::Server, "server.pem"), (client, &[], Purpose::Client, "cert.pem")]
        {
            if let Err(why) = pki::judge(certificate, above, &anchors, purpose, now) {
                let text = format!("`{file}` of `{name}` does not verify with its `ca.pem`: {why}");
                doubts.push(Diagnostic::warning(Code::CertificateChain, text));
            }
        }
        doubts.extend(self.client_use(name, host, now));
        let address = plan.dialled();
        if !leaf.covers(&address) {
            let text = format!(
                "the server certificate of `{name}` does not cover its address {address}, so clients refuse it"
            );
            doubts.push(Diagnostic::warning(Code::AddressNotCovered, text));
        }
        doubts
    }
}

/// Reads what the host has, and the client's certificate.
fn read_identity(dir: &Path) -> Result<(HostIdentity, Certificate)> {
    let [ca, server, server_key, cert, key] = TLS_FILES.map(|file| dir.join(file));
    let texts = [files::read(&ca)?, files::read(&server)?, files::read(&server_key)?];
    let host = HostIdentity::read([(&ca, &texts[0]), (&server, &texts[1]), (&server_key, &texts[2])])?;
    let chain = Certificate::chain_from_pem(files::read(&cert)?.expose());
    let client = chain.map_err(|fault| unusable(Code::StoredPem, &cert, &fault.into()))?.remove(0);
    let is_its = pki::is_key_of(&files::read(&key)?, &client)
        .map_err(|error| unusable(Code::StoredPem, &key, &error))?;
    if !is_its {
        let text = format!("`{}` is not the key of cert.pem", key.display());
        return Err(Diagnostic::error(Code::KeyMismatch, text).into());
    }
    Ok((host, client))
}

fn problem_of(error: &anyhow::Error) -> Diagnostic {
    Diagnostic::of(error).unwrap_or_else(|| Diagnostic::error(Code::StoredRecord, format!("{error:#}")))
}
