//! The token that a scraper has to show.

use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, header};

use crate::web::same;

/// How large the file may be, bytes.
const MAX: u64 = 4_096;

/// A file with a token. It is read whenever somebody asks, so that another token counts at once.
#[derive(Debug, Clone)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// Reads the file and says whether it can be used.
    ///
    /// # Errors
    /// A file that cannot be read, or that has no token in it, in words.
    pub fn new(path: &Path) -> Result<Self, String> {
        let file = TokenFile(path.to_owned());
        file.read().map(|_| file)
    }

    fn read(&self) -> Result<String, String> {
        use std::io::Read as _;
        let error = |e: std::io::Error| format!("reading {}: {e}", self.0.display());
        let mut text = String::new();
        std::fs::File::open(&self.0).map_err(error)?.take(MAX).read_to_string(&mut text).map_err(error)?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("{} has no token in it: one line of letters, digits and signs", self.0.display()));
        }
        Ok(token.to_owned())
    }

    /// Whether a request shows the token: `Authorization: Bearer TOKEN` (RFC 6750, section 2.1). Without a file that can be read nobody does.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(one), None) = (sent.next(), sent.next()) else { return false };
        let Some((scheme, token)) = one.to_str().ok().and_then(|text| text.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && self.read().is_ok_and(|known| same(&known, token.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(file: &TokenFile, values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        file.is_shown(&headers)
    }

    #[test]
    fn only_the_token_that_is_in_the_file_now_is_the_right_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(TokenFile::new(&path).unwrap_err().contains("reading "));
        for wrong in ["", "\n", "two words", "ü"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(TokenFile::new(&path).unwrap_err().contains("has no token"), "{wrong:?}");
        }
        std::fs::write(&path, "s3cret\n").unwrap();
        let file = TokenFile::new(&path).unwrap();
        assert!(shown(&file, &["Bearer s3cret"]) && shown(&file, &["bearer s3cret"]));
        for wrong in [&["Bearer s3cre"][..], &["Basic s3cret"], &["s3cret"], &["Bearer "], &["Bearer s3cret"; 2], &[]] {
            assert!(!shown(&file, wrong), "{wrong:?}");
        }
        std::fs::write(&path, "another\n").unwrap();
        assert!(shown(&file, &["Bearer another"]) && !shown(&file, &["Bearer s3cret"]));
        std::fs::write(&path, "").unwrap();
        assert!(!shown(&file, &["Bearer "]) && !shown(&file, &["Bearer another"]), "an empty file lets nobody in");
    }
}
