//! cloud-init's cloud-config: writes hostseed's own, and reads those from any source.

pub mod fatal;
mod fields;
mod read;
mod users;
mod write;
mod write_files;

pub use read::{is_likely, misspelt, read, within};
pub use users::created_later;
pub use write::write;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userdata::contents::tests::{assert_staged, read_back, sample};
    use crate::userdata::payload::PayloadEncoding;

    #[test]
    fn written_cloud_config_reads_back() {
        for encoding in [PayloadEncoding::GzipBase64, PayloadEncoding::Plain] {
            let text = write(&sample(), encoding).unwrap();
            let host = read_back(|place, budget, host, problems| read(&text, place, budget, host, problems));
            assert_staged(&host, &sample());
        }
    }
}
