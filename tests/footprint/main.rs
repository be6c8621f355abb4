//! What a connection costs: 64 bytes of the table and 4 for the generation of its place, and no allocation for an
//! event.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test: a surprise is a failure")]

mod counting;
mod events;
mod size;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
