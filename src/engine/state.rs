//! The state of a run, as tables of rows, and changes of it.
//!
//! A table is sorted by its key, so that whatever is gone through has one order. What is decided
//! is kept in layers over the tables ([`table::Layer`]); what the layers hold in the end are the
//! [`Rows`] that change.

mod rows;
pub mod table;

use serde::{Deserialize, Serialize};

use self::table::{Layer, Row, Table};

pub use self::rows::{
    Frame, Group, Head, Instance, Item, ItemStatus, Mail, Problem, Round, Status, Timer, Token,
};

/// Numbers of frames, tokens, items and firings; none is given twice.
pub type Id = u64;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $row:ty,)*) => {
        /// All there is to know about a run.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        pub struct State {
            pub head: Head,
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Table::is_empty")]
                pub $name: Table<$key, $row>,
            )*
        }

        /// The rows that are different afterwards.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        pub struct Rows {
            pub head: Head,
            $(
                #[serde(default, skip_serializing_if = "Table::is_empty")]
                pub $name: Table<$key, Row<$row>>,
            )*
        }

        /// A state that is being changed.
        #[derive(Debug)]
        pub struct Layers<'s> {
            pub head: Head,
            $(pub $name: Layer<'s, $key, $row>,)*
        }

        impl<'s> Layers<'s> {
            pub fn over(state: &'s State) -> Layers<'s> {
                Layers { head: state.head.clone(), $($name: Layer::over(&state.$name),)* }
            }

            pub fn into_rows(self) -> Rows {
                Rows { head: self.head, $($name: self.$name.into_rows(),)* }
            }
        }

        impl State {
            /// Makes the rows what they are afterwards.
            pub fn apply(&mut self, rows: &Rows) {
                self.head = rows.head.clone();
                $(self.$name.apply(&rows.$name);)*
            }
        }
    };
}

tables! {
    /// Processes and blocks that are under way.
    frames: Id => Frame,
    /// The data of processes, by frame and name.
    data: (Id, String) => serde_json::Value,
    /// Threads that rest, by frame and place.
    tokens: (Id, u32, Id) => Token,
    /// Steps that are offered, waited for or done.
    items: Id => Item,
    /// Items by frame and step.
    at_step: (Id, u32, Id) => (),
    /// Items by the token that they would take.
    on_token: (Id, Id) => (),
    /// Instances by the item they belong to.
    in_group: (Id, Id) => (),
    /// Results of instances.
    results: (Id, u64) => serde_json::Value,
    /// What happens when a time has come.
    timers: (i64, Id, Timer) => (),
    /// Items by the event and the key they wait for.
    waits: (String, String, Id) => (),
    /// Events that nobody waited for yet.
    mail: (String, Id) => Mail,
    /// Joins that fired and are not reset, by frame and step.
    rounds: (Id, u32) => Round,
    /// How many tokens and items carry a ticket.
    carriers: Id => u64,
    /// The join that a ticket is for, and whether it fired.
    tickets: Id => rows::Ticket,
    /// Locks by the process and the name, and who holds them.
    locks: (Id, String) => Id,
    /// How often a step was completed, by frame and step.
    done: (Id, u32) => u64,
    /// Firings that no thread went on from, by the frame or group that ends with them.
    heads: (Id, Id) => (),
    /// What would start if a lock were free or a condition held.
    blocked: Id => (),
}

pub use self::rows::Ticket;
