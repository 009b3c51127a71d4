//! The branches and the placeholders of a template. Both can depend on anything that a host has, so that no set of values reaches each
//! branch, or gives a placeholder each text. Therefore copies of the template have a question in the place of each condition, and
//! answers lead into each branch once. One of the copies has a mark in the place of each placeholder.

use std::collections::HashMap;

use super::instance::FIELD;
use super::tags::{Tag, tags};

/// The function that stands in the place of a condition. Its argument is the number of the question.
pub const QUESTION: &str = "hostseed_branch";

/// A template whose conditions are questions.
#[derive(Debug)]
pub struct Branches {
    pub body: String,
    /// The same with [`FIELD`] in the place of each placeholder.
    pub marked: String,
    /// First no answers. Then for each branch the answers that lead into it, and for each `if` without `else` those that lead past it.
    pub ways: Vec<Way>,
}

/// The answers that lead into one branch, by the number of the question. The answers to the others do not matter.
pub type Way = HashMap<usize, bool>;

/// An open block.
enum Block {
    If {
        /// The way into the branch that is open.
        inside: Way,
        /// The way to what follows if each condition so far is false.
        after: Way,
        has_else: bool,
    },
    For,
}

/// Replaces the conditions of `if` and `elif`, and placeholders. Returns None if the blocks do not fit together.
pub fn branches(body: &str) -> Option<Branches> {
    let (mut copies, mut ways, mut blocks) = (Copies::of(body), vec![Way::new()], Vec::new());
    let mut questions = 0;
    for Tag { inside, is_statement, .. } in tags(body) {
        if !is_statement {
            copies.mark(inside);
            continue;
        }
        let words = inside.trim_start_matches(['-', '+']).trim_start();
        let word = words.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let way = match word {
            "if" => blocks.iter().rev().find_map(|block| match block {
                Block::If { inside, .. } => Some(inside.clone()),
                Block::For => None,
            }),
            "elif" => match blocks.pop()? {
                Block::If { after, has_else: false, .. } => Some(after),
                _ => return None,
            },
            "else" => {
                if let Block::If { inside, after, has_else } = blocks.last_mut()? {
                    (*inside, *has_else) = (after.clone(), true);
                    ways.push(after.clone());
                }
                continue;
            }
            "endif" => match blocks.pop()? {
                Block::If { after, has_else, .. } => {
                    ways.extend((!has_else).then_some(after));
                    continue;
                }
                Block::For => return None,
            },
            "for" => {
                blocks.push(Block::For);
                continue;
            }
            "endfor" => match blocks.pop()? {
                Block::For => continue,
                Block::If { .. } => return None,
            },
            _ => continue,
        };
        let way = way.unwrap_or_default();
        let with = |answer| {
            let mut way = way.clone();
            way.insert(questions, answer);
            way
        };
        ways.push(with(true));
        blocks.push(Block::If { inside: with(true), after: with(false), has_else: false });
        copies.ask(inside, word, questions);
        questions += 1;
    }
    let (body, marked) = copies.finish();
    blocks.is_empty().then_some(Branches { body, marked, ways })
}

/// The copies of a template up to a place in it.
struct Copies<'a> {
    template: &'a str,
    /// The offset of the place.
    at: usize,
    body: String,
    marked: String,
}

impl<'a> Copies<'a> {
    fn of(template: &'a str) -> Self {
        Self { template, at: 0, body: String::new(), marked: String::new() }
    }

    /// Copies up to `begin` and goes on at `end`.
    fn copy(&mut self, begin: usize, end: usize) {
        let text = &self.template[self.at..begin];
        self.body += text;
        self.marked += text;
        self.at = end;
    }

    /// The offsets of what is inside a tag, without the signs that remove white space.
    fn range(&self, inside: &'a str) -> (usize, usize) {
        // `inside` is a part of the template.
        let begin = inside.as_ptr() as usize - self.template.as_ptr() as usize;
        let rest = inside.trim_start_matches(['-', '+']);
        let begin = begin + inside.len() - rest.len();
        (begin, begin + rest.trim_end_matches(['-', '+']).len())
    }

    fn mark(&mut self, inside: &'a str) {
        let (begin, end) = self.range(inside);
        self.copy(begin, end);
        self.body += &self.template[begin..end];
        self.marked += &format!(" '{FIELD}' ");
    }

    fn ask(&mut self, inside: &'a str, word: &str, question: usize) {
        let (begin, end) = self.range(inside);
        self.copy(begin, end);
        let asked = format!(" {word} {QUESTION}({question}) ");
        self.body += &asked;
        self.marked += &asked;
    }

    fn finish(mut self) -> (String, String) {
        let end = self.template.len();
        self.copy(end, end);
        (self.body, self.marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_branch_has_a_way_into_it() {
        let found =
            branches("a{% if b == '%}' -%}c{% if d %}e{% endif %}{% elif f %}g{% else %}h{%+ endif %}i")
                .unwrap();
        assert_eq!(
            found.body,
            "a{% if hostseed_branch(0) -%}c{% if hostseed_branch(1) %}e{% endif %}{% elif hostseed_branch(2) %}g{% else %}h{%+ endif %}i"
        );
        let way = |answers: &[(usize, bool)]| answers.iter().copied().collect::<Way>();
        let expected = [
            way(&[]),
            way(&[(0, true)]),
            way(&[(0, true), (1, true)]),
            way(&[(0, true), (1, false)]),
            way(&[(0, false), (2, true)]),
            way(&[(0, false), (2, false)]),
        ];
        assert_eq!(found.ways, expected);
    }

    #[test]
    fn placeholders_are_marked() {
        let found = branches("a{{- b['}}'] +}}c{{}}d").unwrap();
        assert_eq!(found.marked, format!("a{{{{- '{FIELD}' +}}}}c{{{{ '{FIELD}' }}}}d"));
        assert_eq!(found.body, "a{{- b['}}'] +}}c{{}}d");
    }

    #[test]
    fn the_else_of_a_loop_is_no_branch() {
        let found = branches("{% for a in b %}{% if(c) %}d{% endif %}{% else %}e{% endfor %}").unwrap();
        assert_eq!(found.ways, [Way::new(), Way::from([(0, true)]), Way::from([(0, false)])]);
    }

    #[test]
    fn blocks_that_do_not_fit_have_no_branches() {
        for body in [
            "{% if a %}",
            "{% endif %}",
            "{% if a %}{% endfor %}",
            "{% for a in b %}{% endif %}",
            "{% elif a %}",
        ] {
            assert!(branches(body).is_none(), "{body}");
        }
    }
}
