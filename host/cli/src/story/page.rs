//! A page of aligned text: headings with rows below them, and tables.

use std::fmt::Write as _;

/// Where values begin.
const COLUMN: usize = 14;

/// Text as it grows.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Begins a part, below an empty line.
    pub(super) fn part(&mut self, title: &str, value: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(&format!("{title:<COLUMN$}{}", clean(value)));
    }

    /// A row of the part.
    pub(super) fn row(&mut self, label: &str, value: &str) {
        let width = COLUMN - 2;
        self.line(&format!("  {label:<width$}{}", clean(value)));
    }

    /// A row that is only there when there is something to say.
    pub(super) fn row_if(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.row(label, &value);
        }
    }

    /// Rows whose cells stand below each other. Each may have a note on a line of its own.
    pub(super) fn table<const N: usize>(&mut self, rows: &[([String; N], Option<String>)]) {
        let rows: Vec<_> = rows.iter().map(|(cells, note)| (cells.each_ref().map(|cell| clean(cell)), note)).collect();
        let width = |column: usize| rows.iter().map(|(cells, _)| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..N).map(width).collect();
        for (cells, note) in &rows {
            let padded = cells.iter().zip(&widths).fold(String::new(), |mut line, (cell, width)| {
                let _ = write!(line, "  {cell:<width$}");
                line
            });
            self.line(&padded);
            if let Some(note) = note {
                self.line(&format!("    {}", clean(note)));
            }
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// One line, without what would move the cursor or change the terminal: the text may be anybody's.
fn clean(text: &str) -> String {
    let plain: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
