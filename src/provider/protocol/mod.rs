//! The messages of Terraform's plugin protocol 6 and of go-plugin, with which Terraform starts and ends a provider.
//!
//! They are written after Terraform's documentation of protocol 6.8 (docs/plugin-protocol in its repository). Fields that hostseed neither
//! reads nor sets are left out: a reader skips fields that it does not know (Protocol Buffers, "Encoding").

pub mod plugin;
mod provider;
mod values;

pub use provider::*;
pub use values::*;
