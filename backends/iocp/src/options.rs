//! How a driver goes about it.

/// How a driver goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`: an operation that succeeds at once sends no packet. Fewer turns
    /// through the port. With a socket provider that cannot do it (one whose sockets are no handles of the kernel)
    /// it is left out.
    pub skip_on_success: bool,
    /// Receives ask for nothing until there is something: a connection that is idle holds no buffer. A call more
    /// for each receive.
    pub zero_byte_receives: bool,
    /// The size of a buffer, in bytes.
    pub buffer_size: usize,
    /// How much output a connection takes before a write would block, in bytes.
    pub output_limit: usize,
}

impl Default for Options {
    /// Skips, receives into buffers of 16 KiB, and holds 64 KiB of output.
    fn default() -> Self {
        Self {
            skip_on_success: true,
            zero_byte_receives: false,
            buffer_size: 16 * 1024,
            output_limit: 64 * 1024,
        }
    }
}

impl Options {
    /// With room for a byte, at least.
    pub(crate) fn sensible(self) -> Self {
        Self { buffer_size: self.buffer_size.max(1), output_limit: self.output_limit.max(1), ..self }
    }
}
