//! Python literals: the values of an INI inventory are what `ast.literal_eval` makes of them, or else strings.

use serde_json::{Map, Number, Value};

/// Python's parser gives up at a similar depth.
const MAX_DEPTH: usize = 90;

/// The value of an INI variable: a Python literal if the whole text is one, the text otherwise.
pub(crate) fn value(text: &str) -> Value {
    literal(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The text as a Python literal: numbers, strings, `True`, `False`, `None`, lists, tuples and sets (all lists here), dictionaries.
pub(crate) fn literal(text: &str) -> Option<Value> {
    if text.contains('\0') {
        return None;
    }
    let mut parser = Parser { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let first = parser.item()?;
    let value = parser.tuple_rest(first)?;
    parser.skip();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    /// Blanks, and a comment, which ends the text.
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\x0c']);
        if self.rest.starts_with('#') {
            self.rest = "";
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn tuple_rest(&mut self, first: Value) -> Option<Value> {
        if !self.eat(",") {
            return Some(first);
        }
        let mut items = vec![first];
        loop {
            self.skip();
            if self.rest.is_empty() || self.rest.starts_with(')') {
                return Some(Value::Array(items));
            }
            items.push(self.item()?);
            if !self.eat(",") {
                return Some(Value::Array(items));
            }
        }
    }

    fn item(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.skip();
        let value = match self.rest.chars().next()? {
            '[' => {
                self.rest = &self.rest[1..];
                self.list("]").map(Value::Array)
            }
            '(' => self.parens(),
            '{' => self.braces(),
            '+' | '-' => self.signed(),
            '.' if self.rest.starts_with("...") => {
                self.rest = &self.rest[3..];
                Some(Value::String("...".to_owned()))
            }
            c if c.is_ascii_digit() || c == '.' => self.number(false),
            _ => self.word_or_string(),
        };
        self.depth -= 1;
        value
    }

    fn list(&mut self, close: &str) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            if self.eat(close) {
                return Some(items);
            }
            items.push(self.item()?);
            if !self.eat(",") {
                return self.eat(close).then_some(items);
            }
        }
    }

    fn parens(&mut self) -> Option<Value> {
        self.rest = &self.rest[1..];
        if self.eat(")") {
            return Some(Value::Array(vec![]));
        }
        let first = self.item()?;
        let value = self.tuple_rest(first)?;
        self.eat(")").then_some(value)
    }

    /// A dictionary, or a set, which becomes a list in the order as written.
    fn braces(&mut self) -> Option<Value> {
        self.rest = &self.rest[1..];
        let mut map = Map::new();
        if self.eat("}") {
            return Some(Value::Object(map));
        }
        let first = self.item()?;
        if !self.eat(":") {
            let mut items = vec![first];
            if self.eat(",") {
                items.extend(self.list("}")?);
            } else if !self.eat("}") {
                return None;
            }
            let mut unique = Vec::new();
            for item in items {
                if item.is_array() || item.is_object() {
                    return None;
                }
                if !unique.contains(&item) {
                    unique.push(item);
                }
            }
            return Some(Value::Array(unique));
        }
        let mut key = first;
        loop {
            let value = self.item()?;
            map.insert(key_text(&key)?, value);
            if !self.eat(",") {
                return self.eat("}").then_some(Value::Object(map));
            }
            if self.eat("}") {
                return Some(Value::Object(map));
            }
            key = self.item()?;
            if !self.eat(":") {
                return None;
            }
        }
    }

    fn signed(&mut self) -> Option<Value> {
        let minus = self.rest.starts_with('-');
        self.rest = &self.rest[1..];
        self.skip();
        let c = self.rest.chars().next()?;
        (c.is_ascii_digit() || c == '.').then(|| self.number(minus))?
    }

    fn number(&mut self, minus: bool) -> Option<Value> {
        let mut end = self.rest.len();
        let mut previous = ' ';
        for (at, c) in self.rest.char_indices() {
            let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !self.rest.starts_with("0x");
            if !(c.is_alphanumeric() || c == '_' || c == '.' || exponent_sign) {
                end = at;
                break;
            }
            previous = c;
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if token.contains("__") || token.ends_with('_') || token.contains("_.") || token.contains("._") {
            return None;
        }
        let lower = token.to_ascii_lowercase();
        let clean = lower.replace('_', "");
        let radix = [("0x", 16), ("0o", 8), ("0b", 2)].iter().find(|(p, _)| lower.starts_with(p));
        let integer = match radix {
            Some((_, radix)) if !clean[2..].starts_with(['+', '-']) => i128::from_str_radix(&clean[2..], *radix).ok(),
            Some(_) => None,
            // Python refuses leading zeros, but not zero itself.
            None if clean.starts_with('0') && clean.bytes().all(|b| b.is_ascii_digit()) => {
                clean.bytes().all(|b| b == b'0').then_some(0)
            }
            None if clean.bytes().all(|b| b.is_ascii_digit()) => clean.parse().ok(),
            None => None,
        };
        if let Some(n) = integer {
            let n = if minus { -n } else { n };
            let number = i64::try_from(n).map(Number::from).or_else(|_| u64::try_from(n).map(Number::from));
            return Some(number.map_or_else(|_| Value::String(n.to_string()), Value::Number));
        }
        let float = clean.contains(['.', 'e'])
            && clean.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-'));
        let f: f64 = float.then(|| clean.parse().ok())??;
        Number::from_f64(if minus { -f } else { f }).map(Value::Number)
    }

    fn word_or_string(&mut self) -> Option<Value> {
        for (word, value) in [("True", Value::Bool(true)), ("False", Value::Bool(false)), ("None", Value::Null)] {
            if let Some(rest) = self.rest.strip_prefix(word)
                && !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '\''))
            {
                self.rest = rest;
                return Some(value);
            }
        }
        if let Some(rest) = self.rest.strip_prefix("set()") {
            self.rest = rest;
            return Some(Value::Array(vec![]));
        }
        let mut text = self.string()?;
        // Neighbouring literals are one string.
        loop {
            self.skip();
            let before = self.rest;
            match self.string() {
                Some(more) => text.push_str(&more),
                None if self.rest.len() == before.len() => return Some(Value::String(text)),
                None => return None,
            }
        }
    }

    /// One string literal; the rest is untouched if there is none here.
    fn string(&mut self) -> Option<String> {
        let prefix = self.rest.find(['"', '\'']).filter(|n| *n <= 2)?;
        let kind = self.rest[..prefix].to_ascii_lowercase();
        let raw = kind.contains('r');
        if !matches!(kind.as_str(), "" | "r" | "u" | "b" | "br" | "rb") {
            return None;
        }
        let body = &self.rest[prefix..];
        let quote = &body[..1];
        let triple = quote.repeat(3);
        let delimiter = if body.starts_with(&triple) { triple.as_str() } else { quote };
        let mut text = String::new();
        let mut rest = &body[delimiter.len()..];
        loop {
            if let Some(after) = rest.strip_prefix(delimiter) {
                self.rest = after;
                return Some(text);
            }
            // Whatever stops here is no literal at all: make sure that the caller sees that something was consumed.
            let Some(c) = rest.chars().next().filter(|c| *c != '\n' || delimiter.len() == 3) else {
                self.rest = "";
                return None;
            };
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                text.push(c);
            } else if raw {
                text.push('\\');
                if let Some(next) = rest.chars().next() {
                    text.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            } else if let Some(after) = escape(rest, &mut text) {
                rest = after;
            } else {
                self.rest = "";
                return None;
            }
        }
    }
}

/// Reads what follows a backslash; `None` if Python refuses it.
fn escape<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    let c = rest.chars().next()?;
    let after = &rest[c.len_utf8()..];
    let simple = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' | '\'' | '"' => c,
        'x' | 'u' | 'U' => {
            let width = match c {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let digits = after.get(..width)?;
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
            out.push(char::from_u32(code)?);
            return Some(&after[width..]);
        }
        'N' => return None,
        '0'..='7' => {
            let len = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            out.push(char::from_u32(u32::from_str_radix(&rest[..len], 8).ok()?)?);
            return Some(&rest[len..]);
        }
        _ => {
            out.push('\\');
            c
        }
    };
    out.push(simple);
    Some(after)
}

fn key_text(key: &Value) -> Option<String> {
    match key {
        Value::String(s) => Some(s.clone()),
        Value::Null => Some("null".to_owned()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn literals_are_python_and_the_rest_are_strings() {
        let cases = [
            ("1", json!(1)),
            ("-1", json!(-1)),
            ("1_000", json!(1000)),
            ("0644", json!("0644")),
            ("0o644", json!(420)),
            ("00", json!(0)),
            ("0xfF", json!(255)),
            ("1e3", json!(1000.0)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1.10", json!(1.1)),
            ("10.0.0.1", json!("10.0.0.1")),
            ("True", json!(true)),
            ("true", json!("true")),
            ("None", json!(null)),
            ("yes", json!("yes")),
            ("'a'", json!("a")),
            ("\"a\" 'b'", json!("ab")),
            ("[1, 'x', [2,],]", json!([1, "x", [2]])),
            ("(1, 2)", json!([1, 2])),
            ("1, 2", json!([1, 2])),
            ("1,", json!([1])),
            ("()", json!([])),
            ("(1)", json!(1)),
            ("{}", json!({})),
            ("{'a': 1, 'b': {'c': [True]}}", json!({"a": 1, "b": {"c": [true]}})),
            ("{1, 2, 1}", json!([1, 2])),
            ("{1: 'x'}", json!({"1": "x"})),
            ("1 # one", json!(1)),
            ("a # b", json!("a # b")),
            ("r'\\n'", json!("\\n")),
            ("'\\n\\x41\\u00e9\\q'", json!("\nA\u{e9}\\q")),
            ("b'x'", json!("x")),
            ("", json!("")),
            ("Truex", json!("Truex")),
            ("'a", json!("'a")),
            ("'a' 1", json!("'a' 1")),
            ("1+2", json!("1+2")),
            ("[1", json!("[1")),
            ("- 1", json!(-1)),
            ("--1", json!("--1")),
            ("{{ x }}", json!("{{ x }}")),
            ("'''a'b'''", json!("a'b")),
            ("...", json!("...")),
            ("'\\400'", json!("\u{100}")),
            ("f'x'", json!("f'x'")),
            ("1__0", json!("1__0")),
            ("'a' f'b'", json!("'a' f'b'")),
            ("#x", json!("#x")),
            ("18446744073709551616", json!("18446744073709551616")),
        ];
        for (text, want) in cases {
            assert_eq!(value(text), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9a-zA-Z'\"\\\\\\[\\](){},.:# _\u{e9}]{0,40}") {
            value(&text);
        }
    }
}
