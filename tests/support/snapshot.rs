//! Files in the repository that show what the program makes. A test compares each with what is made now; with `BLESS=1` in the
//! environment the files are written anew, and the diff goes into the commit that caused it.

use std::fs;
use std::path::Path;

use similar::TextDiff;

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
        let diff = TextDiff::from_lines(&kept, &made).unified_diff().context_radius(1).to_string();
        let lines: Vec<&str> = diff.lines().take(MAX_LINES).collect();
        self.differences.push(format!("{}:\n{}", path.display(), lines.join("\n")));
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

fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}
