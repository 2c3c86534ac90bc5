use super::*;

fn map(text: &str) -> (SourceMap, FileId) {
    let mut map = SourceMap::new();
    let file = map.add("site.yml", text);
    (map, file)
}

fn one(problem: Diagnostic) -> Diagnostics {
    let mut found = Diagnostics::new();
    found.push(problem);
    found
}

#[test]
fn a_report_shows_line_and_patch_as_rustc_does() {
    let (map, file) = map("- hosts: all\n  taks:\n  - debug:\n");
    let span = Span::new(file, 15, 19);
    let found = one(Diagnostic::error("unknown-key", "unknown key `taks` in a play")
        .at(span, "not a play keyword")
        .also(Span::new(file, 2, 7), "in this play")
        .note("keys are checked before any host is contacted")
        .suggest(span, "tasks", "a similar key exists"));
    insta::assert_snapshot!(render(&map, &found, false), @r"
    error[unknown-key]: unknown key `taks` in a play
     --> site.yml:2:3
      |
    1 | - hosts: all
      |   ----- in this play
    2 |   taks:
      |   ^^^^ not a play keyword
      |
      = note: keys are checked before any host is contacted
    help: a similar key exists
      |
    2 |   tasks:
      |     +
    ");
}

#[test]
fn problems_come_in_reading_order_and_once() {
    let (_, file) = map("a\nb\nc\n");
    let at = |n| Diagnostic::error("x", format!("at {n}")).at(Span::new(file, n, n + 1), "");
    let mut found = Diagnostics::new();
    found.extend([at(4), at(0), at(4), Diagnostic::warning("w", "no place"), at(2)]);
    let order: Vec<_> = found.sorted().iter().map(|d| d.message.as_str()).collect();
    assert_eq!(order, ["no place", "at 0", "at 2", "at 4"]);
    assert_eq!((found.count(Severity::Error), found.count(Severity::Warning)), (3, 1));
}

#[test]
fn columns_count_characters_and_lines_count_from_one() {
    let (map, file) = map("é: 1\nxü: 2\n");
    assert_eq!(map.location(Span::new(file, 9, 10)).to_string(), "site.yml:2:3");
    assert_eq!(map.location(Span::new(file, 999, 1000)).to_string(), "site.yml:3:1");
    assert_eq!(map.slice(map.line_span(file, 2)), "xü: 2");
    // In the middle of a character: its start.
    assert_eq!(map.location(Span::new(file, 1, 1)).col, 1);
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let mut map = SourceMap::new();
    let file = map.add("a\u{1b}[31m.yml", "k: \u{1b}[2Jx\u{7}\u{202e}y\n");
    let found = one(Diagnostic::error("x", "bad \u{1b}[5m word")
        .at(Span::new(file, 3, 8), "la\u{1b}bel")
        .note("n\u{1b}ote")
        .suggest(Span::new(file, 0, 1), "z\u{1b}", "s\u{1b}"));
    let text = render(&map, &found, false);
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
}

#[test]
fn spans_outside_of_the_text_do_not_panic() {
    let (map, file) = map("ab\u{20ac}c");
    for (start, end) in [(0, 99), (98, 99), (3, 4), (5, 2), (usize::MAX, usize::MAX)] {
        let found = one(Diagnostic::error("x", "y")
            .at(Span::new(file, start, end), "l")
            .also(Span::new(FileId(7), start, end), "other map")
            .suggest(Span::new(file, start, end), "r", "m"));
        assert!(render(&map, &found, true).contains('y'));
        assert!(to_json(&map, &found).is_array());
    }
}

#[test]
fn json_names_the_same_places() {
    let (map, file) = map("a: 1\nb: 2\n");
    let found = one(Diagnostic::error("dup", "m").at(Span::new(file, 5, 6), "t").help("h"));
    let json = to_json(&map, &found);
    assert_eq!(json[0]["labels"][0]["line"], 2);
    assert_eq!(json[0]["labels"][0]["start"], 5);
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["suggestion"], serde_json::Value::Null);
}

#[test]
fn guesses_are_near_or_none() {
    let words = ["become", "become_user", "tasks", "handlers", "hosts"];
    assert_eq!(did_you_mean("hots", words), Some("hosts"));
    assert_eq!(did_you_mean("takss", words), Some("tasks"));
    assert_eq!(did_you_mean("becomeUser", words), Some("become_user"));
    assert_eq!(did_you_mean("Hosts", words), Some("hosts"));
    assert_eq!(did_you_mean("zzz", words), None);
    assert_eq!(did_you_mean("tasks", ["tasks"]), None);
}

#[test]
fn bytes_that_are_no_text_are_shown_where_they_stand() {
    let mut map = SourceMap::new();
    let file = map.add_bytes("ok.yml", b"\xef\xbb\xbfa: 1".to_vec()).unwrap();
    assert_eq!(map.text(file), "a: 1");
    let problem = map.add_bytes("latin.yml", b"a: 1\nb: caf\xe9\n".to_vec()).unwrap_err();
    assert_eq!(map.location(problem.span().unwrap()).to_string(), "latin.yml:2:7");
}
