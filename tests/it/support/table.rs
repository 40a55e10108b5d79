//! Tables of cases as text, a case a line; a line that begins with `## ` is a remark.

use super::client::{ALL, CUSTOMER, ONE};

/// The lines of a table in columns that are parted by spaces; the last column is the rest.
pub fn columns<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    let lines = table.lines().map(str::trim_start);
    let is_case = |line: &&str| !line.is_empty() && !line.starts_with("## ");
    lines.filter(is_case).map(|line| {
        let mut rest = line;
        std::array::from_fn(|column| {
            if column + 1 == N {
                return rest;
            }
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = after.trim_start();
            word
        })
    })
}

/// A target by the short name of its path: a number is a metafield of customer 7.
pub fn place(name: &str) -> String {
    let (path, query) = name.split_at(name.find('?').unwrap_or(name.len()));
    let path = match path {
        "one" => ONE.to_owned(),
        "customer" => CUSTOMER.to_owned(),
        "all" => ALL.to_owned(),
        number if number.parse::<u64>().is_ok() => format!("{CUSTOMER}/{number}"),
        path => path.to_owned(),
    };
    format!("{path}{query}")
}
