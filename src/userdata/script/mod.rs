//! Shell scripts: ours written, with the files that they unpack; anybody's read.

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
    fn what_is_written_is_read() {
        for encoding in [PayloadEncoding::GzipBase64, PayloadEncoding::Plain] {
            let text = write(&sample(), encoding).unwrap();
            let host = read_back(|place, budget, host, problems| read(&text, place, budget, host, problems));
            assert_staged(&host, &sample());
        }
    }
}
