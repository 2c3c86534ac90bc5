//! Files whose lines go on in the next one after a backslash.

/// The lines of a text, those joined that go on, each with the number of its first. `goes_on` is asked about a line that ends in a
/// backslash, without that and joined so far.
pub(crate) fn continued(text: &str, goes_on: &dyn Fn(&str) -> bool) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let part = line.strip_suffix('\\');
        match lines.last_mut().filter(|_| open) {
            // What a line begins with is not part of the word before.
            Some((_, whole)) => whole.push_str(part.unwrap_or(line).trim_start()),
            None => lines.push((number + 1, part.unwrap_or(line).to_owned())),
        }
        open = part.is_some() && lines.last().is_some_and(|(_, whole)| goes_on(whole));
    }
    lines
}
