//! `explain`: what a diagnostic's code means.

use anyhow::Result;
use serde::Serialize;

use crate::diag::Code;
use crate::ui::Ui;

/// Prints the explanation of a code, or the titles of all codes.
pub fn explain(ui: Ui, code: Option<Code>, json: bool) -> Result<()> {
    match (code, json) {
        (Some(code), true) => ui.json(&View::new(code)),
        (None, true) => ui.json(&Code::ALL.iter().map(|code| View::new(*code)).collect::<Vec<_>>()),
        (Some(code), false) => {
            let text = textwrap::fill(&code.explanation(), ui.columns());
            ui.out(format!("{}: {}\n\n{}\n", code.name(), code.title(), text.trim_end()))
        }
        (None, false) => {
            let head = ["CODE", "TITLE"].map(str::to_owned).to_vec();
            let row = |code: &Code| vec![code.name().to_owned(), code.title().to_owned()];
            ui.table(&[head].into_iter().chain(Code::ALL.iter().map(row)).collect::<Vec<_>>())
        }
    }
}

#[derive(Serialize)]
struct View {
    code: &'static str,
    title: &'static str,
    explanation: String,
}

impl View {
    fn new(code: Code) -> Self {
        Self { code: code.name(), title: code.title(), explanation: code.explanation() }
    }
}
