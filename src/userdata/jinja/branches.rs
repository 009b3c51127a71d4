//! The branches of a template. Its conditions can depend on anything that a host has, so that no set of values reaches each branch.
//! Therefore a copy of the template has a question in the place of each condition, and answers lead into each branch once.

use std::collections::HashMap;

use super::tags::{Tag, tags};

/// The function that stands in the place of a condition. Its argument is the number of the question.
pub const QUESTION: &str = "hostseed_branch";

/// A template whose conditions are questions.
#[derive(Debug)]
pub struct Branches {
    pub body: String,
    /// For each branch the answers that lead into it, and for each `if` without `else` those that lead past it.
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

/// Replaces the conditions of `if` and `elif`. Returns None if the blocks do not fit together, or if there are no conditions.
pub fn branches(body: &str) -> Option<Branches> {
    let (mut copy, mut ways, mut blocks, mut at, mut questions) =
        (String::new(), Vec::new(), Vec::new(), 0, 0);
    for Tag { inside, .. } in tags(body).into_iter().filter(|tag| tag.is_statement) {
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
        // `inside` is a part of `body`.
        let begin = inside.as_ptr() as usize - body.as_ptr() as usize;
        let condition = begin + (inside.len() - words.len()) + word.len();
        copy += &body[at..condition];
        copy += &format!(" {QUESTION}({questions}) ");
        at = begin + inside.trim_end_matches(['-', '+']).len();
        questions += 1;
    }
    copy += &body[at..];
    (questions > 0 && blocks.is_empty()).then_some(Branches { body: copy, ways })
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
            way(&[(0, true)]),
            way(&[(0, true), (1, true)]),
            way(&[(0, true), (1, false)]),
            way(&[(0, false), (2, true)]),
            way(&[(0, false), (2, false)]),
        ];
        assert_eq!(found.ways, expected);
    }

    #[test]
    fn the_else_of_a_loop_is_no_branch() {
        let found = branches("{% for a in b %}{% if(c) %}d{% endif %}{% else %}e{% endfor %}").unwrap();
        assert_eq!(found.ways, [Way::from([(0, true)]), Way::from([(0, false)])]);
    }

    #[test]
    fn blocks_that_do_not_fit_have_no_branches() {
        for body in [
            "a",
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
