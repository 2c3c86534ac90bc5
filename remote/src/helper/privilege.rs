//! Changing the user: the command line, and what sudo, doas and su say.

use crate::{BecomeProblem, Failure, Secret, text::clean};

/// The account that the helper runs as, and how to become it.
#[derive(Debug, Clone)]
pub struct Become {
    /// With what.
    pub method: Method,
    /// The account.
    pub user: String,
    /// The program, where it is not the one in the `PATH`: a path without white space.
    pub program: Option<String>,
    /// For sudo and doas the password of the account that logged in, for su that of the account to become.
    pub password: Option<Secret>,
    /// Further options of the program, as [`Method::flags`] reads them.
    pub flags: Vec<String>,
}

/// The programs that change the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// sudo(8).
    Sudo,
    /// doas(1).
    Doas,
    /// su(1).
    Su,
}

impl Method {
    /// The program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Doas => "doas",
            Self::Su => "su",
        }
    }

    /// Reads options as Ansible's `become_flags` has them: those that do not change how the program is talked to (`sudo -i`
    /// does: it has the login shell expand the command once more). What is
    /// always given (`-H`), or given as a password is there or not (`-S`, `-n`), is left out.
    ///
    /// # Errors
    /// The option that is not supported.
    pub fn flags(self, text: &str) -> Result<Vec<String>, String> {
        let mut flags = Vec::new();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            match (self, word) {
                (Self::Sudo, "-H" | "-S" | "-n" | "--set-home" | "--stdin" | "--non-interactive")
                | (Self::Doas, "-n") => {}
                (Self::Sudo, "-E" | "-k" | "-P") | (Self::Su, "-" | "-l" | "-m" | "-p") => {
                    flags.push(word.to_owned());
                }
                (Self::Sudo, "-g" | "-r" | "-t") | (Self::Su, "-g" | "-G") => {
                    let value = words.next().filter(|value| is_plain(value)).ok_or_else(|| word.to_owned())?;
                    flags.extend([word.to_owned(), value.to_owned()]);
                }
                _ => return Err(word.to_owned()),
            }
        }
        Ok(flags)
    }
}

/// Whether a name can stand in a command line as it is.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("community.general.")).unwrap_or(name)
        {
            "sudo" => Ok(Self::Sudo),
            "doas" => Ok(Self::Doas),
            "su" => Ok(Self::Su),
            _ => Err(format!("`{name}` is no way to become another user here: use sudo, doas or su")),
        }
    }
}

/// How the start is run on the host.
pub(crate) struct Launch {
    /// For the login shell, whatever it is: words and single-quoted strings without a quote, backslash or `!` in them.
    pub(crate) command: String,
    /// Whether it needs a terminal.
    pub(crate) pty: bool,
    /// What is printed before a password is read; it ends up on standard error or the terminal.
    prompt: String,
}

impl Launch {
    /// The command that ends in a shell which says that it is ready and evaluates one line of its input.
    pub(crate) fn new(nonce: &str, change: Option<&Become>) -> Result<Self, Failure> {
        let ready = format!("echo; echo rectify:{nonce}:ready;");
        let read = r#"read -r s && eval "$s""#;
        let prompt = format!("[rectify {nonce}] password: ");
        let Some(change) = change else {
            return Ok(Self { command: format!("exec /bin/sh -c '{read}'"), pty: false, prompt });
        };
        check(change)?;
        let (user, password) = (&change.user, change.password.is_some());
        let program = change.program();
        let flags: String = change.flags.iter().map(|flag| format!("{flag} ")).collect();
        // A terminal would change the bytes; in this one line of ours it does not yet matter.
        let tame = "stty raw -echo;";
        let (command, pty) = match (change.method, password) {
            (Method::Sudo, false) => {
                (format!("exec env LC_ALL=C {program} -n -H {flags}-u {user} -- /bin/sh -c '{ready} {read}'"), false)
            }
            (Method::Sudo, true) => (
                format!(
                    "exec env LC_ALL=C {program} -S -p '{prompt}' -H {flags}-u {user} -- /bin/sh -c '{ready} {read}'"
                ),
                false,
            ),
            (Method::Doas, false) => {
                (format!("exec env LC_ALL=C {program} -n -u {user} /bin/sh -c '{ready} {read}'"), false)
            }
            (Method::Doas, true) => {
                (format!("exec env LC_ALL=C {program} -u {user} /bin/sh -c '{tame} {ready} {read}'"), true)
            }
            (Method::Su, false) => {
                (format!("exec env LC_ALL=C {program} {flags}-s /bin/sh -c '{ready} {read}' {user}"), false)
            }
            (Method::Su, true) => {
                (format!("exec env LC_ALL=C {program} {flags}-s /bin/sh -c '{tame} {ready} {read}' {user}"), true)
            }
        };
        Ok(Self { command, pty, prompt })
    }

    /// Whether what was said so far ends in a request for a password.
    pub(crate) fn asks(&self, said: &[u8]) -> bool {
        let text = String::from_utf8_lossy(said);
        let end = text.trim_end();
        // With `passprompt_override` off, or in doas and su, the prompt is not ours.
        end.ends_with(self.prompt.trim_end())
            || (end.ends_with(':') && end.rsplit('\n').next().unwrap_or("").to_lowercase().contains("password"))
    }
}

/// A name and a password that can be passed on as they are.
fn check(change: &Become) -> Result<(), Failure> {
    if !is_plain(&change.user) {
        return Err(change
            .failure(BecomeProblem::Unusable(format!("`{}` is no account's name", clean(change.user.as_bytes())))));
    }
    let path = |c: char| c.is_ascii_alphanumeric() || "_-./+".contains(c);
    let odd = |p: &&str| p.is_empty() || p.starts_with('-') || !p.chars().all(path);
    if let Some(program) = change.program.as_deref().filter(odd) {
        let what = format!("`{}` is no path of a program", clean(program.as_bytes()));
        return Err(change.failure(BecomeProblem::Unusable(what)));
    }
    if change.password.as_ref().is_some_and(|password| password.reveal().chars().any(char::is_control)) {
        return Err(change.failure(BecomeProblem::Unusable(
            "the password has a line end or another control character in it".to_owned(),
        )));
    }
    Ok(())
}

impl Become {
    fn program(&self) -> &str {
        self.program.as_deref().unwrap_or(self.method.name())
    }

    pub(crate) fn failure(&self, problem: BecomeProblem) -> Failure {
        Failure::Become { method: self.program().to_owned(), user: self.user.clone(), problem }
    }

    /// What the program's words mean, if they mean that it will not work.
    pub(crate) fn verdict(&self, said: &[u8]) -> Option<BecomeProblem> {
        let text = String::from_utf8_lossy(said).to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["you must have a tty", "no tty present and no askpass"]) {
            return Some(BecomeProblem::RequireTty);
        }
        if has(&[
            "sorry, try again",
            "incorrect password",
            "authentication fail",
            "doas: authorization failed",
            "su: incorrect",
            "incorrect password attempt",
        ]) {
            return Some(if self.password.is_some() {
                BecomeProblem::WrongPassword
            } else {
                BecomeProblem::PasswordRequired
            });
        }
        if has(&["a password is required", "doas: authentication required", "doas: authorization required"]) {
            return Some(BecomeProblem::PasswordRequired);
        }
        let barred = [
            "not in the sudoers",
            "is not allowed to",
            "may not run sudo",
            "doas: operation not permitted",
            "su: permission denied",
            "account is locked",
            "currently not available",
        ];
        if has(&barred) {
            return Some(BecomeProblem::NotPermitted(clean(said)));
        }
        let name = self.program().to_lowercase();
        let missing = [
            format!("{name}: not found"),
            format!("{name}: command not found"),
            format!("'{name}': no such file"),
            format!("‘{name}’: no such file"),
        ];
        missing.iter().any(|words| text.contains(words.as_str())).then_some(BecomeProblem::NotInstalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sudo(password: Option<&str>) -> Become {
        Become {
            method: Method::Sudo,
            user: "root".to_owned(),
            program: None,
            password: password.map(Secret::new),
            flags: Vec::new(),
        }
    }

    #[test]
    fn flags_are_passed_on_or_named() {
        assert_eq!(Method::Sudo.flags("-H -S -n").unwrap(), [""; 0]);
        assert_eq!(Method::Sudo.flags("-E  -g adm -k").unwrap(), ["-E", "-g", "adm", "-k"]);
        assert_eq!(Method::Su.flags("- -g adm").unwrap(), ["-", "-g", "adm"]);
        for (method, text, wrong) in [
            (Method::Sudo, "-H -A", "-A"),
            (Method::Sudo, "-i", "-i"),
            (Method::Sudo, "-g $(reboot)", "-g"),
            (Method::Sudo, "-E;reboot", "-E;reboot"),
            (Method::Sudo, "-g", "-g"),
            (Method::Doas, "-E", "-E"),
        ] {
            assert_eq!(method.flags(text).unwrap_err(), wrong);
        }
        let change = Become { flags: vec!["-g".into(), "adm".into()], ..sudo(None) };
        let command = Launch::new("ab", Some(&change)).unwrap().command;
        assert!(command.contains("sudo -n -H -g adm -u root -- /bin/sh"), "{command}");
    }

    #[test]
    fn the_password_is_in_no_command_line() {
        for method in [Method::Sudo, Method::Doas, Method::Su] {
            let change = Become { method, ..sudo(Some("hunter2")) };
            let launch = Launch::new("ab", Some(&change)).unwrap();
            assert!(!launch.command.contains("hunter2"), "{}", launch.command);
            assert!(!format!("{change:?}").contains("hunter2"));
        }
    }

    #[test]
    fn an_account_name_cannot_smuggle_a_word_into_the_command() {
        for user in ["", "-i", "a b", "root;reboot", "$(x)", "ro'ot"] {
            let change = Become { user: user.to_owned(), ..sudo(None) };
            assert!(Launch::new("ab", Some(&change)).is_err(), "{user}");
        }
        assert!(Launch::new("ab", Some(&sudo(Some("two\nlines")))).is_err());
        for program in ["", "-x", "sudo -E", "/bin/sh;reboot", "$HOME/sudo"] {
            let change = Become { program: Some(program.to_owned()), ..sudo(None) };
            assert!(Launch::new("ab", Some(&change)).is_err(), "{program}");
        }
        let own = Become { program: Some("/opt/bin/sudo".to_owned()), ..sudo(None) };
        assert!(Launch::new("ab", Some(&own)).unwrap().command.contains("LC_ALL=C /opt/bin/sudo -n -H -u root"));
    }

    #[test]
    fn what_the_programs_say_is_understood() {
        let with = sudo(Some("x"));
        assert_eq!(with.verdict(b"Sorry, try again."), Some(BecomeProblem::WrongPassword));
        assert_eq!(sudo(None).verdict(b"sudo: a password is required\n"), Some(BecomeProblem::PasswordRequired));
        assert_eq!(with.verdict(b"sudo: sorry, you must have a tty to run sudo"), Some(BecomeProblem::RequireTty));
        assert_eq!(with.verdict(b"env: 'sudo': No such file or directory"), Some(BecomeProblem::NotInstalled));
        assert!(matches!(with.verdict(b"joe is not in the sudoers file."), Some(BecomeProblem::NotPermitted(_))));
        assert_eq!(with.verdict(b"We trust you have received the usual lecture"), None);
    }

    #[test]
    fn a_prompt_is_seen_with_and_without_our_words() {
        let launch = Launch::new("ab", Some(&sudo(Some("x")))).unwrap();
        assert!(launch.asks(b"lecture\n[rectify ab] password: "));
        assert!(launch.asks(b"Password: "));
        assert!(launch.asks(b"doas (joe@web1) password: "));
        assert!(!launch.asks(b"Password:\nbut more"));
    }
}
