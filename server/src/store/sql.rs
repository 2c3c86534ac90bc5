//! Statements over many rows.

use sqlx::{
    AssertSqlSafe, Encode, Type,
    any::{Any, AnyArguments},
    query::Query,
};

/// The parameters of one statement. SQLite finds each `$N` by going through all before it, so that many cost more than more statements do: 36,000
/// parameters took 147 s, and 17 s in statements of this size.
const PARAMETERS: usize = 900;

/// How many rows with so many columns go into one statement.
pub(crate) const fn rows(columns: usize) -> usize {
    PARAMETERS / columns
}

/// The placeholders of `rows` rows with `columns` columns, for `VALUES`: `($1,$2),($3,$4)`.
///
/// sqlx's own builder writes placeholders that PostgreSQL does not take through `Any`. Keep `rows` to what [`rows`] says.
pub(crate) fn values(rows: usize, columns: usize) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for n in 1..=rows * columns {
        let before = match (n - 1) % columns {
            0 if n == 1 => "(",
            0 => "),(",
            _ => ",",
        };
        let _ = write!(out, "{before}${n}");
    }
    if !out.is_empty() {
        out.push(')');
    }
    out
}

/// A statement whose first placeholders stand for these: `text` has `values(1, all.len())` in it. What is bound further comes behind them.
pub(crate) fn listed<'t, T>(text: String, all: impl IntoIterator<Item = T>) -> Query<'static, Any, AnyArguments>
where
    T: Encode<'t, Any> + Type<Any>,
{
    let query = sqlx::query(AssertSqlSafe(text));
    all.into_iter().fold(query, |query, one| query.bind(one))
}

#[cfg(test)]
mod tests {
    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(super::values(2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(super::values(1, 1), "($1)");
        assert_eq!(super::values(0, 3), "");
    }
}
