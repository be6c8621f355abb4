//! The example programs as children of a test.
//!
//! `cargo test` builds the examples before it runs the tests; `cargo test --test NAME` does not.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::Pid;
#[cfg(unix)]
pub use rustix::process::Signal;

/// Nothing that a test waits for takes that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// What is left of a program.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit code, if it was not ended by a signal.
    pub code: Option<i32>,
    /// What it printed and nobody has read.
    pub stdout: String,
    /// The same, of its errors.
    pub stderr: String,
}

impl Program {
    /// Starts an example.
    ///
    /// # Panics
    ///
    /// If it has not been built.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(example: &str, arguments: &[A]) -> Self {
        Self::spawn(Command::new(path(example)).args(arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let path = command.get_program().to_string_lossy();
                #[allow(clippy::panic, reason = "this is for tests")]
                {
                    panic!("{path} does not start ({error}); `cargo build --examples` builds it")
                }
            }
        };
        let stdout = lines(child.stdout.take());
        let stderr = lines(child.stderr.take());
        Self { child, stdout, stderr }
    }

    /// Starts an example that listens, and waits until it says where.
    ///
    /// # Panics
    ///
    /// If it has not been built, or does not say where it listens.
    #[must_use]
    pub fn listen(example: &str, arguments: &[&str]) -> (Self, SocketAddr) {
        Self::start(example, arguments).listening()
    }

    /// The same, started by another program that watches it: `tool`, with its arguments, gets the example's command line
    /// behind its own.
    ///
    /// # Panics
    ///
    /// As [`Program::listen`]; and if the other program is not there.
    #[must_use]
    pub fn listen_under(tool: &mut Command, example: &str, arguments: &[&str]) -> (Self, SocketAddr) {
        let path = path(example);
        assert!(path.exists(), "{} is not there; `cargo build --examples` builds it", path.display());
        Self::spawn(tool.arg(&path).args(arguments)).listening()
    }

    fn listening(self) -> (Self, SocketAddr) {
        let line = self.stderr.recv_timeout(PATIENCE).expect("the program says nothing");
        let (_, address) = line.split_once("listening on ").expect(&line);
        (self, address.parse().expect(address))
    }

    /// The next line that it prints.
    ///
    /// # Panics
    ///
    /// If there is none for too long.
    #[must_use]
    pub fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("the program prints nothing")
    }

    /// The next line of its errors.
    ///
    /// # Panics
    ///
    /// If there is none for too long.
    #[must_use]
    pub fn error_line(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).expect("the program prints no error")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If that cannot be done.
    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        let sent = rustix::process::kill_process(Pid::from_child(&self.child), signal);
        assert!(sent.is_ok(), "{signal:?} is not sent: {sent:?}");
    }

    /// Waits until it ends.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn wait(self) -> Finished {
        self.wait_for(PATIENCE)
    }

    /// Waits until it ends, for a program that has much to do.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn wait_for(mut self, patience: Duration) -> Finished {
        let patience = Instant::now() + patience;
        loop {
            let status = self.child.try_wait().expect("the program cannot be waited for");
            if let Some(status) = status {
                let [stdout, stderr] = [&self.stdout, &self.stderr].map(|lines| {
                    let lines: Vec<String> = lines.iter().collect();
                    lines.join("\n")
                });
                return Finished { code: status.code(), stdout, stderr };
            }
            assert!(Instant::now() < patience, "the program does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where cargo puts examples: beside the directory of the tests.
fn path(example: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    path
}

/// The lines of a pipe, read by a thread, so that the pipe never fills.
fn lines(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, lines) = channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    lines
}
