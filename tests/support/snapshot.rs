//! Files in the repository that show what the program makes. A test compares each with what is made now; with `BLESS=1` in the
//! environment the files are written anew, and the diff goes into the commit that caused it.
//!
//! A large file that differs little from another one is kept as a unified diff: `setup.diff` stands where `setup` would, and its
//! first line names the file that it is a diff of. [`read`] returns the content in either case.

use std::fs;
use std::path::{Path, PathBuf};

use diffy::{DiffOptions, Patch};

/// More lines of one file's diff than this tell a reader nothing new.
const MAX_LINES: usize = 60;

/// The comparisons of one test, reported together by [`finish`](Self::finish).
#[derive(Default)]
pub struct Snapshots {
    differences: Vec<String>,
}

impl Snapshots {
    /// Compares a file with what is made now.
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

    /// Compares a file that is kept as a diff with what is made now, and returns the path that is kept. `bases` has the files that
    /// may be the diff's base, with their content: the one with the shortest diff is used. The file is kept whole if no diff has
    /// at most half its lines. Paths in the diff are relative to the repository.
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

    /// Says that a file is made no more.
    pub fn gone(&mut self, path: &Path) {
        match is_blessing() {
            true => fs::remove_file(path).unwrap(),
            false => self.differences.push(format!("{}: is made no more", path.display())),
        }
    }

    /// Fails where anything differs. `test` is the name of the test's binary.
    pub fn finish(self, test: &str) {
        assert!(
            self.differences.is_empty(),
            "{}\n`BLESS=1 cargo test --test {test}` takes these as right",
            self.differences.join("\n")
        );
    }
}

/// The content of a file in the repository, which may be kept as a diff.
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

/// Where the diff of a file is kept.
fn diff_of(path: &Path) -> PathBuf {
    let mut diff = path.as_os_str().to_owned();
    diff.push(".diff");
    diff.into()
}

/// The file that a kept path stands for: `setup` for `setup.diff`.
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

fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}
