//! Interrupts.
//!
//! `ctrlc` runs the handler on a thread of its own, on Windows as well as on Unix, so that the handler may do
//! what a signal handler may not: wake a poller. (`signal-hook` offers that on Unix only.)

/// Calls `handler` at each interrupt (Ctrl-C), termination request or hang-up of the terminal, with their
/// number: 1 for the first.
///
/// # Errors
///
/// If there is a handler already, or the system does not let us.
pub fn on_interrupt(mut handler: impl FnMut(u32) + Send + 'static) -> Result<(), ctrlc::Error> {
    let mut count = 0_u32;
    ctrlc::set_handler(move || {
        count = count.saturating_add(1);
        handler(count);
    })
}
