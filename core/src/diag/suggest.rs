//! Guessing what was meant.

/// The candidate that a misspelt word most likely stands for, if one is near enough.
///
/// Near is at most a third of the word's letters wrong (a swap of neighbours counts once), or the same word in other case or with
/// other separators (`become-user` for `become_user`). The first of equally near candidates wins.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no typos of anything, and the distance is quadratic.
    if word.len() > 200 {
        return None;
    }
    let plain = fold(word);
    let limit = (word.chars().count().max(3)) / 3;
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().filter(|c| c.len() <= 200 && *c != word) {
        let distance = if fold(candidate) == plain { 0 } else { strsim::damerau_levenshtein(word, candidate) };
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}
