//! A server that does little, and does it properly: echo, discard, or HTTP with a fixed answer.
//!
//! | file | what is in it |
//! |---|---|
//! | `server` | what a server is told, and what it says |
//! | `worker` | the loop: accept, serve, shed, drain |
//! | `service` | what a server does with one connection |
//! | `output` | output that waits to be written, and when to stop reading because of it |
//! | `echo`, `discard`, `web` | three services |
//! | `http` | HTTP/1.x without a socket |
//! | `options`, `units` | the flags of the program |
//! | `journal` | reports as lines, and the summary |

mod discard;
mod echo;
pub mod http;
mod journal;
mod options;
mod output;
mod server;
mod service;
mod units;
mod web;
mod worker;

pub use self::discard::Discard;
pub use self::echo::{Echo, Echoing};
pub use self::journal::{Journal, Style, json};
pub use self::options::{Command, HELP, Mode, Options, OptionsError, parse};
pub use self::output::{Flow, Output};
pub use self::server::{Config, Ending, Handle, Server, Summary};
pub use self::service::Service;
pub use self::units::UnitError;
pub use self::web::{Visit, Web};
