//! How a small enum becomes a run of bits in the one word that a [`Life`](super::Life) is.

/// A component of a [`Life`](super::Life): a type of its own, so that it can be asked for by type.
pub(crate) trait Field: Copy {
    /// Position of the lowest bit.
    const SHIFT: u32;
    /// Number of bits.
    const WIDTH: u32;

    /// The value as a number below `1 << WIDTH`.
    fn to_bits(self) -> u64;

    /// The value that `bits` stands for. Bits that stand for nothing give the first value; use
    /// [`Field::is_valid`] on a word of unknown origin.
    fn from_bits(bits: u64) -> Self;

    /// Whether `bits` stands for a value.
    fn is_valid(bits: u64) -> bool;
}

/// The bits of `F` in `word`, moved to the right end.
pub(crate) const fn extract(word: u64, shift: u32, width: u32) -> u64 {
    (word >> shift) & ((1 << width) - 1)
}

/// `word` with the bits at `shift` replaced by `bits`.
pub(crate) const fn insert(word: u64, shift: u32, width: u32, bits: u64) -> u64 {
    (word & !(((1 << width) - 1) << shift)) | (bits << shift)
}

/// Declares an enum and where its bits are. One line a value, in the order of their numbers.
macro_rules! field {
    (
        $(#[$meta:meta])*
        $name:ident at $shift:literal, $width:literal bits {
            $(#[$fmeta:meta])* $first:ident = $fnumber:literal,
            $( $(#[$vmeta:meta])* $variant:ident = $number:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $(#[$fmeta])* $first = $fnumber,
            $( $(#[$vmeta])* $variant = $number, )+
        }

        impl $name {
            /// Every value, in the order of the enum.
            pub const ALL: &'static [Self] = &[Self::$first, $( Self::$variant, )+];

            /// By number: a load, where a match would compare with one number after the other.
            const BY_NUMBER: [Self; 1 << $width] = {
                let mut values = [Self::$first; 1 << $width];
                $(
                    #[allow(clippy::indexing_slicing, reason = "ran when it was compiled")]
                    {
                        values[$number] = Self::$variant;
                    }
                )+
                values
            };
        }

        impl $crate::life::field::Field for $name {
            const SHIFT: u32 = $shift;
            const WIDTH: u32 = $width;

            #[inline]
            fn to_bits(self) -> u64 {
                u64::from(self as u8)
            }

            #[inline]
            fn from_bits(bits: u64) -> Self {
                #[allow(clippy::cast_possible_truncation, reason = "a few bits")]
                Self::BY_NUMBER.get(bits as usize).copied().unwrap_or(Self::$first)
            }

            fn is_valid(bits: u64) -> bool {
                [$fnumber, $( $number, )+].contains(&bits)
            }
        }
    };
}

pub(crate) use field;

/// An optional component: the word holds 0 for `None`, so the numbers of `F` must begin at 1.
impl<F: Field> Field for Option<F> {
    const SHIFT: u32 = F::SHIFT;
    const WIDTH: u32 = F::WIDTH;

    #[inline]
    fn to_bits(self) -> u64 {
        self.map_or(0, F::to_bits)
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        (bits != 0).then(|| F::from_bits(bits))
    }

    fn is_valid(bits: u64) -> bool {
        bits == 0 || F::is_valid(bits)
    }
}
