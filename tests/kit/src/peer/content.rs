//! What streams are made of, so that every byte is known at both ends.

/// The content of a stream: bytes that depend on a seed and on their place, so that loss, repetition and
/// mixing-up of streams are all seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    seed: u64,
    at: u64,
}

impl Content {
    /// The content of a seed, from its first byte.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self { seed, at: 0 }
    }

    /// The next bytes.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            let word = (self.at / 8).wrapping_add(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mixed = (word ^ (word >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = mixed.rotate_left(17).to_le_bytes()[(self.at % 8) as usize];
            self.at += 1;
        }
    }

    /// The next bytes, as many.
    #[must_use]
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes);
        bytes
    }
}

/// A digest that grows with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds what came next.
    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The digest so far.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The digest of the first bytes of a seed's content.
#[must_use]
pub fn digest(seed: u64, count: u64) -> u64 {
    let (mut content, mut digest, mut left) = (Content::of(seed), Digest::default(), count);
    let mut buffer = [0; 4096];
    while left > 0 {
        let part = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let piece = &mut buffer[..part];
        content.fill(piece);
        digest.add(piece);
        left -= part as u64;
    }
    digest.get()
}
