//! `mode`: permission bits as Ansible writes them.

use rectify_core::arg::Scalar;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Permission bits: octal (`'0644'`), symbolic (`u=rwX,g=rX,o=`), or `preserve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Exactly these bits.
    Bits(u32),
    /// Changes to the bits that are there (chmod(1)).
    Symbolic(Vec<Clause>),
    /// The bits of the file that is the source.
    Preserve,
}

/// One clause of a symbolic mode, such as `u+rwX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    /// Whom it concerns, as a mask of the bits that it may touch.
    who: u32,
    op: char,
    perms: String,
    /// Whether nobody was named: the umask then counts.
    implied: bool,
}

impl Mode {
    /// The bits that a thing gets that has `current` bits now.
    pub(crate) fn resolve(&self, current: u32, directory: bool) -> u32 {
        match self {
            Mode::Bits(bits) => *bits,
            Mode::Preserve => current,
            Mode::Symbolic(clauses) => clauses.iter().fold(current, |bits, clause| clause.apply(bits, directory)),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "preserve" {
            return Ok(Mode::Preserve);
        }
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return match u32::from_str_radix(digits, 8) {
                Ok(bits) if bits <= 0o7777 => Ok(Mode::Bits(bits)),
                _ => Err(format!("{text:?} is no octal mode: up to four digits from 0 to 7, such as '0644'")),
            };
        }
        text.split(',').map(Clause::parse).collect::<Option<Vec<_>>>().map(Mode::Symbolic).ok_or_else(|| {
            format!("{text:?} is neither an octal mode such as '0644' nor a symbolic one such as 'u=rw,go=r'")
        })
    }
}

impl Clause {
    fn parse(text: &str) -> Option<Self> {
        let at = text.find(['+', '-', '='])?;
        let (who_text, rest) = text.split_at(at);
        let op = rest.chars().next()?;
        let perms = rest[1..].to_owned();
        if !perms.chars().all(|c| "rwxXstugo".contains(c)) {
            return None;
        }
        let mut who = 0;
        for c in who_text.chars() {
            who |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        let implied = who == 0;
        Some(Clause { who: if implied { 0o7777 } else { who }, op, perms, implied })
    }

    fn apply(&self, bits: u32, directory: bool) -> u32 {
        let mut wanted = 0;
        for c in self.perms.chars() {
            wanted |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if directory || bits & 0o111 != 0 => 0o111,
                's' => 0o6000,
                't' => 0o1000,
                'u' => spread((bits >> 6) & 7),
                'g' => spread((bits >> 3) & 7),
                'o' => spread(bits & 7),
                _ => 0,
            };
        }
        // Without a "who", chmod leaves out what the umask (022 here) masks.
        let mask = if self.implied { self.who & !0o022 } else { self.who };
        let wanted = wanted & mask;
        match self.op {
            '+' => bits | wanted,
            '-' => bits & !wanted,
            _ => (bits & !(self.who & if directory { 0o1777 } else { 0o7777 })) | wanted,
        }
    }
}

fn spread(three: u32) -> u32 {
    three * 0o111
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(from)?;
        // YAML 1.1 reads 0644 as the number 420, so a number that comes out of a variable cannot be told from digits that
        // were meant as octal; 644 without its zero would be 01204.
        if scalar.value.is_number() && !scalar.text.starts_with('0') {
            return Err(de::Error::custom(format!(
                "the number {0} is ambiguous as a mode: write it as text, mode: '0644' (and quote it where the variable is set)",
                scalar.text
            )));
        }
        Mode::parse(&scalar.text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mode".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "examples": ["0644", "u=rwX,go=rX"] })
    }
}

#[cfg(test)]
mod tests {
    use rectify_core::arg::{Arg, from_arg};
    use serde_json::json;

    use super::*;

    fn read(text: &str, value: serde_json::Value) -> Result<Mode, String> {
        from_arg(&Arg::Scalar(Scalar { text: text.into(), value })).map_err(|e| e.to_string())
    }

    #[test]
    fn digits_are_octal_however_they_are_written() {
        assert_eq!(read("0644", json!(420)), Ok(Mode::Bits(0o644)));
        assert_eq!(read("644", json!("644")), Ok(Mode::Bits(0o644)));
        assert_eq!(read("01777", json!("01777")), Ok(Mode::Bits(0o1777)));
        assert!(read("644", json!(644)).unwrap_err().contains("write it as text"));
        assert!(read("0888", json!("0888")).is_err());
        assert!(read("99999", json!("99999")).is_err());
    }

    #[test]
    fn symbolic_modes_follow_chmod() {
        let resolve = |text: &str, current, directory| read(text, json!(text)).unwrap().resolve(current, directory);
        assert_eq!(resolve("u=rwX,g=rX,o=", 0o644, true), 0o750);
        assert_eq!(resolve("u=rwX,g=rX,o=", 0o644, false), 0o640);
        assert_eq!(resolve("g-w,o-rwx", 0o777, false), 0o750);
        assert_eq!(resolve("a+x", 0o644, false), 0o755);
        assert_eq!(resolve("g=u", 0o700, false), 0o770);
        assert_eq!(resolve("+w", 0o444, false), 0o644, "the umask counts where nobody is named");
        assert_eq!(resolve("u+s", 0o755, false), 0o4755);
        assert!(read("u*r", json!("u*r")).is_err());
    }
}
