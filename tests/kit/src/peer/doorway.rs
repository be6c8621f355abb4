//! A peer that is connected to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::{Line, Wiring};

/// Somebody to connect to.
#[derive(Debug)]
pub struct Doorway {
    listener: TcpListener,
    address: SocketAddr,
    wiring: Wiring,
}

impl Doorway {
    /// Listens on a free port of the loopback address. The buffers are set on the listener, from which its
    /// connections have them.
    ///
    /// # Errors
    ///
    /// What the OS said.
    pub fn open(backlog: i32, wiring: &Wiring) -> io::Result<Self> {
        let socket = wiring.socket()?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(backlog)?;
        let listener = TcpListener::from(socket);
        Ok(Self { address: listener.local_addr()?, listener, wiring: *wiring })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. Waits for it.
    ///
    /// # Errors
    ///
    /// What the OS said.
    pub fn accept(&self) -> io::Result<Line> {
        let (stream, _) = self.listener.accept()?;
        Line::new(stream, &self.wiring)
    }

    /// The listener, for somebody else to accept with.
    #[must_use]
    pub fn into_listener(self) -> TcpListener {
        self.listener
    }
}
