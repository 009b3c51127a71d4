//! What a seed carries, unpacked as a host unpacks it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a seed puts on the host in the end: paths without the first `/`, modes, contents. Unpacked as the host does it,
/// with each checksum verified.
pub fn on_the_host(seed: &str) -> Vec<(String, u32, Vec<u8>)> {
    let carried = if seed.starts_with("#cloud-config") { in_cloud_config(seed) } else { in_script(seed) };
    let (_, setup) =
        carried.iter().find(|(path, _)| path.ends_with("/setup")).expect("every seed has `setup`");
    let setup_text = String::from_utf8(setup.clone()).unwrap();
    let mut files = vec![("usr/local/lib/hostseed/setup".to_owned(), 0o755, setup.clone())];
    for (path, bytes) in carried.iter().filter(|(path, _)| !path.ends_with("/setup")) {
        let name = path.rsplit('/').next().unwrap();
        let sum = sha256(bytes);
        let line = setup_text
            .lines()
            .find(|line| line.trim_end_matches('\'').ends_with(&format!("/{name}")) && line.contains(&sum));
        let words: Vec<_> =
            line.unwrap_or_else(|| panic!("setup does not know {path}")).split_whitespace().collect();
        let [.., file_mode, target] = words[..] else { panic!("{words:?}") };
        let target = target.trim_end_matches('\'').trim_start_matches('/');
        files.push((target.to_owned(), u32::from_str_radix(file_mode, 8).unwrap(), bytes.clone()));
    }
    files.extend(within_setup(&setup_text));
    files
}

/// What `setup` brings within itself, in here-documents.
fn within_setup(setup: &str) -> Vec<(String, u32, Vec<u8>)> {
    let mut files = Vec::new();
    let mut lines = setup.lines();
    while let Some(line) = lines.next() {
        // attach '/path' '0755' <<'END OF name'
        let words: Vec<_> = line.split('\'').collect();
        let [command, path, " ", file_mode, " <<", end, ""] = words[..] else { continue };
        assert_eq!(command.trim(), "attach", "{line}");
        let text: String =
            lines.by_ref().take_while(|line| *line != end).map(|line| format!("{line}\n")).collect();
        let path = path.trim_start_matches('/').to_owned();
        files.push((path, u32::from_str_radix(file_mode, 8).unwrap(), text.into_bytes()));
    }
    files
}

fn in_cloud_config(seed: &str) -> Vec<(String, Vec<u8>)> {
    let yaml: serde_yaml::Value = serde_yaml::from_str(seed).unwrap();
    let files = yaml["write_files"].as_sequence().unwrap();
    let text = |file: &serde_yaml::Value, key: &str| file[key].as_str().unwrap().to_owned();
    files
        .iter()
        .map(|file| {
            let bytes = STANDARD.decode(text(file, "content")).unwrap();
            assert_eq!(text(file, "encoding"), "gz+b64");
            (text(file, "path"), gunzip(&bytes))
        })
        .collect()
}

fn in_script(seed: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut lines = seed.lines();
    while let Some(line) = lines.next() {
        if !line.ends_with("<<'END'") {
            continue;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let text: String = lines.by_ref().take_while(|line| *line != "END").collect();
        let bytes = gunzip(&STANDARD.decode(text).unwrap());
        let [sum, path] = [words[1], words[2]].map(|word| word.trim_matches('\''));
        assert_eq!(sha256(&bytes), sum, "{path}");
        files.push((path.to_owned(), bytes));
    }
    files
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut plain).unwrap();
    plain
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
