//! `fault`: things going wrong on request, for the suites. Not in a release.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer};

use super::{Context, Lane, Operation, sync::network};
use crate::{
    error::Result,
    git::{RepositoryPath, remote::print_stray_lines},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    kind: Kind,
    #[serde(default)]
    ms: u64,
    path: Option<RepositoryPath>,
    #[expect(dead_code, reason = "nobody gets to see it")]
    #[serde(default, deserialize_with = "panics")]
    unreadable: (),
}

fn panics<'de, D: Deserializer<'de>>(_: D) -> std::result::Result<(), D::Error> {
    panic!("planted")
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Panic,
    Print,
    Stall,
    ChildCrash,
    ChildPrint,
    ChildStall,
}

impl Operation for Fault {
    const NAME: &'static str = "fault";

    type Reply = bool;

    fn lane(&self) -> Lane {
        let path = self.path.as_ref().map(RepositoryPath::resolved);
        match (self.kind, path) {
            (Kind::Panic | Kind::Print | Kind::Stall, Some(path)) => Lane::Write(path),
            (Kind::Panic | Kind::Print | Kind::Stall, None) => Lane::Read("/".into()),
            (_, path) => Lane::Network(path),
        }
    }

    fn run(self, context: &Context) -> Result<bool> {
        match self.kind {
            Kind::Panic => panic!("planted"),
            Kind::Print => print_stray_lines(),
            Kind::Stall => {
                let until = Instant::now() + Duration::from_millis(self.ms);
                while let Some(left) = until.checked_duration_since(Instant::now()) {
                    thread::park_timeout(left);
                }
            }
            Kind::ChildCrash => network(context).fault("child_crash".to_owned(), 0)?,
            Kind::ChildPrint => network(context).fault("child_print".to_owned(), 0)?,
            Kind::ChildStall => network(context).fault("child_stall".to_owned(), self.ms)?,
        }
        Ok(true)
    }
}
