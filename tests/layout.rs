//! The source files have the layout in CONTRIBUTING: a file uses only rooms that are listed below it.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the order of CONTRIBUTING: the first word of each line of its first `text` block.
fn rooms() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let drawing = text.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let name = |word: &str| word.trim_end_matches(".rs").trim_end_matches('/').to_owned();
    drawing
        .lines()
        .map(|line| {
            line.split_whitespace()
                .take_while(|word| word.ends_with(".rs") || word.ends_with('/'))
                .map(name)
                .collect()
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

/// The names after `crate::`: one, or those of a list in braces.
fn names(after: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(list) = after.strip_prefix('{') else { return vec![name(after)] };
    let (mut depth, mut names, mut begin) = (0, Vec::new(), 0);
    for (n, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return [names, vec![name(&list[begin..n])]].concat(),
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&list[begin..n]));
                begin = n + 1;
            }
            _ => {}
        }
    }
    panic!("no end of `crate::{{{list}`");
}

#[test]
fn lists_of_names_are_parsed() {
    assert_eq!(names("a::b;"), ["a"]);
    assert_eq!(names("{a::{b, c}, d, e::f};\nuse std::g;"), ["a", "d", "e"]);
}

#[test]
fn no_file_uses_a_room_above_it() {
    let rooms = rooms();
    assert!(rooms.len() >= 8, "{rooms:?}");
    let floor = |name: &str| rooms.iter().position(|floor| floor.iter().any(|room| room == name));
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(root().join("src")).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_string_lossy();
        let room = room.trim_end_matches(".rs");
        let Some(own) = floor(room) else {
            wrong.push(format!("src/{} has no room in CONTRIBUTING", relative.display()));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        // Tests may use anything.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for used in code.split("crate::").skip(1).flat_map(names) {
            let Some(other) = floor(&used) else { continue };
            if used != room && other <= own {
                wrong.push(format!("src/{} uses {used}, which stands above it", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_exists() {
    for name in rooms().into_iter().flatten() {
        let src = root().join("src");
        assert!(src.join(format!("{name}.rs")).is_file() || src.join(&name).is_dir(), "{name}");
    }
}
