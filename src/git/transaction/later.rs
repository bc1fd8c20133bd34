//! Moves of refs that only the program moves, and that Git may see a moment later.

use std::{collections::BTreeMap, sync::Arc};

use git2::Oid;

use super::Transaction;
use crate::{
    error::Result,
    git::{ledger::Move, pack::Kind},
};

impl Transaction<'_> {
    /// What is the same for as long as nobody else wrote here.
    pub fn epoch(&self) -> u64 {
        self.ledger.epoch()
    }

    /// Has Git see what it was to see a moment later: whoever looks for that finds it.
    pub fn show(&mut self) -> Result<()> {
        self.ledger.show(&mut self.site)
    }

    /// Adds an object of those that many others come with.
    pub fn add_plain(&mut self, id: Oid, kind: Kind, content: Vec<u8>) {
        self.image.add_plain(id, kind, &content);
        self.fresh.insert(id, (kind, Arc::new(content)));
    }

    /// Moves a ref that only the program moves, and that Git may see there a moment later. The
    /// caller knows where it is, and that what it leads to is there.
    pub fn move_later(&mut self, name: &str, from: Option<Oid>, to: Option<Oid>) {
        self.moves.push(Move::new(name, from, to, None));
        self.moved.insert(name.to_owned(), to);
    }

    /// The refs in a folder that this transaction moves, by their names in it.
    pub fn moves_below<'s>(
        &'s self,
        folder: &'s str,
    ) -> impl Iterator<Item = (&'s str, Option<Oid>)> {
        let from = self.moved.range(folder.to_owned()..);
        from.map_while(move |(name, to)| Some((name.strip_prefix(folder)?, *to)))
    }

    /// The refs in a folder, by their names in it, as they are on disk at this moment; nothing
    /// where one leads nowhere. Those that Git is to see a moment later are not looked for.
    pub fn refs_now(&mut self, folder: &str) -> Result<BTreeMap<String, Option<Oid>>> {
        self.ledger.refs_now(folder)
    }

    /// Where a ref is on disk that stands for no other one.
    pub(in crate::git) fn on_disk(&self, name: &str) -> Option<Oid> {
        self.ledger.find_ref(name)
    }

    /// Holds all that moves where Git is to see it at once.
    pub(super) fn hold_all(&mut self) -> Result<()> {
        let names: Vec<String> = self.moved.keys().cloned().collect();
        let is_later = self.is_later;
        names.iter().filter(|_| !is_later).try_for_each(|it| self.held_at(it).map(drop))
    }
}
