//! The connections and their peers, one batch after the other. The peers are plain blocking sockets in the same thread:
//! what a peer has done has been done when the program makes its next call.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::scene::Scene;

/// A program that is put under the failures.
pub(crate) trait Program {
    /// Takes a connection in, and begins to receive.
    fn take_in(&mut self, stream: TcpStream, scene: Scene) -> io::Result<()>;

    /// Shuts down the sending half of a connection's socket, of which the program knows nothing. Connections are
    /// numbered in the order in which they were taken in.
    fn shut_beneath(&mut self, number: usize) -> io::Result<()>;

    fn send(&mut self, number: usize, message: &'static [u8]);

    fn abort(&mut self, number: usize);

    /// Submits, waits a little, and handles what has completed.
    fn turn(&mut self) -> io::Result<()>;

    /// How many connections are not over yet.
    fn left(&self) -> usize;

    /// There are none left just now.
    fn over(&mut self) {}
}

/// Connections that are open at the same time.
const BATCH: usize = 200;

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one turn may wait.
pub(crate) const TURN: Duration = Duration::from_millis(5);

/// Puts a program through all scenes. How long it took.
pub(crate) fn play(program: &mut impl Program, scenes: &[Scene]) -> io::Result<Duration> {
    let began = Instant::now();
    for (batch, scenes) in scenes.chunks(BATCH).enumerate() {
        play_batch(program, batch, scenes)?;
    }
    Ok(began.elapsed())
}

fn play_batch(program: &mut impl Program, batch: usize, scenes: &[Scene]) -> io::Result<()> {
    let listener = listener(batch)?;
    let mut peers = Vec::with_capacity(scenes.len());
    for &scene in scenes {
        let (ours, peer) = pair(&listener, scene)?;
        program.take_in(ours, scene)?;
        peers.push(Some(peer));
    }
    // From here on each connection's receive is with the OS.
    program.turn()?;
    for (at, (&scene, peer)) in scenes.iter().zip(&mut peers).enumerate() {
        let number = batch * BATCH + at;
        match scene {
            Scene::PeerFinishes | Scene::ResetBoth => {}
            Scene::ShutThenSend => program.shut_beneath(number)?,
            Scene::ResetThenSend => reset(peer.take())?,
            Scene::Abort => {
                program.abort(number);
                continue;
            }
        }
        program.send(number, scene.message());
    }
    program.turn()?;
    for (&scene, peer) in scenes.iter().zip(&mut peers) {
        match scene {
            Scene::PeerFinishes => finish(peer.take(), scene.message())?,
            Scene::ResetBoth => reset(peer.take())?,
            Scene::ShutThenSend | Scene::ResetThenSend | Scene::Abort => drop(peer.take()),
        }
    }
    let patience = Instant::now() + PATIENCE;
    while program.left() > 0 {
        if Instant::now() > patience {
            return Err(io::Error::other(format!("{} connections do not end", program.left())));
        }
        program.turn()?;
    }
    program.over();
    Ok(())
}

/// Each batch connects to an address of its own. What closes first keeps its ports for a minute, and one address does
/// not have enough of them.
fn listener(batch: usize) -> io::Result<TcpListener> {
    let first = u32::from(Ipv4Addr::LOCALHOST);
    let address = u32::try_from(batch).map_err(io::Error::other)? + first;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(address.into(), 0).into())?;
    socket.listen(16)?;
    Ok(socket.into())
}

/// A connection: our end, and the peer's.
fn pair(listener: &TcpListener, scene: Scene) -> io::Result<(TcpStream, TcpStream)> {
    const SMALL: usize = 4 * 1024;
    let peer = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if scene == Scene::ResetBoth {
        peer.set_recv_buffer_size(SMALL)?;
    }
    peer.connect(&listener.local_addr()?.into())?;
    let (ours, _) = listener.accept()?;
    if scene == Scene::ResetBoth {
        SockRef::from(&ours).set_send_buffer_size(SMALL)?;
    }
    Ok((ours, peer.into()))
}

/// The peer reads what we have sent, so that its close is a FIN, and closes.
fn finish(peer: Option<TcpStream>, message: &[u8]) -> io::Result<()> {
    let Some(mut peer) = peer else { return Ok(()) };
    peer.set_read_timeout(Some(PATIENCE))?;
    peer.read_exact(&mut vec![0; message.len()])
}

fn reset(peer: Option<TcpStream>) -> io::Result<()> {
    let Some(peer) = peer else { return Ok(()) };
    SockRef::from(&peer).set_linger(Some(Duration::ZERO))
}
