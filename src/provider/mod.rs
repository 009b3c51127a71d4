//! The provider for Terraform and OpenTofu: identities and user-data as resources, whose keys are in Terraform's state. So no store has to
//! outlive a run.
//!
//! Terraform starts the program `terraform-provider-hostseed` for each step of a run, and calls it over gRPC on a loopback connection. A call
//! goes from `service` (its path) through `calls` (its message) to a `Resource` or a function, which use the same plan, certificates and
//! rendering as the commands.

mod ca;
mod calls;
mod client;
#[cfg(test)]
mod docs;
mod functions;
mod handshake;
mod identity;
mod log;
mod machine;
mod protocol;
mod resource;
mod schema;
mod service;
mod stored;
mod tls;
mod user_data;
mod value;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use crate::pki;
use service::Services;

/// Time for the last response after Terraform has ended the provider. Terraform kills it after two seconds (go-plugin, `Client.Kill`).
const FAREWELL: Duration = Duration::from_millis(200);
/// Time between two looks whether Terraform is still there.
const WATCH: Duration = Duration::from_secs(2);

/// Serves Terraform until it ends the provider or is gone itself.
///
/// # Errors
/// Fails if Terraform did not start this program, or the connection cannot be opened.
pub fn serve() -> Result<()> {
    let client = handshake::client(|name| std::env::var(name).ok())?;
    let own = pki::issue_loopback(OffsetDateTime::now_utc())?;
    let config = tls::config(&own, &client)?;
    ignore_interrupts()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", handshake::line(listener.local_addr()?, &own.certificate))?;
        out.flush()?;
        answer(listener, TlsAcceptor::from(Arc::new(config))).await
    });
    if let Err(error) = &served {
        log::error(&format!("{error:#}"));
    }
    // A call that is still running is not waited for.
    runtime.shutdown_background();
    served
}

async fn answer(listener: TcpListener, acceptor: TlsAcceptor) -> Result<()> {
    let end = Arc::new(Notify::new());
    let (sender, connections) = mpsc::channel(1);
    let services = Services { end: end.clone() };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                match acceptor.accept(stream).await {
                    Ok(stream) => drop(sender.send(Ok::<_, std::io::Error>(Connection(stream))).await),
                    Err(error) => log::debug(&format!("a connection failed: {error}")),
                }
            });
        }
    });
    let served = Server::builder().serve_with_incoming(services, ReceiverStream::new(connections));
    tokio::select! {
        served = served => Ok(served?),
        () = async { end.notified().await; tokio::time::sleep(FAREWELL).await } => Ok(()),
        () = parent_is_gone() => Ok(()),
    }
}

/// Lets Terraform handle Ctrl-C, which a terminal sends to both: it ends its providers when it has saved the state.
fn ignore_interrupts() -> Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// Waits until the process that started this one has ended, for example because it was killed.
async fn parent_is_gone() {
    #[cfg(unix)]
    {
        let parent = rustix::process::getppid();
        while rustix::process::getppid() == parent {
            tokio::time::sleep(WATCH).await;
        }
    }
    #[cfg(not(unix))]
    std::future::pending::<()>().await;
}

/// A connection of Terraform.
struct Connection(tokio_rustls::server::TlsStream<TcpStream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl tokio::io::AsyncRead for Connection {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Connection {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(context)
    }
}
