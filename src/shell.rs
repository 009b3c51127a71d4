//! The user's shell, and commands that are printed for pasting into it. A command names the program as the user called it.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::sync::OnceLock;

/// The language of a shell or program that reads the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Posix,
    Fish,
    PowerShell,
    Cmd,
    Tcsh,
    Emacs,
    Nu,
    Dotenv,
}

impl Shell {
    /// The names that `--shell` accepts, and that can be the last part of `$SHELL`.
    pub const ALL: [(&str, Self); 15] = [
        ("bash", Self::Posix),
        ("sh", Self::Posix),
        ("zsh", Self::Posix),
        ("dash", Self::Posix),
        ("ash", Self::Posix),
        ("ksh", Self::Posix),
        ("fish", Self::Fish),
        ("powershell", Self::PowerShell),
        ("pwsh", Self::PowerShell),
        ("cmd", Self::Cmd),
        ("tcsh", Self::Tcsh),
        ("csh", Self::Tcsh),
        ("emacs", Self::Emacs),
        ("nu", Self::Nu),
        ("dotenv", Self::Dotenv),
    ];

    /// Finds a shell by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, shell)| *shell)
    }

    /// The user's shell, from `$SHELL`; else any POSIX shell, and PowerShell on Windows.
    pub fn of_user() -> Self {
        let path = env::var("SHELL").unwrap_or_default();
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let usual = if cfg!(windows) { Self::PowerShell } else { Self::Posix };
        Self::named(name.trim_end_matches(".exe")).unwrap_or(usual)
    }

    /// Quotes a word of a command, if that is necessary.
    pub fn word(self, text: &str) -> String {
        let plain = match self {
            // `,` and `@` make lists and variables there.
            Self::PowerShell | Self::Nu => "_-./:+",
            Self::Cmd => "_-./:\\+@=,",
            _ => "_-./:@%+,=",
        };
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || plain.contains(c)) {
            return text.to_owned();
        }
        match self {
            Self::Posix | Self::Emacs | Self::Dotenv => format!("'{}'", text.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
            // An exclamation mark recalls an earlier command, also in quotes.
            Self::Tcsh => format!("'{}'", text.replace('\'', r"'\''").replace('!', r"\!")),
            // Typographic apostrophes end a quoted text, too (about_Quoting_Rules).
            Self::PowerShell => {
                let doubled = text.chars().flat_map(|c| {
                    let is_quote = matches!(c, '\'' | '\u{2018}'..='\u{201b}');
                    std::iter::repeat_n(c, if is_quote { 2 } else { 1 })
                });
                format!("'{}'", doubled.collect::<String>())
            }
            Self::Cmd => format!("\"{text}\""),
            Self::Nu => format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")),
        }
    }

    /// Quotes the name of a program at the beginning of a command.
    fn program(self, name: &str) -> String {
        let word = self.word(name);
        match self {
            // Without this operator, a text in quotes is not run.
            Self::PowerShell if word != name => format!("& {word}"),
            Self::Nu if word != name => format!("^{word}"),
            _ => word,
        }
    }

    /// Quotes a command: the name of the program and its arguments.
    pub fn line(self, program: &str, words: &[String]) -> String {
        words.iter().fold(self.program(program), |line, word| line + " " + &self.word(word))
    }

    /// The lines that evaluate the output of `env` and then run the docker CLI.
    pub fn connect(self, env: &Command) -> Vec<String> {
        let env = env.display(self);
        let line = match self {
            Self::Posix | Self::Emacs | Self::Dotenv => format!("eval \"$({env})\" && docker info"),
            Self::Fish => format!("eval ({env}); and docker info"),
            Self::Tcsh => format!("eval `{env}` && docker info"),
            Self::PowerShell => format!("{} | Invoke-Expression; docker info", called(&env)),
            Self::Nu => format!("{env} | from nuon | load-env; docker info"),
            Self::Cmd => {
                let evaluate = format!("@FOR /f \"tokens=*\" %i IN ('{env}') DO @%i");
                return vec![evaluate, "docker info".to_owned()];
            }
        };
        vec![line]
    }
}

/// A command of PowerShell with the operator that runs it.
pub fn called(command: &str) -> String {
    if command.starts_with("& ") { command.to_owned() } else { format!("& {command}") }
}

/// The program's name as the user called it.
static PROGRAM: OnceLock<String> = OnceLock::new();

const USUAL_NAME: &str = "hostseed";

/// Sets the name with which printed commands call this program: the first argument of the process. A name that cannot be
/// printed is not used.
pub fn set_program(name: Option<&OsStr>) {
    let name =
        name.and_then(OsStr::to_str).filter(|name| !name.is_empty() && !name.contains(char::is_control));
    // The first call wins; there is only one in the program.
    let _ = PROGRAM.set(name.unwrap_or(USUAL_NAME).to_owned());
}

/// A command for the user to paste. When printed, it is quoted for the user's shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// The command whose output it reads.
    input: Option<Box<Command>>,
    /// None for this program.
    program: Option<&'static str>,
    words: Vec<String>,
    /// The file for the output.
    output: Option<String>,
}

impl Command {
    /// A command of this program.
    pub fn own<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self { input: None, program: None, words, output: None }
    }

    /// A command of another program.
    pub fn of<T: Into<String>>(program: &'static str, words: impl IntoIterator<Item = T>) -> Self {
        Self { program: Some(program), ..Self::own(words) }
    }

    /// The same command, reading the output of `input`.
    pub fn after(self, input: Self) -> Self {
        Self { input: Some(Box::new(input)), ..self }
    }

    /// The same command, writing its output to `file`.
    pub fn into_file(self, file: impl Into<String>) -> Self {
        Self { output: Some(file.into()), ..self }
    }

    /// Quotes the command for a shell.
    fn display(&self, shell: Shell) -> String {
        let program = self.program.unwrap_or_else(|| PROGRAM.get().map_or(USUAL_NAME, String::as_str));
        let mut line = self.input.iter().map(|input| input.display(shell) + " | ").collect::<String>();
        line += &shell.line(program, &self.words);
        line + &self.output.iter().map(|file| format!(" > {}", shell.word(file))).collect::<String>()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display(Shell::of_user()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_quoted_for_each_shell() {
        let command = Command::own(["--store", "it's a \\ $store!", "env", "web1"]);
        for (shell, line) in [
            (Shell::Posix, r"hostseed --store 'it'\''s a \ $store!' env web1"),
            (Shell::Fish, r"hostseed --store 'it\'s a \\ $store!' env web1"),
            (Shell::Tcsh, r"hostseed --store 'it'\''s a \ $store\!' env web1"),
            (Shell::PowerShell, r"hostseed --store 'it''s a \ $store!' env web1"),
            (Shell::Cmd, "hostseed --store \"it's a \\ $store!\" env web1"),
            (Shell::Nu, r#"hostseed --store "it's a \\ $store!" env web1"#),
        ] {
            assert_eq!(command.display(shell), line);
        }
        let piped = Command::own(["verify", "-"]).after(Command::of("terraform", ["show", "-json"]));
        assert_eq!(piped.display(Shell::Posix), "terraform show -json | hostseed verify -");
        let written = Command::own(["external"]).into_file("a file");
        assert_eq!(written.display(Shell::Posix), "hostseed external > 'a file'");
    }

    #[test]
    fn a_program_in_quotes_is_run() {
        for (shell, program) in [
            (Shell::Posix, "'/my tools/hostseed'"),
            (Shell::PowerShell, "& '/my tools/hostseed'"),
            (Shell::Nu, "^\"/my tools/hostseed\""),
            (Shell::Cmd, "\"/my tools/hostseed\""),
        ] {
            assert_eq!(shell.program("/my tools/hostseed"), program);
            assert_eq!(shell.program("./target/release/hostseed"), "./target/release/hostseed");
        }
    }
}
