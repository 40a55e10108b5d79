//! A piece of an answer's body. It owns its share of the memory for answers until its last byte has been
//! written, wherever it waits until then.

use super::budget::Hold;
use bytes::{Buf, Bytes};
use std::rc::Rc;

/// Bytes of an answer on their way to the client.
#[derive(Debug, Default)]
pub struct Piece {
    bytes: Bytes,
    room: Room,
}

/// A piece's share of the memory for answers.
#[derive(Debug, Default)]
enum Room {
    /// What is small, or passes by, takes none.
    #[default]
    None,
    /// Its own, as most have it: few are sent in parts.
    Own(Hold),
    /// Also that of what was taken off it.
    Shared(Rc<Hold>),
}

impl Room {
    /// Another owner of the same.
    fn share(&mut self) -> Self {
        let shared = match std::mem::take(self) {
            Self::None => return Self::None,
            Self::Own(hold) => Rc::new(hold),
            Self::Shared(hold) => hold,
        };
        *self = Self::Shared(Rc::clone(&shared));
        Self::Shared(shared)
    }
}

impl Piece {
    /// Bytes that take none of the memory for answers.
    pub(super) fn free(bytes: Bytes) -> Self {
        Self {
            bytes,
            room: Room::None,
        }
    }

    /// Bytes that take this room.
    pub(super) fn within(bytes: Bytes, room: Hold) -> Self {
        Self {
            bytes,
            room: Room::Own(room),
        }
    }

    /// Takes the first `length` bytes off, or all where there are not so many. Both parts keep the room,
    /// since both keep the memory.
    #[must_use]
    pub fn split_to(&mut self, length: usize) -> Self {
        Self {
            bytes: self.bytes.split_to(length.min(self.bytes.len())),
            room: self.room.share(),
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    #[test]
    fn the_room_is_kept_until_the_last_part_is_gone() {
        let budget = Budget::new(10, &std::sync::Arc::default());
        let mut hold = budget.hold();
        hold.cover(8).expect("room");
        let mut piece = Piece::within(Bytes::from_static(b"01234567"), hold);
        let part = piece.split_to(6);
        assert_eq!((part.chunk(), piece.chunk()), (&b"012345"[..], &b"67"[..]));
        assert_eq!(piece.split_to(9).chunk(), b"67");
        drop(piece);
        assert!(budget.hold().cover(3).is_err());
        drop(part);
        assert!(budget.hold().cover(10).is_ok());
    }
}
