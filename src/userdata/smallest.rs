//! The slower compression. The build script uses this file too.

use std::num::NonZeroU64;

use zopfli::{Format, Options};

/// Compresses with gzip to about 5 % less than zlib's best level, in about fifty times the time. It is for `setup`, when hostseed is
/// built, and for whole user-data, which must fit a cloud's limit. The same input always gives the same output.
pub fn gzip_smallest(bytes: &[u8]) -> Vec<u8> {
    // More iterations gain almost nothing. Fewer blocks (the default is 15) would put certificates into one block with text.
    let options = Options { iteration_count: NonZeroU64::new(5).expect("5 is not 0"), ..Options::default() };
    let mut packed = Vec::new();
    zopfli::compress(options, Format::Gzip, bytes, &mut packed).expect("writing to memory does not fail");
    packed
}
