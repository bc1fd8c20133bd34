//! What a push is asked for, ref by ref, and what became of it.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How soon a ref that somebody else moves may be free again.
const RETRY_AFTER_MS: u64 = 100;

/// What is wanted of one ref of a remote.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Update {
    /// In full.
    pub name: String,
    /// The object it shall name, which is in the repository here; none to delete the ref.
    pub new: Option<String>,
    /// Whether it may leave commits behind.
    pub force: bool,
    pub expect: Expect,
}

/// What a ref has to name before it is moved. No option of an option: on the way to the child nil
/// is nil, and "must not exist" would become "may be anything".
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Expect {
    Anything,
    /// None is that it must not exist.
    Exactly(Option<String>),
}

/// What became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pushed {
    #[serde(rename = "ref")]
    pub name: String,
    /// What the remote's ref named before, or names still.
    pub from: Option<String>,
    pub to: Option<String>,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The remote's own, where it is the remote that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Created,
    Updated,
    Forced,
    Deleted,
    UpToDate,
    Rejected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It names something else than was expected, or was moved by somebody else meanwhile.
    Expected,
    /// It has commits that the new one does not follow.
    NonFastForward,
    /// It is a tag that names something else.
    AlreadyExists,
    /// What should be deleted is not there.
    NotFound,
    /// Somebody else was moving it at that moment.
    Locked,
    /// The remote refused.
    Remote,
    /// Another ref was refused, and none was to move without it.
    Atomic,
}

/// What became of one ref that was to move from a known place.
pub enum Swap {
    Moved,
    /// It was somewhere else.
    Elsewhere,
}

impl Pushed {
    /// Why it was refused, in the words of the contract.
    pub fn error(&self, update: &Update) -> Error {
        let name = &self.name;
        let shown = |id: &Option<String>| id.clone().unwrap_or_else(|| "nothing".to_owned());
        let error = match self.reason {
            Some(Reason::Expected) => {
                let actual = shown(&self.from);
                let error = match &update.expect {
                    Expect::Exactly(expected) => {
                        let message = format!("{name} names {actual}, not {}", shown(expected));
                        Error::conflict(message).with("expected", expected.clone())
                    }
                    Expect::Anything => {
                        Error::conflict(format!("{name} was moved meanwhile, to {actual}"))
                    }
                };
                error.with("actual", self.from.clone())
            }
            Some(Reason::NotFound) => Error::not_found(format!("the remote has no {name}")),
            Some(Reason::Locked) => {
                let message = format!("somebody else is moving {name} at this moment");
                Error::locked(message).with("retry_after_ms", RETRY_AFTER_MS)
            }
            Some(Reason::Remote) => {
                let words = self.words.clone().unwrap_or_default();
                Error::denied(format!("the remote refuses {name}: {words}")).with("rule", "remote")
            }
            Some(Reason::AlreadyExists) => {
                let message = format!("the tag {name} names another object; `force` moves it");
                Error::conflict(message)
            }
            _ => {
                let message = format!("{name} has commits that the new one does not follow");
                Error::conflict(message)
            }
        };
        match self.reason {
            Some(reason) => error.with("reason", reason.as_str()),
            None => error,
        }
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        self.status = Status::Rejected;
        self.reason = Some(reason);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.status == Status::Rejected
    }
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Expected => "expected",
            Reason::NonFastForward => "non_fast_forward",
            Reason::AlreadyExists => "already_exists",
            Reason::NotFound => "not_found",
            Reason::Locked => "locked",
            Reason::Remote => "remote",
            Reason::Atomic => "atomic",
        }
    }
}
