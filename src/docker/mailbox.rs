//! Reads and writes files of a host through Docker's API: a container that is never started, of an image without files, has the host's
//! folders mounted, and Docker copies archives from and to it. Nothing is pulled, and nothing runs.

use std::io::{self, Read};
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use tar::{EntryType, Header};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use ureq::http::Method;

use super::engine::{Call, Engine, Reply};
use super::{Fault, Said};
use crate::artifact::Artifact;
use crate::secret::Secret;
use crate::userdata::paths;

/// The container's name. Docker gives a name to one container only, so it is the lock of all clients.
const NAME: &str = "hostseed-apply";
/// The label of the container and of the image. Its value on the container is the set.
pub(super) const LABEL: &str = "hostseed.apply";
/// The labels of the container that tell who made it.
const BY: &str = "hostseed.apply.by";
const PROCESS: &str = "hostseed.apply.process";
/// Where the container has the host's `/etc/docker`.
const DOCKER: &str = "/docker";
/// Where the container has the host's `/etc/systemd/system`.
const UNITS: &str = "/units";
/// The age of a container whose client does not work on it any more. More than the time that one may take.
const ABANDONED: time::Duration = time::Duration::minutes(20);
/// The block of an archive in bytes (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK: usize = 512;
/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// The client that works on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `USER@COMPUTER`, as far as the client knows them.
    pub by: String,
    /// When it began, by the host's clock.
    pub since: Option<OffsetDateTime>,
}

/// Why there is no container.
#[derive(Debug)]
pub enum Unopened {
    /// Another client has one.
    Held(Holder),
    Fault(Fault),
}

impl From<Fault> for Unopened {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The container and its image.
#[derive(Debug)]
pub struct Mailbox {
    /// The version of the API.
    api: String,
    container: String,
    image: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    id: String,
    image: String,
    created: String,
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<std::collections::HashMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    /// Seconds since 1970.
    created: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

/// A line of Docker's progress of an import.
#[derive(Deserialize)]
struct Progress {
    status: Option<String>,
    error: Option<String>,
}

impl Mailbox {
    /// Makes the container for the set `set`, unless another client has it. Replaces one that a client has left behind.
    ///
    /// # Errors
    /// Fails if another client has it, or with the host's fault.
    pub fn open(engine: &Engine, api: &str, set: &str, deadline: Instant) -> Result<Self, Unopened> {
        if let Some(found) = find(engine, api, deadline)? {
            take_over(engine, api, &found, deadline)?;
        }
        remove_old_images(engine, api, deadline)?;
        let image = create_image(engine, api, deadline)?;
        let binds = [format!("{}:{DOCKER}", paths::DOCKER), format!("{}:{UNITS}", paths::UNITS)];
        let body = json!({
            "Image": image,
            // Docker wants a command. The container is never started.
            "Cmd": ["never-started"],
            "Labels": { LABEL: set, BY: client(), PROCESS: std::process::id().to_string() },
            "NetworkDisabled": true,
            "HostConfig": { "Binds": binds, "NetworkMode": "none" },
        });
        let path = format!("/containers/create?name={NAME}");
        let body = body.to_string();
        let call = Call { method: Method::POST, path, body: Some(("application/json", body.as_bytes())) };
        let created = engine.send(api, &call, deadline).and_then(|reply| parse::<Created>(&reply));
        match created {
            Ok(Created { id }) => Ok(Self { api: api.to_owned(), container: id, image }),
            Err(fault) => {
                remove(engine, api, &format!("/images/{image}"), deadline)?;
                match fault {
                    // Another client was faster.
                    Fault::Daemon { status: 409, .. } => match find(engine, api, deadline)? {
                        Some(found) => Err(Unopened::Held(found.container.holder())),
                        None => Err(fault.into()),
                    },
                    fault => Err(fault.into()),
                }
            }
        }
    }

    /// Reads a file of the host's `/etc/docker`, or None if there is none.
    pub fn read(&self, engine: &Engine, name: &str, deadline: Instant) -> Result<Option<Vec<u8>>, Fault> {
        self.read_at(engine, &format!("{DOCKER}/{name}"), deadline)
    }

    /// Reads a unit of the host's, or None if there is none.
    pub fn read_unit(
        &self,
        engine: &Engine,
        name: &str,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Fault> {
        self.read_at(engine, &format!("{UNITS}/{name}"), deadline)
    }

    fn read_at(&self, engine: &Engine, path: &str, deadline: Instant) -> Result<Option<Vec<u8>>, Fault> {
        let path = format!("/containers/{}/archive?path={path}", self.container);
        match engine.send(&self.api, &Call { method: Method::GET, path, body: None }, deadline) {
            Ok(reply) => first_file(&reply.body).map(Some).ok_or(Fault::NotDocker),
            Err(Fault::Daemon { status: 404, .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Writes files below the host's `/etc/docker`, in folders that only root can read. Docker writes them in this order.
    pub fn write(&self, engine: &Engine, files: &[Artifact], deadline: Instant) -> Result<(), Fault> {
        self.write_at(engine, DOCKER, files, deadline)
    }

    /// Writes units to the host's `/etc/systemd/system`.
    pub fn write_units(&self, engine: &Engine, units: &[Artifact], deadline: Instant) -> Result<(), Fault> {
        self.write_at(engine, UNITS, units, deadline)
    }

    fn write_at(
        &self,
        engine: &Engine,
        to: &str,
        files: &[Artifact],
        deadline: Instant,
    ) -> Result<(), Fault> {
        let archive = archive(files).map_err(|error| Fault::Local(error.to_string()))?;
        let path = format!("/containers/{}/archive?path={to}", self.container);
        let call = Call { method: Method::PUT, path, body: Some(("application/x-tar", archive.expose())) };
        engine.send(&self.api, &call, deadline).map(drop)
    }

    /// Returns whether Docker still has the container. A `docker container prune` removes it.
    pub fn exists(&self, engine: &Engine, deadline: Instant) -> Result<bool, Fault> {
        let path = format!("/containers/{}/json", self.container);
        match engine.send(&self.api, &Call { method: Method::GET, path, body: None }, deadline) {
            Ok(_) => Ok(true),
            Err(Fault::Daemon { status: 404, .. }) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Makes another container, for the same set.
    pub fn reopen(&self, engine: &Engine, set: &str, deadline: Instant) -> Result<Self, Unopened> {
        remove(engine, &self.api, &format!("/images/{}", self.image), deadline)?;
        Self::open(engine, &self.api, set, deadline)
    }

    /// The version of the API.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The image without files.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Removes the container and the image.
    pub fn close(&self, engine: &Engine, deadline: Instant) -> Result<(), Fault> {
        remove(engine, &self.api, &format!("/containers/{}?force=1", self.container), deadline)?;
        remove(engine, &self.api, &format!("/images/{}", self.image), deadline)
    }
}

/// The container that exists, and the host's clock.
struct Found {
    container: Container,
    clock: Option<OffsetDateTime>,
}

fn find(engine: &Engine, api: &str, deadline: Instant) -> Result<Option<Found>, Fault> {
    let path = format!("/containers/{NAME}/json");
    match engine.send(api, &Call { method: Method::GET, path, body: None }, deadline) {
        Ok(reply) => Ok(Some(Found { container: parse(&reply)?, clock: reply.clock })),
        Err(Fault::Daemon { status: 404, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Removes a container that its client has left behind.
///
/// # Errors
/// Fails if the client may still work on it, or with the host's fault.
fn take_over(engine: &Engine, api: &str, found: &Found, deadline: Instant) -> Result<(), Unopened> {
    let holder = found.container.holder();
    let age = holder.since.zip(found.clock).map(|(since, now)| now - since);
    let is_abandoned = age.is_some_and(|age| age > ABANDONED) || found.container.is_of_a_dead_process();
    // Someone else's container has this name.
    let is_ours = found.container.label(LABEL).is_some();
    if !is_ours || !is_abandoned {
        return Err(Unopened::Held(holder));
    }
    // By its identifier: another client may have replaced it.
    remove(engine, api, &format!("/containers/{}?force=1", found.container.id), deadline)?;
    remove(engine, api, &format!("/images/{}", found.container.image), deadline)?;
    Ok(())
}

impl Container {
    fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    fn holder(&self) -> Holder {
        Holder {
            by: self.label(BY).unwrap_or_default().to_owned(),
            since: OffsetDateTime::parse(&self.created, &Rfc3339).ok(),
        }
    }

    /// Returns whether a process of this computer made it that does not run any more.
    fn is_of_a_dead_process(&self) -> bool {
        let process = self.label(PROCESS).and_then(|process| process.parse().ok());
        self.label(BY) == Some(&client()) && process.is_some_and(is_dead)
    }
}

/// Removes images that killed clients left without a container.
fn remove_old_images(engine: &Engine, api: &str, deadline: Instant) -> Result<(), Fault> {
    // {"label":["hostseed.apply"]}
    let path = format!("/images/json?filters=%7B%22label%22%3A%5B%22{LABEL}%22%5D%7D");
    let reply = engine.send(api, &Call { method: Method::GET, path, body: None }, deadline)?;
    let images: Vec<Image> = parse(&reply)?;
    let Some(now) = reply.clock else { return Ok(()) };
    for image in images {
        if now.unix_timestamp() - image.created > ABANDONED.whole_seconds() {
            match remove(engine, api, &format!("/images/{}", image.id), deadline) {
                // A container uses it.
                Ok(()) | Err(Fault::Daemon { status: 409, .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(())
}

/// Makes an image without files and without a name, and returns its identifier.
fn create_image(engine: &Engine, api: &str, deadline: Instant) -> Result<String, Fault> {
    // An archive ends with two empty blocks.
    let empty = [0; 2 * BLOCK];
    let path = format!("/images/create?fromSrc=-&changes=LABEL%20{LABEL}%3D1");
    let call = Call { method: Method::POST, path, body: Some(("application/x-tar", &empty)) };
    let reply = engine.send(api, &call, deadline)?;
    let mut image = None;
    for line in serde_json::Deserializer::from_slice(&reply.body).into_iter::<Progress>() {
        match line.map_err(|_| Fault::NotDocker)? {
            // The status was sent before the error.
            Progress { error: Some(error), .. } => {
                return Err(Fault::Daemon { status: 500, said: Said::of(&error) });
            }
            Progress { status: Some(status), .. } if is_image(&status) => image = Some(status),
            Progress { .. } => {}
        }
    }
    image.ok_or(Fault::NotDocker)
}

/// Returns whether a text is an image's identifier.
fn is_image(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(crate::digest::is_sha256)
}

/// Removes something that may be gone already.
pub(super) fn remove(engine: &Engine, api: &str, path: &str, deadline: Instant) -> Result<(), Fault> {
    let call = Call { method: Method::DELETE, path: path.to_owned(), body: None };
    match engine.send(api, &call, deadline) {
        Ok(_) | Err(Fault::Daemon { status: 404, .. }) => Ok(()),
        Err(fault) => Err(fault),
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(reply: &'a Reply) -> Result<T, Fault> {
    serde_json::from_slice(&reply.body).map_err(|_| Fault::NotDocker)
}

/// This client for others: `USER@COMPUTER`.
fn client() -> String {
    let of =
        |names: [&str; 2]| names.into_iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    #[cfg(unix)]
    let computer = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let computer = of(["COMPUTERNAME", "HOSTNAME"]);
    format!("{}@{computer}", of(["USER", "USERNAME"]))
}

/// Returns whether no process of this computer has this number.
#[cfg(unix)]
fn is_dead(process: i32) -> bool {
    let process = rustix::process::Pid::from_raw(process);
    process.is_some_and(|process| rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_dead(_: i32) -> bool {
    false
}

/// An archive of files, of root's, with the folders above them.
fn archive(files: &[Artifact]) -> io::Result<Secret<Vec<u8>>> {
    let size = |file: &Artifact| file.bytes.len().next_multiple_of(BLOCK) + 2 * BLOCK;
    // Growing it would leave copies of keys in memory.
    let bytes = Secret::new(Vec::with_capacity(files.iter().map(size).sum::<usize>() + 4 * BLOCK));
    let mut builder = tar::Builder::new(Bytes(bytes));
    let mut folders: Vec<&str> = Vec::new();
    for file in files {
        if let Some((folder, _)) = file.path.rsplit_once('/')
            && !folders.contains(&folder)
        {
            folders.push(folder);
            let mut header = header(EntryType::Directory, 0o700, 0);
            builder.append_data(&mut header, format!("{folder}/"), io::empty())?;
        }
        let mut header = header(EntryType::Regular, file.mode, file.bytes.len() as u64);
        builder.append_data(&mut header, &file.path, file.bytes.expose())?;
    }
    builder.into_inner().map(|bytes| bytes.0)
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

/// Writes to bytes that are erased when dropped.
struct Bytes(Secret<Vec<u8>>);

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The content of the first regular file of an archive.
fn first_file(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entry = archive
        .entries()
        .ok()?
        .find_map(|entry| entry.ok().filter(|entry| entry.header().entry_type().is_file()))?;
    let mut content = Vec::new();
    entry.take(MAX_FILE).read_to_end(&mut content).ok()?;
    Some(content)
}
