//! A guide that is a story which a test lives through: its files are those of the test, and what its commands print was printed.

#![expect(clippy::unwrap_used, reason = "a test asks it, and is to fail")]

/// Without what differs from one run to the next: ids, seconds, and how long it took.
fn steady(line: &str) -> String {
    let word = |word: &str| {
        let inner = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = inner.len() == 28 && inner.bytes().all(|b| b.is_ascii_hexdigit());
        let is_time = inner.len() > 16 && inner.starts_with("20") && inner.as_bytes()[10] == b'T';
        match () {
            () if is_id => word.replace(inner, "ID"),
            () if is_time => word.replace(inner, &inner[..16]),
            () => word.to_owned(),
        }
    };
    let line = match line.split_once(" hosts in ").and_then(|(hosts, rest)| Some((hosts, rest.split_once(": ")?.1))) {
        Some((hosts, rest)) => format!("{hosts} hosts: {rest}"),
        None => line.to_owned(),
    };
    line.trim_end().split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Whether what was printed has these lines, in order; `…` stands for any that are left out.
fn has(printed: &str, shown: &[&str]) -> bool {
    let printed: Vec<String> = printed.lines().map(steady).collect();
    let mut from = 0;
    for part in shown.split(|line| line.trim() == "…").filter(|part| !part.is_empty()) {
        let part: Vec<String> = part.iter().map(|line| steady(line)).collect();
        match printed[from..].windows(part.len()).position(|lines| lines == part) {
            Some(at) => from += at + part.len(),
            None => return false,
        }
    }
    true
}

/// Compares a guide below `docs/guides` with the test's files, with the commands that happened and what they printed, and with the letters that
/// were sent.
///
/// # Panics
/// If the guide says something else.
pub fn shows_what_happens(guide: &str, files: &[&str], happened: &[(String, String)], letters: &str) {
    let path = format!("{}/../docs/guides/{guide}", env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(&path).unwrap();
    for file in files {
        assert!(guide.contains(file), "the guide lacks a file of the test:\n{file}");
    }
    let blocks = |kind: &str| -> Vec<Vec<String>> {
        let fence = format!("```{kind}\n");
        let parts = guide.split(&fence).skip(1);
        parts.map(|part| part.split("\n```").next().unwrap().lines().map(str::to_owned).collect()).collect()
    };
    let mut commands = 0;
    for block in blocks("console") {
        let lines: Vec<&str> = block.iter().map(String::as_str).collect();
        for said in split_at_commands(&lines) {
            let command = said[0].strip_prefix("$ rectify ").expect("a block begins with a command");
            let same = |(line, printed): &(String, String)| steady(line) == steady(command) && has(printed, &said[1..]);
            assert!(happened.iter().any(same), "the guide shows what did not happen: {said:#?}");
            commands += 1;
        }
    }
    assert!(commands > 5, "{commands} commands were found in the guide");
    let sent = blocks("text");
    assert!(!sent.is_empty());
    for shown in sent {
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        assert!(has(letters, &shown), "no such letter was sent: {shown:#?}\n{letters}");
    }
}

/// A block cut before every command, without empty lines at the end of a part.
fn split_at_commands<'l>(lines: &'l [&'l str]) -> Vec<&'l [&'l str]> {
    let starts: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].starts_with("$ ")).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let without_end =
        |part: &'l [&'l str]| &part[..part.iter().rposition(|l| !l.is_empty()).map_or(0, |last| last + 1)];
    starts.iter().zip(ends).map(|(start, end)| without_end(&lines[*start..end])).collect()
}
