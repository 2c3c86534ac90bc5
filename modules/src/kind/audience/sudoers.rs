//! sudoers(5), as far as it says who may run what.
//!
//! Only the text; who that comes to on a host is for [`super::grants`]. What is not understood is told and passed over.

use std::collections::BTreeMap;

use crate::kind::shared::continued::continued;

/// What may stand before a command, and `NO` before each.
const TAGS: [&str; 8] = ["EXEC", "FOLLOW", "INTERCEPT", "LOG_INPUT", "LOG_OUTPUT", "MAIL", "PASSWD", "SETENV"];

/// Who a list names. The last item that fits decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Whether it excludes.
    pub(super) not: bool,
    /// The text of it, without quotes and escapes.
    pub(super) text: String,
}

/// What a rule allows or forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) not: bool,
    /// The command with its arguments, or `ALL`, or an alias.
    pub(super) command: String,
    /// As whom, as written; `None` is root.
    pub(super) runas: Option<String>,
}

/// One user specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) users: Vec<Item>,
    pub(super) hosts: Vec<Item>,
    pub(super) commands: Vec<Allowed>,
    /// `FILE:LINE`.
    pub(super) place: String,
}

/// What a line asks to be read too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Include {
    File(String),
    Folder(String),
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Rules(Vec<Rule>),
    Include(Include),
}

/// The aliases of all files.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    pub(super) users: BTreeMap<String, Vec<Item>>,
    pub(super) hosts: BTreeMap<String, Vec<Item>>,
    pub(super) commands: BTreeMap<String, Vec<Item>>,
}

/// Reads a file: its lines in order go to `each`, what is not understood to `wrong`.
pub(super) fn read(
    file: &str,
    text: &str,
    aliases: &mut Aliases,
    each: &mut dyn FnMut(Line),
    wrong: &mut dyn FnMut(String),
) {
    // A comment ends with its line, whatever that ends in: what follows is not part of it.
    for (number, line) in continued(text, &|whole| strip(whole).len() == whole.len()) {
        let place = format!("{file}:{number}");
        match directive(&line) {
            Some(include) => each(Line::Include(include)),
            None => match statement(strip(&line).trim(), &place, aliases) {
                Ok(rules) if rules.is_empty() => {}
                Ok(rules) => each(Line::Rules(rules)),
                Err(why) => wrong(format!("{place}: {why}")),
            },
        }
    }
}

fn directive(line: &str) -> Option<Include> {
    let rest = line.trim_start().strip_prefix(['#', '@'])?;
    let (word, path) = rest.split_once(char::is_whitespace)?;
    let path = unquoted(strip(path).trim());
    match word {
        "include" => Some(Include::File(path)),
        "includedir" => Some(Include::Folder(path)),
        _ => None,
    }
}

/// The letters of a text with their places, and whether each counts: it is neither quoted nor escaped.
fn letters(text: &str) -> impl Iterator<Item = (usize, char, bool)> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().map(move |(at, c)| {
        let plain = !quoted && !escaped;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        (at, c, plain)
    })
}

/// A line without its comment. `#1000` is a user's number, `\#` a letter, and within quotes nothing is a comment.
fn strip(line: &str) -> &str {
    for (at, _, _) in letters(line).filter(|(_, c, plain)| *plain && *c == '#') {
        let number = line[at + 1..].starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let word = line[..at].trim_end().ends_with([',', '!', '(', ':', '%', '=']) || line[..at].trim().is_empty();
        if !(number && word) {
            return &line[..at];
        }
    }
    line
}

fn statement(line: &str, place: &str, aliases: &mut Aliases) -> Result<Vec<Rule>, String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "" => return Ok(Vec::new()),
        // `Defaults`, `Defaults:alice`, `Defaults!/bin/ls`: nobody is allowed anything by it.
        _ if word == "Defaults" || word.starts_with("Defaults") && word[8..].starts_with(['@', ':', '!', '>']) => {
            return Ok(Vec::new());
        }
        "User_Alias" => define(rest, &mut aliases.users)?,
        "Host_Alias" => define(rest, &mut aliases.hosts)?,
        "Cmnd_Alias" | "Cmd_Alias" => define(rest, &mut aliases.commands)?,
        // As whom is shown as it is written.
        "Runas_Alias" => {}
        _ => return specification(line, place),
    }
    Ok(Vec::new())
}

/// `NAME = a, b : NAME = c`.
fn define(text: &str, to: &mut BTreeMap<String, Vec<Item>>) -> Result<(), String> {
    for one in split(text, ':') {
        let (name, items) = cut(&one, '=').ok_or_else(|| format!("{:?} defines no alias", short(&one)))?;
        let name = name.trim();
        if !is_alias(name) {
            return Err(format!("{:?} is no alias's name", short(name)));
        }
        to.insert(name.to_owned(), items_of(items));
    }
    Ok(())
}

/// `users hosts = commands : hosts = commands`.
fn specification(line: &str, place: &str) -> Result<Vec<Rule>, String> {
    let no = || format!("{:?} is not understood", short(line));
    let mut users = Vec::new();
    let mut rules = Vec::new();
    for (number, part) in parts(line).into_iter().enumerate() {
        let (left, right) = cut(&part, '=').ok_or_else(no)?;
        let hosts = if number == 0 {
            let (who, hosts) = users_and_hosts(left).ok_or_else(no)?;
            users = items_of(who);
            hosts
        } else {
            left
        };
        let rule =
            Rule { users: users.clone(), hosts: items_of(hosts), commands: commands(right), place: place.to_owned() };
        let spaced = rule.hosts.iter().any(|h| h.text.contains(char::is_whitespace));
        if spaced || rule.users.is_empty() || rule.hosts.is_empty() || rule.commands.is_empty() {
            return Err(no());
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// The parts between colons that begin a new `hosts =`: other colons end a tag, or stand in `(user : group)` and digests.
fn parts(line: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in split(line, ':') {
        // A new part is `hosts = commands`: what is before its `=` is a list of hosts, and no tag or option.
        let begins = cut(&piece, '=').is_some_and(|(left, _)| {
            let left = left.trim();
            !left.is_empty()
                && !left.contains('/')
                && items_of(left).iter().all(|i| !i.text.contains(char::is_whitespace))
        });
        match parts.last_mut() {
            Some(last) if !begins || cut(last, '=').is_none() || ends_in_tag(last) => {
                last.push(':');
                last.push_str(&piece);
            }
            _ => parts.push(piece),
        }
    }
    parts
}

/// Whether a colon after this ends a tag, or is that of a digest.
fn ends_in_tag(text: &str) -> bool {
    let word = text.trim_end().rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
    TAGS.contains(&word.strip_prefix("NO").unwrap_or(word))
        || word.strip_prefix("sha").is_some_and(|bits| bits.len() == 3)
}

/// Where the users end: at the white space that no comma is beside.
fn users_and_hosts(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let mut comma = false;
    for (at, c, plain) in letters(text) {
        if !(plain && c.is_whitespace()) {
            comma = plain && c == ',';
            continue;
        }
        let next = text[at..].trim_start();
        if !comma && !next.starts_with(',') && !text[..at].trim_end().ends_with('!') {
            return Some((&text[..at], next));
        }
    }
    None
}

/// The commands, each with what holds for it: `(as whom)` goes on for those that follow.
fn commands(text: &str) -> Vec<Allowed> {
    let mut runas: Option<String> = None;
    let mut all = Vec::new();
    for one in split(text, ',') {
        let mut rest = one.trim();
        if let Some(after) = rest.strip_prefix('(') {
            let (who, after) = after.split_once(')').unwrap_or((after, ""));
            runas = Some(who.trim().to_owned());
            rest = after.trim();
        }
        rest = without_options(rest);
        let bare = rest.trim_start_matches(['!', ' ']);
        let not = rest[..rest.len() - bare.len()].matches('!').count() % 2 == 1;
        let text = unescaped(bare);
        if !text.is_empty() {
            all.push(Allowed { not, command: without_digest(&text).to_owned(), runas: runas.clone() });
        }
    }
    all
}

/// Without tags (`NOPASSWD:`) and options (`CWD=/x`).
fn without_options(mut text: &str) -> &str {
    loop {
        let end = text.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(text.len());
        let word = &text[..end];
        let after = text[end..].trim_start();
        text = match after.chars().next() {
            Some(':') if !word.is_empty() => after[1..].trim_start(),
            Some('=') if !word.is_empty() => {
                let value = after[1..].trim_start();
                let end = if let Some(inner) = value.strip_prefix('"') {
                    inner.find('"').map_or(value.len(), |at| at + 2)
                } else {
                    value.find(char::is_whitespace).unwrap_or(value.len())
                };
                value[end..].trim_start()
            }
            _ => return text,
        };
    }
}

/// `sha256:… /bin/ls` as `/bin/ls`.
fn without_digest(text: &str) -> &str {
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) if first.starts_with("sha") && first.contains(':') => without_digest(rest.trim_start()),
        _ => text,
    }
}

/// The items of a list.
fn items_of(text: &str) -> Vec<Item> {
    let item = |one: String| {
        let bangs =
            one.trim_start().chars().take_while(|c| *c == '!' || c.is_whitespace()).filter(|c| *c == '!').count();
        let text = unquoted(one.trim().trim_start_matches(['!', ' ', '\t']));
        (!text.is_empty()).then_some(Item { not: bangs % 2 == 1, text })
    };
    split(text, ',').into_iter().filter_map(item).collect()
}

/// Splits where a letter stands that is neither quoted nor escaped nor in parentheses.
fn split(text: &str, at: char) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut depth = 0_u32;
    for (_, c, plain) in letters(text) {
        match c {
            '(' if plain => depth += 1,
            ')' if plain => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == at && plain && depth == 0 {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all
}

/// The two sides of the first letter that is neither quoted nor escaped.
fn cut(text: &str, at: char) -> Option<(&str, &str)> {
    let (index, c, _) = letters(text).find(|(_, c, plain)| *plain && *c == at)?;
    Some((&text[..index], &text[index + c.len_utf8()..]))
}

fn unquoted(text: &str) -> String {
    // `%"domain users"` is quoted behind its sign.
    match text.split_once('"').map(|(sign, rest)| (sign, rest.strip_suffix('"'))) {
        Some((sign, Some(inner))) if sign.len() <= 2 => unescaped(&format!("{sign}{inner}")),
        _ => unescaped(text),
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.trim().chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' => out.extend(letters.next()),
            other => out.push(other),
        }
    }
    out
}

/// Whether this could be an alias: capitals, digits and underscores.
pub(super) fn is_alias(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn short(text: &str) -> String {
    text.trim().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Vec<Line>, Aliases, Vec<String>) {
        let (mut lines, mut aliases, mut wrong) = (Vec::new(), Aliases::default(), Vec::new());
        read("f", text, &mut aliases, &mut |line| lines.push(line), &mut |why| wrong.push(why));
        (lines, aliases, wrong)
    }

    /// A rule in a few words: `users / hosts / commands`.
    fn told(text: &str) -> Vec<String> {
        let (lines, _, wrong) = all(text);
        assert!(wrong.is_empty(), "{wrong:?}");
        let items = |items: &[Item]| {
            items.iter().map(|i| format!("{}{}", if i.not { "!" } else { "" }, i.text)).collect::<Vec<_>>().join("|")
        };
        let rules = lines.iter().flat_map(|line| match line {
            Line::Rules(rules) => rules.clone(),
            Line::Include(_) => Vec::new(),
        });
        let command = |c: &Allowed| {
            let runas = c.runas.as_ref().map(|r| format!("({r})")).unwrap_or_default();
            format!("{runas}{}{}", if c.not { "!" } else { "" }, c.command)
        };
        rules
            .map(|r| {
                let commands: Vec<String> = r.commands.iter().map(command).collect();
                format!("{} / {} / {}", items(&r.users), items(&r.hosts), commands.join("|"))
            })
            .collect()
    }

    #[test]
    fn rules_as_people_write_them() {
        for (text, expected) in [
            ("root ALL=(ALL:ALL) ALL", "root / ALL / (ALL:ALL)ALL"),
            ("%sudo\tALL=(ALL:ALL) NOPASSWD: ALL # all of them", "%sudo / ALL / (ALL:ALL)ALL"),
            ("alice ALL = /usr/sbin/apachectl graceful, /bin/ls", "alice / ALL / /usr/sbin/apachectl graceful|/bin/ls"),
            ("alice , bob web1 , web2=ALL", "alice|bob / web1|web2 / ALL"),
            ("alice,!bob,%web,!%old ALL,!db1=ALL", "alice|!bob|%web|!%old / ALL|!db1 / ALL"),
            ("#1000,%#33,+admins,%:nis ALL=ALL", "#1000|%#33|+admins|%:nis / ALL / ALL"),
            ("\"DOM\\\\alice b\" ALL=ALL", "DOM\\alice b / ALL / ALL"),
            ("%\"domain admins\" ALL=ALL", "%domain admins / ALL / ALL"),
            ("%domain\\ admins ALL=ALL", "%domain admins / ALL / ALL"),
            (
                "a ALL=(www-data) NOEXEC:SETENV: /bin/a, NOPASSWD:/bin/b, (root) !/bin/c",
                "a / ALL / (www-data)/bin/a|(www-data)/bin/b|(root)!/bin/c",
            ),
            ("a ALL=CWD=/tmp TIMEOUT=5m NOPASSWD: /bin/a -x a\\,b\\:c", "a / ALL / /bin/a -x a,b:c"),
            ("a ALL=NOPASSWD: CWD=/tmp LOG_INPUT:TIMEOUT=5 /bin/a", "a / ALL / /bin/a"),
            ("a ALL=ROLE=\"x y\" /bin/a", "a / ALL / /bin/a"),
            ("a ALL=sha256:abc= /bin/a, sudoedit /etc/x", "a / ALL / /bin/a|sudoedit /etc/x"),
            ("a ALL=! !ALL, !!!/bin/a", "a / ALL / ALL|!/bin/a"),
            ("a ALL=(:ops) /bin/a", "a / ALL / (:ops)/bin/a"),
            ("a web\\=1=ALL", "a / web=1 / ALL"),
            ("a\\, ALL=ALL", "a, / ALL / ALL"),
            ("Defaultsuser ALL=ALL", "Defaultsuser / ALL / ALL"),
        ] {
            assert_eq!(told(text), [expected], "{text}");
        }
    }

    #[test]
    fn one_line_may_have_several_lists_of_hosts() {
        assert_eq!(
            told("a w1 = /bin/a : w2, w3 = (x:y) NOPASSWD: /bin/b, /bin/c : ALL = ALL"),
            ["a / w1 / /bin/a", "a / w2|w3 / (x:y)/bin/b|(x:y)/bin/c", "a / ALL / ALL"]
        );
    }

    #[test]
    fn lines_go_on_after_a_backslash_and_keep_their_number() {
        let (lines, _, wrong) = all(
            "\n# a comment does not go on \\\neve ALL=ALL # x \\\nalice \\\n  ALL = \\\n  /bin/a, \\\n  /bin/b\nbob ALL=ALL\n",
        );
        assert!(wrong.is_empty(), "{wrong:?}");
        let places: Vec<String> = lines
            .iter()
            .flat_map(|l| match l {
                Line::Rules(rules) => rules.iter().map(|r| format!("{} {}", r.place, r.commands.len())).collect(),
                Line::Include(_) => Vec::new(),
            })
            .collect();
        assert_eq!(places, ["f:3 1", "f:4 2", "f:8 1"]);
    }

    #[test]
    fn comments_are_none_and_numbers_are_no_comments() {
        assert_eq!(
            told(
                "#alice ALL=ALL\n  # 1\n#\nDefaults env_reset # x\nDefaults:bob !lecture\nDefaults@h x\nDefaults>r x\nDefaults!/bin/ls x\n"
            ),
            [""; 0]
        );
        assert_eq!(told("#0 ALL=ALL"), ["#0 / ALL / ALL"]);
        assert_eq!(told("a, #5 ALL=(#33) /bin/a \\# b # c"), ["a|#5 / ALL / (#33)/bin/a # b"]);
    }

    #[test]
    fn includes_of_both_spellings() {
        let (lines, _, _) =
            all("#include /etc/a\n@include \"b c\"\n#includedir /etc/d\n@includedir /etc/e # x\n#includes none\n");
        let paths: Vec<String> = lines.iter().map(|l| format!("{l:?}")).collect();
        assert_eq!(
            paths,
            [
                r#"Include(File("/etc/a"))"#,
                r#"Include(File("b c"))"#,
                r#"Include(Folder("/etc/d"))"#,
                r#"Include(Folder("/etc/e"))"#
            ]
        );
    }

    #[test]
    fn aliases_of_all_kinds() {
        let (lines, aliases, wrong) = all(
            "User_Alias ADMINS = alice, !bob : OPS = %ops\nCmnd_Alias WEB = /usr/sbin/apachectl, \\\n  /bin/systemctl restart apache2\nHost_Alias H = web*\nRunas_Alias R = www-data\n",
        );
        assert!(lines.is_empty() && wrong.is_empty(), "{wrong:?}");
        assert_eq!((aliases.users["ADMINS"].len(), aliases.users["ADMINS"][1].not), (2, true));
        assert_eq!(aliases.users["OPS"][0].text, "%ops");
        assert_eq!(aliases.commands["WEB"][1].text, "/bin/systemctl restart apache2");
        assert_eq!(aliases.hosts["H"][0].text, "web*");
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_place() {
        let (lines, _, wrong) = all("alice ALL\n\nUser_Alias x = y\n= ALL\nbob ALL=ALL\nalice ALL=\n\u{1b}[2J\n");
        assert_eq!(lines.len(), 1);
        let places: Vec<&str> = wrong.iter().map(|w| w.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["f:1", "f:3", "f:4", "f:6", "f:7"], "{wrong:?}");
    }
}
