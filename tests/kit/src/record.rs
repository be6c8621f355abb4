//! What a step tells the machine, written down: to tell something else the same.

use std::cell::{Cell, RefCell};

use hangup::{Input, Life};

use crate::{Rules, Step, Violation, World};

/// One input that a step gave to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// What was offered.
    pub input: Input,
    /// The life it met.
    pub before: Life,
    /// The life that came of it; `None` if it was refused.
    pub after: Option<Life>,
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(false) };
    static FED: RefCell<Vec<Fed>> = const { RefCell::new(Vec::new()) };
}

/// Notes an input, if somebody wants to know.
pub(crate) fn note(before: Life, input: Input, after: Option<Life>) {
    if RECORDING.get() {
        FED.with_borrow_mut(|fed| fed.push(Fed { input, before, after }));
    }
}

impl World {
    /// As [`World::apply`], listing in `fed` what the machine was told on the way.
    ///
    /// # Errors
    ///
    /// The promise that the step broke.
    pub fn apply_recorded(&self, rules: &Rules, step: Step, fed: &mut Vec<Fed>) -> Result<Self, Violation> {
        RECORDING.set(true);
        let next = self.apply(rules, step);
        RECORDING.set(false);
        fed.clear();
        FED.with_borrow_mut(|all| fed.append(all));
        next
    }
}
