//! Writers and readers for each format of user-data. The readers accept user-data from any source. `render` and `verify` use this
//! module; it uses neither of them.

pub mod archive;
pub mod budget;
pub mod cloud_config;
pub mod component;
pub mod content_type;
pub mod contents;
pub mod document;
pub mod encoded;
pub mod encoding;
pub mod host_state;
pub mod ignition;
pub mod include;
pub mod jinja;
pub mod json;
pub mod manifest;
pub mod mime;
pub mod nocloud;
pub mod open;
pub mod paths;
pub mod payload;
pub mod problems;
pub mod script;
pub mod seed;
pub mod setup;
pub mod smallest;
pub mod sources;
