//! Shell scripts: writes hostseed's own, which unpack their files, and reads scripts from any source.

mod read;
mod write;

pub use read::{HereDocument, here_documents, read};
pub use write::{write, write_beside};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userdata::contents::tests::{assert_staged, read_back, sample};
    use crate::userdata::payload::PayloadEncoding;

    #[test]
    fn written_script_reads_back() {
        for encoding in [PayloadEncoding::GzipBase64, PayloadEncoding::Plain] {
            let text = write(&sample(), encoding).unwrap();
            let host = read_back(|place, budget, host, problems| read(&text, place, budget, host, problems));
            assert_staged(&host, &sample());
        }
    }
}
