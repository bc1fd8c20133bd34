//! How far a transaction was, for a request that fails.

use super::Transaction;
use crate::git::image::Mark;

/// How far a transaction was.
pub struct Savepoint {
    image: Mark,
    pub(super) moves: usize,
    pub(super) lines: usize,
    is_one: bool,
    is_durable: bool,
    follows: usize,
}

impl Transaction<'_> {
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            image: self.image.mark(),
            moves: self.moves.len(),
            lines: self.lines.len(),
            is_one: self.is_one,
            is_durable: self.is_durable,
            follows: self.follows.len(),
        }
    }

    /// Takes back what was done since.
    pub fn go_back(&mut self, to: &Savepoint) {
        self.image.go_back(to.image);
        self.fresh.retain(|id, _| self.image.has(*id));
        self.moves.truncate(to.moves);
        self.lines.truncate(to.lines);
        self.moved = self.moves.iter().map(|it| (it.name.clone(), it.to())).collect();
        (self.is_one, self.is_durable) = (to.is_one, to.is_durable);
        self.follows.drain(to.follows..).for_each(|(_, it)| it.give_up());
    }
}
