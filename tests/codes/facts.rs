//! The second source: `errno.txt`.

use hangup::{Os, RawCode};

/// The spaces of `errno.txt` that a system's numbers belong to.
pub(crate) const SYSTEMS: &[(&str, Os)] = &[
    ("linux", Os::Linux),
    ("linux-mips", Os::LinuxMips),
    ("linux-sparc", Os::LinuxSparc),
    ("apple", Os::Apple),
    ("freebsd", Os::FreeBsd),
    ("dragonfly", Os::DragonFly),
    ("netbsd", Os::NetBsd),
    ("openbsd", Os::OpenBsd),
    ("illumos", Os::Illumos),
    ("windows", Os::Windows),
];

/// One line: a space, a name and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) space: &'static str,
    pub(crate) name: &'static str,
    pub(crate) number: u32,
}

impl Fact {
    /// The number as the table sees it; `None` for a space that is not one of codes.
    pub(crate) fn code(self) -> Option<RawCode> {
        if self.space == "ntstatus" {
            return Some(RawCode::nt_status(self.number));
        }
        let (_, os) = SYSTEMS.iter().find(|(space, _)| *space == self.space)?;
        Some(RawCode::native(*os, i32::try_from(self.number).ok()?))
    }
}

/// Every line.
pub(crate) fn all() -> Vec<Fact> {
    let lines = include_str!("errno.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(|line| parse(line).expect(line)).collect()
}

/// The lines of one space.
pub(crate) fn of(space: &str) -> Vec<Fact> {
    all().into_iter().filter(|fact| fact.space == space).collect()
}

fn parse(line: &'static str) -> Option<Fact> {
    let mut words = line.split(' ');
    let (space, name, number) = (words.next()?, words.next()?, words.next()?);
    let number = match number.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    words.next().is_none().then_some(Fact { space, name, number })
}
