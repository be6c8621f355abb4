//! A progress bar on standard error, if that is a terminal.

use std::io::{self, IsTerminal, Write};

#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    over: usize,
    shown: bool,
}

const WIDTH: usize = 32;

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, over: 0, shown: io::stderr().is_terminal() }
    }

    /// One more is over.
    pub(crate) fn over(&mut self, name: &str) {
        self.over += 1;
        if self.shown {
            let full = WIDTH * self.over / self.total.max(1);
            let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH.saturating_sub(full)));
            let line = format!("\r[{bar}] {}/{} {name:<24}", self.over, self.total);
            drop(io::stderr().write_all(line.as_bytes()));
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if self.shown {
            drop(io::stderr().write_all(format!("\r{:80}\r", "").as_bytes()));
        }
    }
}
