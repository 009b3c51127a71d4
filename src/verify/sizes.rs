//! Rules for the size and encoding of user-data on each cloud.

use crate::clouds::{Cloud, Gzip};
use crate::diag::{Code, Diagnostic, Place};
use crate::shell::Command;
use crate::userdata::problems::Problems;
use crate::userdata::seed::Sent;

/// Returns the clouds with a limit that the user-data exceeds, in the encoding that each cloud needs.
pub fn too_large_for(sent: Sent) -> Vec<&'static str> {
    let all = Cloud::ALL.into_iter();
    all.filter(|cloud| !cloud.fits(sent.bytes, is_sent_in_base64(cloud, sent)))
        .map(|cloud| cloud.name)
        .collect()
}

/// Checks the user-data by the rules of one cloud.
pub fn judge(sent: Sent, cloud: &Cloud, place: &Place, problems: &mut Problems) {
    let Cloud { name, title, .. } = cloud;
    match (sent.gzip, cloud.gzip()) {
        (true, Gzip::No) => {
            let text = format!("is gzip, which {title} does not support");
            problems.add(
                place,
                Diagnostic::error(Code::EncodingNotSupported, text)
                    .hint("render it for that cloud, which chooses the encoding:")
                    .run(Command::own(["render", "NAME", "--for", name])),
            );
        }
        (true, Gzip::InBase64) if sent.base64.is_none() => {
            let text = format!("is gzip, which {title} supports only in base64");
            problems.add(
                place,
                Diagnostic::error(Code::EncodingNotSupported, text).hint("render it with `--gzip --base64`"),
            );
        }
        _ => {}
    }
    if sent.base64.is_some() && !cloud.supports_base64() {
        let text = format!("is base64, which neither {title} nor cloud-init decodes");
        problems.add(
            place,
            Diagnostic::error(Code::EncodingNotSupported, text).hint("render it without `--base64`"),
        );
    }
    let in_base64 = is_sent_in_base64(cloud, sent);
    if let Some(limit) = cloud.limit().filter(|_| !cloud.fits(sent.bytes, in_base64)) {
        let measured = cloud.charged(sent.bytes, in_base64);
        let how = if measured == sent.bytes { "" } else { " in base64" };
        let text = format!("is {measured} bytes{how}, and the limit of {name} is {limit}");
        let help = match cloud.gzip() {
            Gzip::No => SMALLER,
            _ if sent.gzip => SMALLER,
            _ => "use `--gzip`, or `--docker none` with an image of `hostseed bake`",
        };
        problems.add(place, Diagnostic::error(Code::UserDataTooLarge, text).hint(help));
    }
}

const SMALLER: &str = "use `--key p256`, or `--docker none` with an image of `hostseed bake`";

fn is_sent_in_base64(cloud: &Cloud, sent: Sent) -> bool {
    sent.base64.is_some() || (sent.gzip && cloud.gzip() == Gzip::InBase64)
}
