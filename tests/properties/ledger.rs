//! Who has what: every resource and every buffer writes down where it is, and complains when it is dropped there.

use std::cell::RefCell;
use std::rc::Rc;

/// The book in which all things of one script are entered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Rc<RefCell<Book>>);

#[derive(Debug, Default)]
struct Book {
    places: Vec<Place>,
    complaints: Vec<String>,
    table_is_dropped: bool,
}

/// Where a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// With the script: it may be dropped.
    Ours,
    /// In the table, on behalf of a connection: only a release gives it back.
    Table,
    /// With the simulated OS, which may write to it at any time.
    Os,
    /// Gone.
    Dropped,
}

/// A resource or a buffer. Dropping it anywhere but with us is a complaint.
#[derive(Debug)]
pub(crate) struct Thing {
    number: usize,
    ledger: Ledger,
}

impl Ledger {
    /// A new thing, at `place`.
    pub(crate) fn thing(&self, place: Place) -> Thing {
        let mut book = self.0.borrow_mut();
        book.places.push(place);
        Thing { number: book.places.len() - 1, ledger: self.clone() }
    }

    pub(crate) fn place(&self, number: usize) -> Place {
        self.0.borrow().places[number]
    }

    pub(crate) fn set(&self, number: usize, place: Place) {
        self.0.borrow_mut().places[number] = place;
    }

    /// How many things are at `place`.
    pub(crate) fn count(&self, place: Place) -> usize {
        self.0.borrow().places.iter().filter(|&&other| other == place).count()
    }

    /// From here on the table may drop the resources that it holds, and nothing else.
    pub(crate) fn table_is_dropped(&self) {
        self.0.borrow_mut().table_is_dropped = true;
    }

    /// # Errors
    ///
    /// What things have complained about.
    pub(crate) fn check(&self) -> Result<(), String> {
        let book = self.0.borrow();
        if book.complaints.is_empty() { Ok(()) } else { Err(book.complaints.join("; ")) }
    }
}

impl Thing {
    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

/// A panic here could meet another one, so what is wrong is written down, and every step looks.
impl Drop for Thing {
    fn drop(&mut self) {
        let mut book = self.ledger.0.borrow_mut();
        let place = std::mem::replace(&mut book.places[self.number], Place::Dropped);
        let allowed = match place {
            Place::Ours => true,
            Place::Table => book.table_is_dropped,
            Place::Os | Place::Dropped => false,
        };
        if !allowed {
            book.complaints.push(format!("thing {} was dropped at {place:?}", self.number));
        }
    }
}
