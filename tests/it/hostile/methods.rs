//! Methods are closed, and written as they are.

use super::text::bytes;
use super::{Case, check};
use crate::support::table::columns;

/// Answer, and the beginning of a first line.
const METHODS: &str = r"
    GET:one                GET ONE
    HEAD:one               HEAD ONE
    DELETE:one             DELETE ONE
    405:method_not_allowed get ONE
    405:method_not_allowed Get ONE
    405:method_not_allowed delete ONE
    405:method_not_allowed PATCH ONE
    405:method_not_allowed POST ONE
    405:method_not_allowed OPTIONS ONE
    405:method_not_allowed TRACE ONE
    405:method_not_allowed TRACK ONE
    405:method_not_allowed DEBUG ONE
    405:method_not_allowed QUERY ONE
    405:method_not_allowed PROPFIND ONE
    405:method_not_allowed MOVE ONE
    405:method_not_allowed PURGE ONE
    405:method_not_allowed DELETEX ONE
    405:method_not_allowed XDELETE ONE
    405:method_not_allowed GET! ONE
    405:method_not_allowed 1 ONE
    400                    DEL(ETE ONE
    400                    DELETE: ONE
    400                    DELETE\xa0 ONE
    400                    DELETE/ ONE
    400                    DELÉTE ONE
    400                    \x22GET\x22 ONE
";

#[test]
fn methods_are_closed() {
    let cases: Vec<Case> = columns(METHODS)
        .map(|[answer, line]| {
            let (end, after) = if answer == "400" {
                ("closed", "EVIL")
            } else {
                ("open", "")
            };
            let line = format!("{line} HTTP/1.1~HOST~TOKEN~~{after}");
            Case::new(answer, end, bytes(&line))
        })
        .collect();
    check("methods", &cases);
}
