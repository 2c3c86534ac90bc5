//! The start script as one line.

/// The script as it is read by people.
const SCRIPT: &str = include_str!("bootstrap.sh");

/// The script without comments and line ends: the shell on the host gets it with one `read`.
pub(crate) fn one_line() -> String {
    let mut out = String::with_capacity(SCRIPT.len());
    for line in SCRIPT.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        out.push_str(line);
        // After these a command or a pattern follows, and a semicolon would be a syntax error.
        let open = ["{", "(", "then", "else", "do", "in", ";;", ";", "&&", "||", "|"];
        let continues = open
            .iter()
            .any(|end| line == *end || line.ends_with(&format!(" {end}")) || (*end == ";" && line.ends_with(';')));
        out.push_str(if continues { " " } else { "; " });
    }
    out
}

/// The assignments in front of the script, and the script.
pub(crate) struct Start<'a> {
    /// Hexadecimal digits.
    pub(crate) nonce: &'a str,
    /// How many bytes of frames follow right behind.
    pub(crate) ahead: usize,
    /// Architecture and SHA-256 of every helper there is.
    pub(crate) helpers: &'a [(String, String)],
    /// Where to look, if not in the usual places.
    pub(crate) dirs: &'a [String],
    /// Whether error output would end up among the frames.
    pub(crate) quiet: bool,
}

impl Start<'_> {
    /// The line to send, with its end.
    pub(crate) fn line(&self) -> String {
        let pairs: Vec<String> = self.helpers.iter().map(|(arch, hash)| format!("{arch}:{hash}")).collect();
        format!(
            "nonce={}; ahead={}; helpers={}; dirs={}; quiet={}; {}\n",
            quote(self.nonce),
            self.ahead,
            quote(&pairs.join(" ")),
            quote(&self.dirs.join(":")),
            u8::from(self.quiet),
            one_line()
        )
    }
}

/// One shell word.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_one_line_is_what_three_shells_call_correct() {
        let line = one_line();
        assert!(!line.contains('\n'));
        for shell in [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"]] {
            let out = Command::new(shell[0]).args(&shell[1..]).args(["-n", "-c", &line]).output();
            let out = out.unwrap_or_else(|e| panic!("{}: {e}: install the Debian package `{}`", shell[0], shell[0]));
            assert!(out.status.success(), "{shell:?}: {}", String::from_utf8_lossy(&out.stderr));
        }
    }
}
