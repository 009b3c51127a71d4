//! One connection to a host for ureq: TCP and TLS, with a limit for each wait. It keeps the cause of a failure as a [`Fault`].

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::Fault;
use super::fault::Rank;
use super::tls::Handshake;

/// How long a server may take to refuse a client certificate after a handshake of TLS 1.3, which ends before the server has verified
/// it. dockerd sends a session ticket at once if it accepts the certificate, so this is the time only for another program.
const VERDICT: Duration = Duration::from_secs(1);

/// Resolves names as the system does.
#[derive(Debug)]
pub struct Resolve(pub DefaultResolver);

impl Resolver for Resolve {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, timeout).map_err(|error| wrap(Fault::of_resolve(&error)))
    }
}

/// Connects to one host.
pub struct Connect {
    pub tls: Arc<ClientConfig>,
    pub name: ServerName<'static>,
    pub handshake: Handshake,
}

impl Connector for Connect {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, Error> {
        let deadline = deadline(details.timeout);
        let mut told: Option<Fault> = None;
        for (n, address) in details.addrs.iter().enumerate() {
            // Each address gets its part of the time.
            let rest = u32::try_from(details.addrs.len() - n).unwrap_or(u32::MAX);
            let left = deadline.saturating_duration_since(Instant::now()) / rest;
            let opened = open(address, Instant::now() + left);
            let connected = opened.and_then(|socket| self.shake_hands(socket));
            match connected {
                // docker uses the first address that accepts a connection, and no other one if TLS fails there.
                Ok((client, socket)) if told.as_ref().is_none_or(|fault| fault.rank() <= Rank::Refused) => {
                    let config = details.config;
                    return Ok(Some(Connection {
                        stream: StreamOwned::new(client, socket),
                        buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
                        handshake: self.handshake.clone(),
                    }));
                }
                Ok(_) => {}
                Err(fault) if told.as_ref().is_none_or(|told| told.rank() < fault.rank()) => {
                    told = Some(fault)
                }
                Err(_) => {}
            }
        }
        self.handshake.clear();
        Err(wrap(told.unwrap_or(Fault::Unresolved)))
    }
}

impl Connect {
    /// Completes the handshake of TLS, and waits for what the server says about the client certificate.
    fn shake_hands(&self, mut socket: Socket) -> Result<(ClientConnection, Socket), Fault> {
        self.handshake.clear();
        let mut client = ClientConnection::new(self.tls.clone(), self.name.clone())
            .map_err(|error| Fault::of_tls(&error, &self.handshake))?;
        let mut shake_hands = || {
            while client.is_handshaking() {
                client.complete_io(&mut socket)?;
            }
            await_verdict(&mut client, &mut socket)
        };
        shake_hands().map_err(|error| match Fault::of_stream(&error, &self.handshake) {
            // The handshake has begun, so the host has begun to answer.
            Fault::Silent if !self.handshake.presented().is_empty() => Fault::Stalled,
            fault => fault,
        })?;
        Ok((client, socket))
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Opens a TCP connection.
fn open(address: &SocketAddr, deadline: Instant) -> Result<Socket, Fault> {
    let left = deadline.saturating_duration_since(Instant::now());
    // The system refuses a time of zero.
    let stream = TcpStream::connect_timeout(address, left.max(Duration::from_millis(1)));
    let stream = stream.map_err(|error| Fault::of_connect(&error))?;
    // A request must not wait for the answer to the last packet.
    let _ = stream.set_nodelay(true);
    Ok(Socket { stream, deadline })
}

/// Waits until the server has accepted or refused the client certificate. A request before that could meet a closed connection, whose
/// reset can overtake the reason.
fn await_verdict(client: &mut ClientConnection, socket: &mut Socket) -> io::Result<()> {
    if client.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    let deadline = std::mem::replace(&mut socket.deadline, Instant::now() + VERDICT);
    socket.deadline = socket.deadline.min(deadline);
    let read = client.read_tls(socket);
    socket.deadline = deadline;
    match read {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => client.process_new_packets().map(drop).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
        Err(error) => Err(error),
    }
}

/// A stream whose reads and writes end at a deadline.
struct Socket {
    stream: TcpStream,
    deadline: Instant,
}

impl Socket {
    fn left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(timed_out)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Unix reports the end of a socket's time as a read that would block.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// An established connection.
pub struct Connection {
    stream: StreamOwned<ClientConnection, Socket>,
    buffers: LazyBuffers,
    handshake: Handshake,
}

impl Connection {
    fn failed(&self, error: &io::Error) -> Error {
        wrap(Fault::of_stream(error, &self.handshake))
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().deadline = deadline(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| self.failed(&error))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().deadline = deadline(timeout);
        let read = self.stream.read(self.buffers.input_append_buf());
        let amount = read.map_err(|error| self.failed(&error))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        let stream = &self.stream.get_ref().stream;
        let waits = |stream: &TcpStream| {
            stream.set_nonblocking(true)?;
            let peeked = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            peeked
        };
        waits(stream).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// The end of a wait. Without a limit, which no request here has, an hour.
fn deadline(timeout: NextTimeout) -> Instant {
    Instant::now() + timeout.not_zero().map_or(Duration::from_secs(3600), |after| *after)
}

fn wrap(fault: Fault) -> Error {
    Error::Other(Box::new(fault))
}
