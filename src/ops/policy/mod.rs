//! Policies: who may do what.

pub mod check;
pub mod denials;
pub mod get;
pub mod remove;
pub mod set;

use crate::{
    error::{Error, Result},
    git::Transaction,
    runs::keeper::Keeper,
};

/// The names of policies that nobody can change as things are.
fn locked(keeper: &Keeper) -> Vec<String> {
    keeper.policy.standing.locked()
}

/// Fails where a change left policies that nobody can change any more, unless that is meant.
fn expect_no_lockout(
    before: &[String],
    is_meant: bool,
    keeper: &mut Keeper,
    transaction: &mut Transaction,
) -> Result<()> {
    keeper.refresh_policies(transaction)?;
    let locked = locked(keeper);
    match locked.iter().find(|it| !is_meant && !before.contains(it)) {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "nobody could change the policy `{name}` any more: have a rule on `policy` allow \
                 somebody, or say `force`"
            );
            Err(Error::denied(message).with("rule", "nobody left"))
        }
    }
}
