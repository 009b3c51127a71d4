//! The messages of go-plugin and of gRPC's health check (its repository, `internal/plugin` and "GRPC Health Checking Protocol").

use prost::Message;

/// A message without fields.
#[derive(Clone, PartialEq, Message)]
pub struct Empty {}

/// A part of what the plugin printed. hostseed's provider prints nothing after the handshake, so it sends none.
#[derive(Clone, PartialEq, Message)]
pub struct StdioData {
    /// 1: standard output, 2: standard error.
    #[prost(int32, tag = "1")]
    pub channel: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

/// An offer of a further connection. hostseed's provider makes none.
#[derive(Clone, PartialEq, Message)]
pub struct ConnInfo {
    #[prost(uint32, tag = "1")]
    pub service_id: u32,
    #[prost(string, tag = "2")]
    pub network: String,
    #[prost(string, tag = "3")]
    pub address: String,
}

/// The answer of a health check.
#[derive(Clone, PartialEq, Message)]
pub struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// `SERVING` of the health check.
pub const SERVING: i32 = 1;
