//! Unpacks the files of a seed as a host does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The files that a seed creates on the host: paths without the first `/`, modes, contents. Verifies each checksum, as
/// the host does. Ignores everything that is not part of a seed.
pub fn on_the_host(seed: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    if seed.starts_with(&[0x1f, 0x8b]) {
        return on_the_host(&gunzip(seed));
    }
    let text = std::str::from_utf8(seed).unwrap();
    let carried = match text.lines().next().unwrap_or_default() {
        "#cloud-config" => in_cloud_config(text),
        "#!/bin/sh" => in_script(text),
        "{" => return in_ignition(text),
        line if line.starts_with("Content-Type: multipart/") => in_cloud_config(&last_part(text)),
        _ => match STANDARD.decode(text) {
            Ok(seed) => return on_the_host(&seed),
            Err(_) => return Vec::new(),
        },
    };
    let own = [("usr/local/lib/hostseed/setup", 0o755), ("usr/local/lib/hostseed/settings", 0o600)];
    let is_own = |path: &str| own.iter().any(|(own, _)| path.strip_prefix('/') == Some(own));
    let mut files: Vec<_> = own
        .iter()
        .map(|(own, mode)| {
            let found = carried.iter().find(|(path, _)| path.strip_prefix('/') == Some(own));
            ((*own).to_owned(), *mode, found.unwrap_or_else(|| panic!("no {own}")).1.clone())
        })
        .collect();
    let [setup_text, settings_text] = [0, 1].map(|n| String::from_utf8(files[n].2.clone()).unwrap());
    for (path, bytes) in carried.iter().filter(|(path, _)| !is_own(path)) {
        let name = path.rsplit('/').next().unwrap();
        let sum = sha256(bytes);
        let line = settings_text
            .lines()
            .find(|line| line.trim_end_matches('\'').ends_with(&format!("/{name}")) && line.contains(&sum));
        let words: Vec<_> =
            line.unwrap_or_else(|| panic!("the settings do not list {path}")).split_whitespace().collect();
        let [.., file_mode, target] = words[..] else { panic!("{words:?}") };
        let target = target.trim_end_matches('\'').trim_start_matches('/');
        files.push((target.to_owned(), u32::from_str_radix(file_mode, 8).unwrap(), bytes.clone()));
    }
    files.extend(within_setup(&setup_text));
    files
}

/// The text of `setup` with the settings in the place where it reads them.
pub fn with_settings(files: &[(String, u32, Vec<u8>)]) -> String {
    let [setup, settings] = ["setup", "settings"].map(|name| {
        let path = format!("usr/local/lib/hostseed/{name}");
        let (_, _, bytes) =
            files.iter().find(|(found, ..)| *found == path).unwrap_or_else(|| panic!("no {path}"));
        String::from_utf8(bytes.clone()).unwrap()
    });
    let read = "\n[ ! -r /usr/local/lib/hostseed/settings ] ||\n. /usr/local/lib/hostseed/settings\n";
    let (before, after) = setup.split_once(read).expect("`setup` reads them");
    format!("{before}\n{settings}\n{after}")
}

/// The files that `setup` contains as here-documents.
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
            let content = text(file, "content");
            let bytes = match file["encoding"].as_str() {
                Some("gz+b64") => gunzip(&STANDARD.decode(content).unwrap()),
                None => content.into_bytes(),
                Some(other) => panic!("{other}"),
            };
            (text(file, "path"), bytes)
        })
        .collect()
}

/// The body of an archive's last part, which is hostseed's, without its headers.
fn last_part(archive: &str) -> String {
    let end = archive.trim_end().rsplit('\n').next().unwrap().trim_end_matches("--");
    let part = archive.trim_end().trim_end_matches("--").trim_end_matches(end).rsplit(end).next().unwrap();
    let (headers, body) = part.split_once("\n\n").unwrap();
    assert!(headers.contains("hostseed.yaml"), "{headers}");
    body.to_owned()
}

fn in_ignition(config: &str) -> Vec<(String, u32, Vec<u8>)> {
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap().to_owned();
    let mut files = Vec::new();
    for file in config["storage"]["files"].as_array().unwrap() {
        let contents = &file["contents"];
        assert_eq!(contents["compression"], "gzip");
        let bytes = gunzip(
            &STANDARD
                .decode(text(contents, "source").strip_prefix("data:application/x-hostseed;base64,").unwrap())
                .unwrap(),
        );
        assert_eq!(contents["verification"]["hash"], format!("sha256-{}", sha256(&bytes)));
        let mode = u32::try_from(file["mode"].as_u64().unwrap()).unwrap();
        files.push((text(file, "path").trim_start_matches('/').to_owned(), mode, bytes));
    }
    for unit in config["systemd"]["units"].as_array().unwrap() {
        // A unit that another one starts has nothing to enable.
        let can_be_enabled = unit["contents"].as_str().is_none_or(|contents| contents.contains("[Install]"));
        assert_eq!(unit["enabled"] == true, can_be_enabled, "{unit}");
        let name = format!("etc/systemd/system/{}", text(unit, "name"));
        if let Some(contents) = unit["contents"].as_str() {
            files.push((name.clone(), 0o644, contents.into()));
        }
        for dropin in unit["dropins"].as_array().into_iter().flatten() {
            files.push((
                format!("{name}.d/{}", text(dropin, "name")),
                0o644,
                text(dropin, "contents").into_bytes(),
            ));
        }
    }
    files
}

fn in_script(seed: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut lines = seed.lines();
    while let Some(line) = lines.next() {
        // unpack 'SHA-256' 'path' <<'END', or 'END OF name' if the file is not encoded
        let Some((command, end)) = line.strip_suffix('\'').and_then(|line| line.split_once(" <<'")) else {
            continue;
        };
        let words: Vec<_> = command.split_whitespace().collect();
        let content: Vec<_> = lines.by_ref().take_while(|line| *line != end).collect();
        let bytes = match end {
            "END" => gunzip(&STANDARD.decode(content.concat()).unwrap()),
            _ => (content.join("\n") + "\n").into_bytes(),
        };
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

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
