//! What does not compile: one item for each promise that the types keep. First a program with the line that
//! is refused, and the code of the error; then the same program without that line.
//!
//! Stable compilers take any error for the one that is named; a nightly one compares the code.

/// A key cannot be made up: only a table makes keys.
///
/// ```compile_fail,E0423
/// let key = hangup::Key(7); // does not compile
/// ```
/// ```compile_fail,E0451
/// fn forge(key: hangup::Key) -> hangup::OperationKey {
///     hangup::OperationKey { key, operation: hangup::Operation::Send, sequence: 1 } // does not compile
/// }
/// ```
/// ```
/// use hangup::{Mechanism, Policy, Table};
/// let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
/// let key = table.vacant()?.key();
/// # Ok::<(), hangup::TableFull>(())
/// ```
struct KeysAreNotForged;

/// A life cannot be made up, and none that is in a table can be reached with a `&mut`: two of them could be
/// swapped.
///
/// ```compile_fail,E0423
/// let life = hangup::Life(0); // does not compile
/// ```
/// ```compile_fail,E0308
/// use hangup::{Mechanism, Moment, Policy, Table};
/// let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
/// let first = table.vacant()?.accept((), Moment::EPOCH);
/// let second = table.vacant()?.accept((), Moment::EPOCH);
/// core::mem::swap(table.life(first)?, table.life(second)?); // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// use hangup::{Mechanism, Moment, Policy, Table};
/// let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
/// let first = table.vacant()?.accept((), Moment::EPOCH);
/// let second = table.vacant()?.accept((), Moment::EPOCH);
/// assert_eq!(table.life(first)?, table.life(second)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct LivesAreNotSwapped;

/// A place is taken once.
///
/// ```compile_fail,E0382
/// use hangup::{Mechanism, Moment, Policy, Table};
/// let mut table: Table<&str> = Table::new(Mechanism::Level, Policy::default());
/// let vacant = table.vacant()?;
/// vacant.accept("one", Moment::EPOCH);
/// vacant.accept("another", Moment::EPOCH); // does not compile
/// # Ok::<(), hangup::TableFull>(())
/// ```
/// ```
/// use hangup::{Mechanism, Moment, Policy, Table};
/// let mut table: Table<&str> = Table::new(Mechanism::Level, Policy::default());
/// let vacant = table.vacant()?;
/// vacant.accept("one", Moment::EPOCH);
/// # Ok::<(), hangup::TableFull>(())
/// ```
struct PlacesAreTakenOnce;

/// While a key is promised, nobody else takes its place.
///
/// ```compile_fail,E0499
/// use hangup::{Mechanism, Moment, Policy, Table};
/// let mut table: Table<&str> = Table::new(Mechanism::Level, Policy::default());
/// let vacant = table.vacant()?;
/// table.vacant()?.accept("another", Moment::EPOCH); // does not compile
/// vacant.accept("one", Moment::EPOCH);
/// # Ok::<(), hangup::TableFull>(())
/// ```
/// ```
/// use hangup::{Mechanism, Moment, Policy, Table};
/// let mut table: Table<&str> = Table::new(Mechanism::Level, Policy::default());
/// let vacant = table.vacant()?;
/// vacant.accept("one", Moment::EPOCH);
/// # Ok::<(), hangup::TableFull>(())
/// ```
struct PromisedKeysAreKept;

/// What a release gives out is given out once.
///
/// ```compile_fail,E0382
/// # use hangup::{Command, Input, Mechanism, Moment, Plan, Policy, Table};
/// # let mut table: Table<String> = Table::new(Mechanism::Level, Policy::default());
/// # let key = table.vacant()?.accept(String::from("socket"), Moment::EPOCH);
/// # table.input(key, Input::Command(Command::Close(Plan::Abort)), Moment::EPOCH)?;
/// let released = table.release(key, Moment::EPOCH)?;
/// drop(released.resources);
/// drop(released.resources); // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// # use hangup::{Command, Input, Mechanism, Moment, Plan, Policy, Table};
/// # let mut table: Table<String> = Table::new(Mechanism::Level, Policy::default());
/// # let key = table.vacant()?.accept(String::from("socket"), Moment::EPOCH);
/// # table.input(key, Input::Command(Command::Close(Plan::Abort)), Moment::EPOCH)?;
/// let released = table.release(key, Moment::EPOCH)?;
/// drop(released.resources);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct ResourcesAreReleasedOnce;

/// What a connection owns is not used after its release.
///
/// ```compile_fail,E0502
/// # use hangup::{Command, Input, Mechanism, Moment, Plan, Policy, Table};
/// # let mut table: Table<String> = Table::new(Mechanism::Level, Policy::default());
/// # let key = table.vacant()?.accept(String::from("socket"), Moment::EPOCH);
/// # table.input(key, Input::Command(Command::Close(Plan::Abort)), Moment::EPOCH)?;
/// let socket = table.get(key)?;
/// let released = table.release(key, Moment::EPOCH)?;
/// assert_eq!(socket, "socket"); // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// # use hangup::{Command, Input, Mechanism, Moment, Plan, Policy, Table};
/// # let mut table: Table<String> = Table::new(Mechanism::Level, Policy::default());
/// # let key = table.vacant()?.accept(String::from("socket"), Moment::EPOCH);
/// # table.input(key, Input::Command(Command::Close(Plan::Abort)), Moment::EPOCH)?;
/// let socket = table.get(key)?;
/// assert_eq!(socket, "socket");
/// let released = table.release(key, Moment::EPOCH)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct NothingIsUsedAfterItsRelease;

/// An operation is answered once.
///
/// ```compile_fail,E0382
/// # use hangup::{Answer, Mechanism, Moment, More, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), [u8; 4]> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// # let now = Moment::EPOCH;
/// let operation = table.lend(key, Operation::Receive, Owed::One, None, now)?;
/// let settled = table.complete(operation, Answer::Received(1), More::Last, now)?;
/// let settled = table.complete(operation, Answer::Received(1), More::Last, now)?; // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// # use hangup::{Answer, Mechanism, Moment, More, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), [u8; 4]> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// # let now = Moment::EPOCH;
/// let operation = table.lend(key, Operation::Receive, Owed::One, None, now)?;
/// let settled = table.complete(operation, Answer::Received(1), More::Last, now)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct OperationsAreAnsweredOnce;

/// The right to answer cannot be copied.
///
/// ```compile_fail,E0599
/// # use hangup::{Mechanism, Moment, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), [u8; 4]> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// let operation = table.lend(key, Operation::Receive, Owed::One, None, Moment::EPOCH)?;
/// let again = operation.clone(); // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// # use hangup::{Mechanism, Moment, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), [u8; 4]> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// let operation = table.lend(key, Operation::Receive, Owed::One, None, Moment::EPOCH)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct RightsAreNotCopied;

/// A buffer that the OS has is not touched by whoever lent it. (The table gives its address to the adapter that
/// holds the right to answer, for the call: see [`Table::lent_mut`](crate::Table::lent_mut).)
///
/// ```compile_fail,E0382
/// # use hangup::{Mechanism, Moment, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), Vec<u8>> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// let mut buffer = vec![0; 4096];
/// buffer[0] = 1;
/// let operation = table.lend(key, Operation::Receive, Owed::One, Some(buffer), Moment::EPOCH)?;
/// buffer[0] = 2; // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// # use hangup::{Mechanism, Moment, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), Vec<u8>> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// let mut buffer = vec![0; 4096];
/// buffer[0] = 1;
/// let operation = table.lend(key, Operation::Receive, Owed::One, Some(buffer), Moment::EPOCH)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct LentBuffersAreNotTouched;

/// The address of a lent buffer does not outlive the answer.
///
/// ```compile_fail,E0499
/// # use hangup::{Answer, Mechanism, Moment, More, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), Vec<u8>> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// # let now = Moment::EPOCH;
/// let operation = table.lend(key, Operation::Receive, Owed::One, Some(vec![0; 4096]), now)?;
/// let buffer = table.lent_mut(&operation).ok_or("nothing was lent")?;
/// let settled = table.complete(operation, Answer::Received(1), More::Last, now)?;
/// buffer[0] = 2; // does not compile
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// # use hangup::{Answer, Mechanism, Moment, More, Operation, Owed, Policy, Table};
/// # let mut table: Table<(), Vec<u8>> = Table::new(Mechanism::Ring, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// # let now = Moment::EPOCH;
/// let operation = table.lend(key, Operation::Receive, Owed::One, Some(vec![0; 4096]), now)?;
/// let buffer = table.lent_mut(&operation).ok_or("nothing was lent")?;
/// let settled = table.complete(operation, Answer::Received(1), More::Last, now)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct LentBuffersDoNotEscape;

/// What is wanted is not ignored.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # use hangup::{Answer, Input, Mechanism, Moment, Outcome, Policy, Table};
/// # let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// let registered = Input::Outcome(Outcome::Immediate(Answer::Registered));
/// table.input(key, registered, Moment::EPOCH)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// ```
/// #![deny(unused_must_use)]
/// # use hangup::{Answer, Input, Mechanism, Moment, Outcome, Policy, Table};
/// # let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
/// # let key = table.vacant()?.accept((), Moment::EPOCH);
/// let registered = Input::Outcome(Outcome::Immediate(Answer::Registered));
/// let wants = table.input(key, registered, Moment::EPOCH)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
struct WantsAreNotIgnored;

/// No want is overlooked: a pattern without `..` names every one.
///
/// ```compile_fail,E0027
/// let hangup::Wants {
///     connect, confirm, register, receive, send, receive_now, send_now, discard, watch, inquire, shutdown,
///     sever, cancel, deregister,
/// } = hangup::Wants::default();
/// ```
/// ```
/// let hangup::Wants {
///     connect, confirm, register, receive, send, receive_now, send_now, discard, watch, inquire, shutdown,
///     sever, cancel, deregister, release,
/// } = hangup::Wants::default();
/// ```
struct WantsAreNotOverlooked;

/// Nor is a cancel.
///
/// ```compile_fail,E0027
/// let hangup::Cancels { connect, receive, send } = hangup::Cancels::default();
/// ```
/// ```
/// let hangup::Cancels { connect, receive, send, watch } = hangup::Cancels::default();
/// ```
struct CancelsAreNotOverlooked;

/// Causes and faults may be added: a match on them has an arm for the others.
///
/// ```compile_fail,E0004
/// fn name(cause: hangup::Cause) -> &'static str {
///     use hangup::Cause;
///     match cause {
///         Cause::PeerFinished | Cause::PeerReset | Cause::ResetAfterFin | Cause::Truncated => "peer",
///         Cause::Refused | Cause::Unreachable | Cause::TimedOut(_) | Cause::Protocol => "there",
///         Cause::LocalStackAborted | Cause::LocalClose | Cause::LocalAbort | Cause::LocalError => "here",
///         Cause::Shed | Cause::Unknown => "other",
///     }
/// }
/// ```
/// ```
/// fn name(cause: hangup::Cause) -> &'static str {
///     use hangup::Cause;
///     match cause {
///         Cause::PeerFinished | Cause::PeerReset | Cause::ResetAfterFin | Cause::Truncated => "peer",
///         Cause::Refused | Cause::Unreachable | Cause::TimedOut(_) | Cause::Protocol => "there",
///         Cause::LocalStackAborted | Cause::LocalClose | Cause::LocalAbort | Cause::LocalError => "here",
///         Cause::Shed | Cause::Unknown => "other",
///         _ => "added later",
///     }
/// }
/// ```
/// ```compile_fail,E0004
/// fn is_reset(fault: hangup::Fault) -> bool {
///     match fault {
///         hangup::Fault::Reset => true,
///     }
/// }
/// ```
/// ```
/// fn is_reset(fault: hangup::Fault) -> bool {
///     match fault {
///         hangup::Fault::Reset => true,
///         _ => false,
///     }
/// }
/// ```
struct CausesAndFaultsMayBeAdded;

/// Nobody but a table reports, and a report may get more fields.
///
/// ```compile_fail,E0639
/// fn forge(report: hangup::Report) -> hangup::Report {
///     hangup::Report { cause: hangup::Cause::PeerFinished, ..report }
/// }
/// ```
/// ```compile_fail,E0638
/// fn cause(report: hangup::Report) -> hangup::Cause {
///     let hangup::Report {
///         cause, certainty, raw, plan, drain_end, receive_half, send_half, duration, received, discarded,
///         sent, unsent, retry, log,
///     } = report;
///     cause
/// }
/// ```
/// ```
/// fn cause(report: hangup::Report) -> hangup::Cause {
///     let hangup::Report { cause, .. } = report;
///     cause
/// }
/// ```
struct ReportsAreNotForged;
