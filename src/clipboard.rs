//! The clipboard. Over SSH it is the clipboard of the computer at the other end, which the terminal fills.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::diag::{Code, Diagnostic};
use crate::secret::Secret;
use crate::userdata::encoding::base64;

/// The only argument of a process that keeps a text for others to paste. On X11 the clipboard is a running program (ICCCM, section 2).
const KEEPER: &str = "keep-clipboard";

/// The maximum size of a kept text. It is reserved at once, because a text that grows leaves copies in memory.
const MAX_BYTES: usize = 4 << 20;

/// The maximum time in which a desktop answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a text was copied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clipboard {
    /// The clipboard of this computer's desktop.
    Desktop,
    /// The terminal, with the escape sequence OSC 52 (xterm, "Control Sequences"). It does not tell whether it accepted it.
    Terminal,
}

/// Copies a text.
///
/// # Errors
/// Fails if there is neither a desktop nor a terminal, or if the desktop refuses.
pub fn copy(text: &str) -> Result<Clipboard> {
    if text.len() > MAX_BYTES {
        return Err(no_clipboard(format!(
            "the output has more than {MAX_BYTES} bytes, too many for a clipboard"
        )));
    }
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_remote = is_set("SSH_CONNECTION") || is_set("SSH_TTY");
    let has_desktop = cfg!(windows) || cfg!(target_os = "macos") || is_set("DISPLAY");
    if !has_desktop || is_remote {
        return to_terminal(text).map(|()| Clipboard::Terminal);
    }
    match to_desktop(text) {
        Ok(()) => Ok(Clipboard::Desktop),
        // A session of tmux or screen can have the DISPLAY of a login that has ended.
        Err(failure) => to_terminal(text).map(|()| Clipboard::Terminal).map_err(|_| failure),
    }
}

fn no_clipboard(text: String) -> anyhow::Error {
    Diagnostic::error(Code::NoClipboard, text).hint("write a file with `-o FILE`").into()
}

fn to_terminal(text: &str) -> Result<()> {
    let path = if cfg!(windows) { "CON" } else { "/dev/tty" };
    let Ok(mut terminal) = std::fs::File::options().write(true).open(path) else {
        return Err(no_clipboard("there is neither a desktop nor a terminal with a clipboard".into()));
    };
    let encoded = Secret::new(base64(text.as_bytes()));
    for piece in sequences(encoded.expose(), Multiplexer::of_environment()) {
        terminal.write_all(piece.expose().as_bytes())?;
    }
    Ok(())
}

/// A program between hostseed and the terminal that handles OSC 52 itself or drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Multiplexer {
    Tmux,
    Screen,
}

impl Multiplexer {
    fn of_environment() -> Option<Self> {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match (is_set("TMUX"), is_set("STY")) {
            (true, _) => Some(Self::Tmux),
            (_, true) => Some(Self::Screen),
            _ => None,
        }
    }
}

/// The escape sequences that fill the clipboard with a text in base64. tmux and screen hand a device control string (DCS) on to the
/// terminal: tmux one of its own, in which ESC is doubled, if `allow-passthrough` is on, and it handles OSC 52 itself if `set-clipboard`
/// is on (tmux(1)), so it gets both. screen has a limit of 768 bytes for a string (MAXSTR in screen.h), so it gets many.
fn sequences(encoded: &str, multiplexer: Option<Multiplexer>) -> Vec<Secret> {
    let whole = Secret::new(["\x1b]52;c;", encoded, "\x07"].concat());
    match multiplexer {
        None => vec![whole],
        Some(Multiplexer::Tmux) => {
            let passed = Secret::new(["\x1bPtmux;\x1b\x1b]52;c;", encoded, "\x07\x1b\\"].concat());
            vec![whole, passed]
        }
        Some(Multiplexer::Screen) => {
            // The text has only ASCII, so each byte is a character.
            let pieces = whole.expose().as_bytes().chunks(512).map(String::from_utf8_lossy);
            pieces.map(|piece| Secret::new(["\x1bP", &piece, "\x1b\\"].concat())).collect()
        }
    }
}

#[cfg(any(windows, target_os = "macos"))]
fn to_desktop(text: &str) -> Result<()> {
    arboard::Clipboard::new()?.set_text(text).context("cannot fill the clipboard")
}

/// Hands the text to a keeper, a process that goes on until another program fills the clipboard.
#[cfg(not(any(windows, target_os = "macos")))]
fn to_desktop(text: &str) -> Result<()> {
    let mut keeper = Command::new(std::env::current_exe()?);
    keeper.arg(KEEPER).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut keeper = keeper.spawn().context("cannot start the program that keeps the clipboard")?;
    let mut input = keeper.stdin.take().expect("it is piped");
    input.write_all(text.as_bytes())?;
    drop(input);
    let stdout = keeper.stdout.take().expect("it is piped");
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let _ = send.send(BufReader::new(stdout).read_line(&mut answer).map(|_| answer));
    });
    let answer = receive.recv_timeout(PATIENCE);
    if !matches!(&answer, Ok(Ok(answer)) if !answer.is_empty()) {
        // It can still wait for a desktop that does not answer.
        let _ = keeper.kill();
        let _ = keeper.wait();
        let display = std::env::var("DISPLAY").unwrap_or_default();
        return Err(no_clipboard(format!("cannot fill the clipboard of the desktop at `{display}`")));
    }
    Ok(())
}

/// Returns whether this process was started to keep the clipboard.
pub fn is_keeper() -> bool {
    std::env::args_os().skip(1).eq([KEEPER])
}

/// Only X11 needs a keeper.
#[cfg(any(windows, target_os = "macos"))]
pub fn keep() -> Result<()> {
    anyhow::bail!("this system keeps its clipboard itself")
}

/// Fills the desktop's clipboard from standard input, says so on standard output, and stays until another program fills it.
///
/// # Errors
/// Fails if there is no desktop.
#[cfg(not(any(windows, target_os = "macos")))]
pub fn keep() -> Result<()> {
    use arboard::SetExtLinux;
    let mut text = Secret::new(String::with_capacity(MAX_BYTES));
    io::stdin().take(MAX_BYTES as u64).read_to_string(text.expose_mut())?;
    // The terminal's end must not end it.
    let _ = rustix::process::setsid();
    let mut clipboard = arboard::Clipboard::new()?;
    clipboard.set().exclude_from_history().text(text.expose())?;
    io::stdout().write_all(b"copied\n")?;
    Ok(clipboard.set().exclude_from_history().wait().text(text.expose())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(encoded: &str, multiplexer: Option<Multiplexer>) -> String {
        sequences(encoded, multiplexer).iter().map(|piece| piece.expose().to_owned()).collect()
    }

    #[test]
    fn each_program_between_gets_the_text_in_its_own_sequences() {
        let text = "QUJD".repeat(500);
        let whole = format!("\x1b]52;c;{text}\x07");
        assert_eq!(joined(&text, None), whole);
        let doubled = whole.replace('\x1b', "\x1b\x1b");
        assert_eq!(joined(&text, Some(Multiplexer::Tmux)), format!("{whole}\x1bPtmux;{doubled}\x1b\\"));
        let pieces = sequences(&text, Some(Multiplexer::Screen));
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.expose().len() <= 768));
        let inside = |piece: &Secret| {
            piece
                .expose()
                .strip_prefix("\x1bP")
                .and_then(|piece| piece.strip_suffix("\x1b\\"))
                .unwrap()
                .to_owned()
        };
        assert_eq!(pieces.iter().map(inside).collect::<String>(), whole);
    }
}
