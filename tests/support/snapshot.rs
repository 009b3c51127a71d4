//! Snapshot files in the repository, which show the program's output. A test compares each file with the current output.
//! With `BLESS=1` in the environment it writes the files instead, and the diff is committed with the change that caused
//! it.
//!
//! If a large file differs little from another one, only a unified diff is stored: `setup.diff` in place of `setup`. Its
//! first line names the other file. [`read`] returns the content in both cases.

use std::fs;
use std::path::{Path, PathBuf};

use diffy::{DiffOptions, Patch};

/// Maximum number of lines that are shown of one file's diff. More lines would not help a reader.
const MAX_LINES: usize = 60;

/// The comparisons of one test. [`finish`](Self::finish) reports all differences together.
#[derive(Default)]
pub struct Snapshots {
    differences: Vec<String>,
}

impl Snapshots {
    /// Compares a file with the current output.
    pub fn check(&mut self, path: &Path, made: &[u8]) {
        let kept = fs::read(path).ok();
        if kept.as_deref() == Some(made) {
            return;
        }
        if is_blessing() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, made).unwrap();
            return;
        }
        let Some(kept) = kept else {
            self.differences.push(format!("{}: is new", path.display()));
            return;
        };
        let [kept, made] = [&kept[..], made].map(String::from_utf8_lossy);
        let diff = DiffOptions::new().set_context_len(1).create_patch(&kept, &made).to_string();
        let lines: Vec<&str> = diff.lines().take(MAX_LINES).collect();
        self.differences.push(format!("{}:\n{}", path.display(), lines.join("\n")));
    }

    /// Compares a file that can be stored as a diff with the current output, and returns the path that is stored. `bases`
    /// are possible bases of the diff with their contents, and the one with the shortest diff is used. The whole file is
    /// stored if every diff has more than half its lines. Paths in the diff are relative to the repository.
    pub fn check_as_diff(&mut self, path: &Path, made: &[u8], bases: &[(PathBuf, &[u8])]) -> PathBuf {
        let text = std::str::from_utf8(made).unwrap();
        let diffs = bases.iter().map(|(base_path, base)| {
            let base = std::str::from_utf8(base).unwrap();
            let mut options = DiffOptions::new();
            options.set_original_filename(in_repository(base_path).display().to_string());
            options.set_modified_filename(in_repository(path).display().to_string());
            let diff = options.create_patch(base, text).to_string();
            assert_eq!(applied(base, &diff), text, "{}: the diff does not give the file", path.display());
            diff
        });
        let short = diffs.filter(|diff| diff.lines().count() * 2 <= text.lines().count());
        let (kept, content) = match short.min_by_key(|diff| diff.lines().count()) {
            Some(diff) => (diff_of(path), diff.into_bytes()),
            None => (path.to_owned(), made.to_vec()),
        };
        self.check(&kept, &content);
        kept
    }

    /// Reports a file that is no longer rendered, or deletes it if `BLESS` is set.
    pub fn gone(&mut self, path: &Path) {
        match is_blessing() {
            true => fs::remove_file(path).unwrap(),
            false => self.differences.push(format!("{}: is made no more", path.display())),
        }
    }

    /// Fails if there is any difference. `test` is the name of the test's binary.
    pub fn finish(self, test: &str) {
        assert!(
            self.differences.is_empty(),
            "{}\n`BLESS=1 cargo test --test {test}` takes these as right",
            self.differences.join("\n")
        );
    }
}

/// Reads a file in the repository, which can be stored as a diff.
pub fn read(path: &Path) -> Vec<u8> {
    if path.exists() {
        return fs::read(path).unwrap();
    }
    let diff =
        fs::read_to_string(diff_of(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let base = diff.lines().next().and_then(|line| line.strip_prefix("--- ")).expect("the base's path");
    let base = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(base)).unwrap();
    applied(&base, &diff).into_bytes()
}

/// The path of a file's diff.
fn diff_of(path: &Path) -> PathBuf {
    let mut diff = path.as_os_str().to_owned();
    diff.push(".diff");
    diff.into()
}

/// The file that a stored path represents: `setup` for `setup.diff`.
pub fn file_of(kept: &Path) -> PathBuf {
    if kept.extension().is_some_and(|extension| extension == "diff") {
        kept.with_extension("")
    } else {
        kept.into()
    }
}

fn applied(base: &str, diff: &str) -> String {
    diffy::apply(base, &Patch::from_str(diff).unwrap()).unwrap()
}

fn in_repository(path: &Path) -> &Path {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap()
}

pub fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}
