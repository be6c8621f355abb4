//! A server that says why each of its connections ended. `serve --help` tells how to use it.
//!
//! ```text
//! cargo run --release --example serve -- --mode http --reports json
//! ```

use std::io::Write;
use std::process::ExitCode;

use hangup_examples::serve::{
    Command, Discard, Echo, HELP, Journal, Mode, Options, Server, Service, Summary, Web, parse,
};
use hangup_examples::signals;

/// As a shell says "ended by an interrupt".
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = match parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve(options)) => *options,
        Ok(Command::Help) => return print(HELP),
        Ok(Command::Version) => return print(concat!("serve ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(error) => {
            eprintln!("serve: {error}; see serve --help");
            return ExitCode::from(2);
        }
    };
    let served = match options.mode {
        Mode::Echo => serve(&options, Echo::new()),
        Mode::Discard => serve(&options, Discard::new()),
        Mode::Http => serve(&options, Web::new(options.http, options.answer)),
    };
    match served {
        Ok(summary) => {
            eprintln!("{summary}");
            if summary.aborted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options, service: impl Service) -> Result<Summary, Box<dyn std::error::Error>> {
    let server = Server::bind(options.listen, options.config, service)?;
    let handle = server.handle();
    signals::on_interrupt(move |count| match count {
        1 => handle.drain(),
        2 => handle.abort(),
        // The loop does not answer.
        _ => std::process::exit(INTERRUPTED.into()),
    })?;
    eprintln!("serve: listening on {}", server.address());
    let mut journal = Journal::new(options.reports, std::io::stdout());
    let summary = server.run(|ending| journal.ended(ending))?;
    if let Err(error) = journal.finish() {
        eprintln!("serve: not all reports were printed: {error}");
    }
    Ok(summary)
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
