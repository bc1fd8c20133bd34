//! What a record of the journal says.

use std::collections::BTreeMap;

use git2::Oid;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::{
    error::{Error, Result},
    git::image::Image,
};

/// One durable step: objects, and the refs that moved to them.
#[derive(Serialize, Deserialize)]
pub struct Record {
    /// The hash in the name of the pack that has the objects.
    pub pack: Option<String>,
    /// The objects, unless they were too many: then their pack was flushed first.
    pub image: Option<Image>,
    pub moves: Vec<Move>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Move {
    pub name: String,
    from: Option<ByteArray<20>>,
    to: Option<ByteArray<20>>,
    /// What an annotated tag stands for in the end.
    peeled: Option<ByteArray<20>>,
}

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("a record is made of numbers, bytes and text")
    }

    pub fn decode(bytes: &[u8]) -> Result<Record> {
        rmp_serde::from_slice(bytes).map_err(|error| Error::corrupt(format!("journal: {error}")))
    }
}

impl Move {
    pub fn new(name: &str, from: Option<Oid>, to: Option<Oid>, peeled: Option<Oid>) -> Move {
        let [from, to, peeled] = [from, to, peeled].map(|it| it.map(bytes));
        Move { name: name.to_owned(), from, to, peeled }
    }

    pub fn from(&self) -> Option<Oid> {
        self.from.map(id)
    }

    pub fn to(&self) -> Option<Oid> {
        self.to.map(id)
    }

    pub fn peeled(&self) -> Option<Oid> {
        self.peeled.map(id)
    }
}

/// Where each ref was and is to be in the end.
pub fn combined(moves: &[Move]) -> BTreeMap<String, Move> {
    let mut combined: BTreeMap<String, Move> = BTreeMap::new();
    for it in moves {
        match combined.get_mut(it.name.as_str()) {
            Some(earlier) => *earlier = Move { from: earlier.from, ..it.clone() },
            None => drop(combined.insert(it.name.clone(), it.clone())),
        }
    }
    combined
}

/// What each ref was before each of its moves.
pub type Passed<'a> = BTreeMap<&'a str, Vec<Option<Oid>>>;

pub fn passed(moves: &[Move]) -> Passed<'_> {
    let mut passed = Passed::new();
    for it in moves {
        passed.entry(&it.name).or_default().push(it.from());
    }
    passed
}

fn bytes(id: Oid) -> ByteArray<20> {
    ByteArray::new(id.as_bytes().try_into().expect("an id has this length"))
}

fn id(bytes: ByteArray<20>) -> Oid {
    Oid::from_bytes(&*bytes).expect("an id has this length")
}
