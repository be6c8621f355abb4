//! The tables of operating system codes: every number against a second source, every number answered.

mod facts;
mod meaning;
mod numbers;
mod total;
