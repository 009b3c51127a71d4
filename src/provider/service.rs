//! The gRPC services: which call answers which path.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use tokio::sync::Notify;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::protocol::plugin::{ConnInfo, Empty, HealthCheckResponse, SERVING, StdioData};
use super::{calls, log};

/// The most bytes of a message, as Terraform itself has it (its `plugin6.GRPCProvider`, `maxRecvSize`, of version 1.5): a state can be large.
const MAX_MESSAGE: usize = 64 << 20;

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

/// All services of the provider.
#[derive(Clone)]
pub struct Services {
    /// Notified when Terraform is done with the provider.
    pub end: Arc<Notify>,
}

impl Service<http::Request<Body>> for Services {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let path = request.uri().path().to_owned();
        log::debug(&format!("call of {path}"));
        match path.as_str() {
            "/tfplugin6.Provider/GetMetadata" => unary(request, calls::metadata),
            "/tfplugin6.Provider/GetProviderSchema" => unary(request, calls::schema),
            "/tfplugin6.Provider/GetFunctions" => unary(request, calls::functions),
            "/tfplugin6.Provider/ValidateProviderConfig" => unary(request, calls::validate_provider),
            "/tfplugin6.Provider/ConfigureProvider" => unary(request, calls::nothing),
            "/tfplugin6.Provider/ValidateResourceConfig" => unary(request, calls::validate_resource),
            "/tfplugin6.Provider/ValidateDataResourceConfig" => unary(request, calls::validate_data_source),
            "/tfplugin6.Provider/ValidateEphemeralResourceConfig" => {
                unary(request, calls::validate_ephemeral)
            }
            "/tfplugin6.Provider/UpgradeResourceState" => unary(request, calls::upgrade_state),
            "/tfplugin6.Provider/ReadResource" => unary(request, calls::read_resource),
            "/tfplugin6.Provider/ReadDataSource" => unary(request, calls::read_data_source),
            "/tfplugin6.Provider/PlanResourceChange" => unary(request, calls::plan),
            "/tfplugin6.Provider/ApplyResourceChange" => unary(request, calls::apply),
            "/tfplugin6.Provider/ImportResourceState" => unary(request, calls::import),
            "/tfplugin6.Provider/OpenEphemeralResource" => unary(request, calls::open_ephemeral),
            "/tfplugin6.Provider/RenewEphemeralResource" => unary(request, calls::nothing),
            "/tfplugin6.Provider/CloseEphemeralResource" => unary(request, calls::nothing),
            "/tfplugin6.Provider/CallFunction" => unary(request, calls::call_function),
            // Each call ends by itself within seconds.
            "/tfplugin6.Provider/StopProvider" => unary(request, calls::nothing),
            "/grpc.health.v1.Health/Check" => {
                unary(request, |_: Empty| HealthCheckResponse { status: SERVING })
            }
            "/plugin.GRPCController/Shutdown" => {
                let end = self.end.clone();
                unary(request, move |_: Empty| {
                    end.notify_one();
                    Empty {}
                })
            }
            "/plugin.GRPCStdio/StreamStdio" => {
                Box::pin(
                    async move { Ok(grpc::<StdioData, Empty>().server_streaming(Silence, request).await) },
                )
            }
            "/plugin.GRPCBroker/StartStream" => {
                Box::pin(async move { Ok(grpc::<ConnInfo, ConnInfo>().streaming(Silence, request).await) })
            }
            _ => Box::pin(async move { Ok(Status::unimplemented("no such call").into_http()) }),
        }
    }
}

fn grpc<R: Message + Default + 'static, Q: Message + Default + 'static>() -> Grpc<ProstCodec<R, Q>> {
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_MESSAGE)
}

/// Answers a call with one request and one response. `answer` runs on a thread on which it may take its time.
fn unary<Q, R, F>(request: http::Request<Body>, answer: F) -> Answer
where
    Q: Message + Default + 'static,
    R: Message + Default + 'static,
    F: FnOnce(Q) -> R + Send + 'static,
{
    Box::pin(async move { Ok(grpc::<R, Q>().unary(Once(Some(answer)), request).await) })
}

/// The answer of one call.
struct Once<F>(Option<F>);

impl<Q, R, F> UnaryService<Q> for Once<F>
where
    Q: Message + Default + 'static,
    R: Message + Default + 'static,
    F: FnOnce(Q) -> R + Send + 'static,
{
    type Response = R;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Status>> + Send>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let answer = self.0.take();
        Box::pin(async move {
            let answer = answer.ok_or_else(|| Status::internal("the call has been answered"))?;
            let done = tokio::task::spawn_blocking(move || answer(request.into_inner())).await;
            done.map(Response::new).map_err(|_| Status::internal("the provider has failed"))
        })
    }
}

/// A stream that stays open and has no messages: the provider prints nothing, and opens no further connection.
struct Silence;

type Nothing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Silent<T> = Pin<Box<dyn Future<Output = Result<Response<Nothing<T>>, Status>> + Send>>;

fn silent<T: Send + 'static>() -> Silent<T> {
    Box::pin(async { Ok(Response::new(Box::pin(tokio_stream::pending()) as Nothing<T>)) })
}

impl ServerStreamingService<Empty> for Silence {
    type Response = StdioData;
    type ResponseStream = Nothing<StdioData>;
    type Future = Silent<StdioData>;

    fn call(&mut self, _: Request<Empty>) -> Self::Future {
        silent()
    }
}

impl StreamingService<ConnInfo> for Silence {
    type Response = ConnInfo;
    type ResponseStream = Nothing<ConnInfo>;
    type Future = Silent<ConnInfo>;

    fn call(&mut self, _: Request<Streaming<ConnInfo>>) -> Self::Future {
        silent()
    }
}
