//! Byte offsets to lines and columns.

use crate::config::problem::Place;

/// Where each line of a text begins.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        let starts = std::iter::once(0).chain(after_breaks).collect();
        Self { text, starts }
    }

    /// The place of a byte; an offset past the end is the end.
    pub(super) fn place(&self, offset: usize) -> Place {
        let mut downwards = (0..=offset.min(self.text.len())).rev();
        let offset = downwards
            .find(|index| self.text.is_char_boundary(*index))
            .unwrap_or_default();
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index));
        let before = start.and_then(|start| self.text.get(*start..offset));
        let column = before.unwrap_or_default().chars().count() + 1;
        Place { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a = 1\r\n\nä = \"ö\" # x\n");
        let place = |offset| {
            let Place { line, column } = lines.place(offset);
            (line, column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(4), (1, 5));
        assert_eq!(place(7), (2, 1));
        assert_eq!(place(8), (3, 1));
        assert_eq!(place(9), (3, 1), "inside a character");
        assert_eq!(place(13), (3, 5));
        assert_eq!(place(99), (4, 1));
    }
}
