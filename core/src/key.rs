//! Names of connections that cannot be mistaken: place, generation, table.

use core::num::NonZeroU16;

/// The name of one connection in one table.
///
/// 64 bits: where it is, which generation of that place it is, and which table it is in. Places are reused,
/// keys are not: the key of a connection that has been released is *stale*, and a key of another table is
/// *foreign*. Both are refused, counted, and change nothing.
///
/// A key is made by a table ([`Vacant::key`](crate::Vacant::key)) and goes through an event loop as a token
/// ([`Table::token`](crate::Table::token)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

/// How many bits of a token say what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyLayout {
    pub(crate) index_bits: u32,
    pub(crate) generation_bits: u32,
}

const TABLE_SHIFT: u32 = 50;

impl KeyLayout {
    /// 268 million places of 4 million generations, in 64 bits together with the table.
    pub(crate) const WIDE: Self = Self { index_bits: 28, generation_bits: 22 };
    /// A million places of 4,095 generations, in 32 bits; the table is left out.
    pub(crate) const COMPACT: Self = Self { index_bits: 20, generation_bits: 12 };

    pub(crate) const fn index_limit(self) -> u32 {
        1 << self.index_bits
    }

    /// The last generation. The first is 1, so that no token is 0.
    pub(crate) const fn last_generation(self) -> u32 {
        (1 << self.generation_bits) - 1
    }

    #[inline]
    pub(crate) fn key(self, index: u32, generation: u32, table: TableId) -> Key {
        let place = u64::from(generation) << self.index_bits | u64::from(index);
        Key(u64::from(table.0.get()) << TABLE_SHIFT | place)
    }

    #[inline]
    pub(crate) const fn index(self, key: Key) -> u32 {
        low(key.0, self.index_bits)
    }

    #[cfg(feature = "std")]
    pub(crate) const fn generation(self, key: Key) -> u32 {
        low(key.0 >> self.index_bits, self.generation_bits)
    }

    /// Whether the key's bits between generation and table are 0.
    pub(crate) const fn fits(self, key: Key) -> bool {
        let used = self.index_bits + self.generation_bits;
        (key.0 & ((1 << TABLE_SHIFT) - 1)) >> used == 0
    }

    /// Index and generation in one word, without the table.
    pub(crate) const fn place(self, key: Key) -> u64 {
        key.0 & ((1 << TABLE_SHIFT) - 1)
    }

    pub(crate) fn key_of_place(self, place: u64, table: TableId) -> Key {
        let used = self.index_bits + self.generation_bits;
        Key(u64::from(table.0.get()) << TABLE_SHIFT | place & ((1 << used) - 1))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "at most 28 bits are left")]
const fn low(word: u64, bits: u32) -> u32 {
    (word & ((1 << bits) - 1)) as u32
}

/// Which table a key belongs to ([`Table::id`](crate::Table::id)). Tables that were made 16,382 tables apart have the
/// same.
// 14 bits, and never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableId(NonZeroU16);

impl TableId {
    const BITS: u32 = 14;

    /// Every number becomes an id; numbers that are 16,383 apart become the same.
    pub(crate) fn from_number(number: u32) -> Self {
        // All ones would make a token that poll libraries keep for themselves.
        let count = (1 << Self::BITS) - 2;
        let id = u16::try_from(number % count).unwrap_or(0) + 1;
        Self(NonZeroU16::new(id).unwrap_or(NonZeroU16::MIN))
    }
}

impl Key {
    /// Whether it is a key of this table. Of a connection that is there, or was.
    #[must_use]
    pub fn is_of(self, table: TableId) -> bool {
        self.0 >> TABLE_SHIFT == u64::from(table.0.get())
    }

    /// The key as a number, for logs and for tokens of 64 bits.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Key({:#x})", self.0)
    }
}

impl core::fmt::Display for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        for layout in [KeyLayout::WIDE, KeyLayout::COMPACT] {
            for index in [0, 1, layout.index_limit() - 1] {
                for generation in [1, 2, layout.last_generation()] {
                    for number in [0, 1, 16_380, 16_381] {
                        let table = TableId::from_number(number);
                        let key = layout.key(index, generation, table);
                        assert_eq!(layout.index(key), index);
                        assert_eq!(u64::from(generation), layout.place(key) >> layout.index_bits);
                        assert!(key.is_of(table) && layout.fits(key));
                        assert_eq!(layout.key_of_place(layout.place(key), table), key);
                        assert_ne!(key.to_bits(), u64::MAX);
                    }
                }
            }
        }
    }

    #[test]
    fn ids_are_never_zero_and_never_all_ones() {
        for number in [0, 1, 16_381, 16_382, 16_383, u32::MAX] {
            let TableId(id) = TableId::from_number(number);
            assert!(id.get() < (1 << TableId::BITS) - 1, "{number} gave {id}");
        }
        assert_ne!(TableId::from_number(0), TableId::from_number(1));
    }

    #[test]
    fn a_wide_key_does_not_pass_for_a_compact_one() {
        let table = TableId::from_number(7);
        let wide = KeyLayout::WIDE.key(KeyLayout::WIDE.index_limit() - 1, 1 << 20, table);
        assert!(!KeyLayout::COMPACT.fits(wide));
    }
}
