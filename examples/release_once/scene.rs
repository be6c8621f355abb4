//! What happens to a connection. In each, a receive is with the OS from the beginning, and both programs do the same:
//! they end the connection when an operation of it fails, or the peer has finished.

use fastrand::Rng;

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// We send, the peer reads it and finishes. Nothing fails.
    PeerFinishes,
    /// Our half has been shut down behind the program's back; it sends, and then the peer finishes.
    ShutThenSend,
    /// The peer has reset; we send before we have looked at what that did to the receive.
    ResetThenSend,
    /// A receive and a send are with the OS when the peer resets.
    ResetBoth,
    /// The program aborts while the OS has a receive.
    Abort,
}

impl Scene {
    pub(crate) const ALL: [Self; 5] =
        [Self::PeerFinishes, Self::ShutThenSend, Self::ResetThenSend, Self::ResetBoth, Self::Abort];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::PeerFinishes => "the peer finishes, and nothing fails",
            Self::ShutThenSend => "our half is shut down, then we send",
            Self::ResetThenSend => "the peer has reset, then we send",
            Self::ResetBoth => "the peer resets while we receive and send",
            Self::Abort => "we abort while we receive",
        }
    }

    /// How much we send.
    pub(crate) const fn message(self) -> &'static [u8] {
        match self {
            Self::PeerFinishes | Self::ShutThenSend | Self::ResetThenSend => b"hello",
            // More than goes into the buffers of both stacks.
            Self::ResetBoth => &[b'h'; 256 * 1024],
            Self::Abort => b"",
        }
    }
}

/// So many, all kinds about equally often, in an order that the seed decides.
pub(crate) fn schedule(seed: u64, count: usize) -> Vec<Scene> {
    let mut rng = Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.choice(Scene::ALL)).flatten().take(count).collect()
}
