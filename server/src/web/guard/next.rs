//! Where a login leads.

use crate::web::answer::encoded;

/// The place itself if it is one of this page, otherwise the fleet. What a browser would take for another machine (`//…`, `/\…`) is none.
pub(super) fn local(place: &str) -> &str {
    let fits = place.starts_with('/')
        && !place.starts_with("//")
        && place.len() <= 2_000
        && place.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if fits { place } else { "/" }
}

/// The way to the login and back to `place`.
pub(in crate::web) fn to_login(place: &str) -> String {
    match local(place) {
        "/" => "/login".to_owned(),
        place => format!("/login?next={}", encoded(place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for place in
            ["//evil", "https://evil", "/\\evil", "\\\\evil", "/a\nb", "/\t/evil", "javascript:1", "", "a", "/ü"]
        {
            assert_eq!(local(place), "/", "{place:?}");
        }
        for place in ["/", "/hosts/web1?after=1", "/runs/../x"] {
            assert_eq!(local(place), place);
        }
        assert_eq!(to_login("/a?b=c&d"), "/login?next=%2Fa%3Fb%3Dc%26d");
    }
}
