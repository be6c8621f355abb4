//! The endings, in the order of the table.

mod connect;
mod deadlines;
mod drains;
mod finish;
mod order;
mod ours;
mod reset;

use crate::ending::{Ending, Group};

pub(crate) const GROUPS: &[Group] = &[
    finish::GROUP,
    reset::GROUP,
    order::GROUP,
    ours::GROUP,
    drains::GROUP,
    deadlines::GROUP,
    connect::GROUP,
];

/// All endings.
pub(crate) fn all() -> impl Iterator<Item = &'static Ending> {
    GROUPS.iter().flat_map(|group| group.endings)
}
