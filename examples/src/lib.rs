//! What the example programs share.
//!
//! | module | what is in it |
//! |---|---|
//! | [`serve`] | the server behind the program `serve` |
//! | [`chaos`] | a client that ends its connections in every way there is |
//! | [`signals`] | interrupts |
//! | [`net`] | an event loop, whatever adapter it is made of |
//! | [`child`] | the programs as children of a test |

pub mod chaos;
pub mod child;
pub mod net;
pub mod serve;
pub mod signals;
