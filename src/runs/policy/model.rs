//! What a policy says. Format: `../../../protocol/README.md`, *Policies*.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::pattern::{Actor, Actors, Glob};
use crate::{
    error::{Error, Result},
    git::{AllowedSigners, is_part},
    process::load,
};

/// The file of a policy in its commits.
pub const FILE: &str = "policy.yaml";
/// More than any person writes.
pub const BYTES_MAX: usize = 256 * 1024;
/// The version of the format.
const VERSION: u64 = 1;
/// So many rules of all kinds are in one policy at most.
const RULES_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 100;

/// What somebody does that rules can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Start,
    Claim,
    Complete,
    Fail,
    Signal,
    Cancel,
    Suspend,
    Resume,
    Retry,
    Fork,
    Migrate,
    Prune,
    Publish,
    Policy,
}

/// What is done in a repository by a step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    Commit,
    Tag,
    Merge,
    Note,
    Branch,
}

impl Deed {
    const ALL: [Deed; 5] = [Deed::Commit, Deed::Tag, Deed::Merge, Deed::Note, Deed::Branch];

    pub fn word(self) -> &'static str {
        match self {
            Deed::Commit => "commit",
            Deed::Tag => "tag",
            Deed::Merge => "merge",
            Deed::Note => "note",
            Deed::Branch => "branch",
        }
    }

    pub fn of(word: &str) -> Option<Deed> {
        Deed::ALL.into_iter().find(|it| it.word() == word)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    policy: u64,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    /// Which actors have a role.
    pub roles: Option<BTreeMap<String, Vec<Actor>>>,
    #[serde(default)]
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub four_eyes: Vec<FourEyes>,
    #[serde(default)]
    pub protected: Vec<Protected>,
    #[serde(default)]
    pub signed: Vec<Signed>,
    /// Who may sign, as ssh-keygen(1) has it in ALLOWED SIGNERS.
    signers: Option<String>,
    #[serde(default)]
    pub exec: Vec<Exec>,
    #[serde(default)]
    pub git: Vec<Git>,
    #[serde(default, rename = "override")]
    pub overrides: Vec<Override>,
    /// What `signers` says.
    #[serde(skip)]
    pub allowed_signers: Option<AllowedSigners>,
}

/// What a rule is about: nothing said is anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    pub on: Vec<Action>,
    pub process: Option<Glob>,
    pub step: Option<Glob>,
    /// The policy that somebody changes.
    pub policy: Option<Glob>,
    pub allow: Option<Actors>,
    pub deny: Option<Actors>,
}

/// Steps that one actor may not complete two of in a run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourEyes {
    pub name: String,
    pub process: Option<Glob>,
    pub steps: Vec<Glob>,
    /// Whether the instances of a step are different ones, too.
    #[serde(default)]
    pub instances: bool,
}

/// Refs that only some may move, and only so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protected {
    pub name: String,
    pub refs: Vec<Glob>,
    pub allow: Option<Actors>,
    /// Whether what comes has to be signed by an allowed signer.
    #[serde(default)]
    pub signed: bool,
    /// Whether they may move to what does not have all that they had.
    #[serde(default)]
    pub force: bool,
    #[serde(default)]
    pub delete: bool,
}

/// What has to be signed by an allowed signer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub name: String,
    pub of: SignedKind,
    pub process: Option<Glob>,
    pub policy: Option<Glob>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignedKind {
    Publish,
    Policy,
}

/// Programs that steps may run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    pub name: String,
    pub process: Option<Glob>,
    pub step: Option<Glob>,
    pub programs: Vec<Glob>,
}

/// What steps may do to which refs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Git {
    pub name: String,
    pub process: Option<Glob>,
    pub step: Option<Glob>,
    pub actions: Vec<Deed>,
    pub refs: Vec<Glob>,
}

/// Who may do what rules or four eyes forbid, for a reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub name: String,
    pub on: Vec<Action>,
    pub process: Option<Glob>,
    pub step: Option<Glob>,
    /// Which rules, by `<policy>/<name>`; nothing said is any.
    pub rules: Option<Vec<Glob>>,
    pub allow: Actors,
}

impl Action {
    /// As it is written in policies.
    pub fn word(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Claim => "claim",
            Action::Complete => "complete",
            Action::Fail => "fail",
            Action::Signal => "signal",
            Action::Cancel => "cancel",
            Action::Suspend => "suspend",
            Action::Resume => "resume",
            Action::Retry => "retry",
            Action::Fork => "fork",
            Action::Migrate => "migrate",
            Action::Prune => "prune",
            Action::Publish => "publish",
            Action::Policy => "policy",
        }
    }

    /// Whether it is done to a step.
    fn is_of_a_step(self) -> bool {
        matches!(self, Action::Claim | Action::Complete | Action::Fail | Action::Retry)
    }
}

impl Policy {
    /// What a text says, or everything that is wrong with it.
    pub fn read(text: &[u8]) -> Result<Policy> {
        if BYTES_MAX < text.len() {
            let message = format!("a policy has at most {BYTES_MAX} bytes: make several of it");
            return Err(Error::too_large(message).with("limit", BYTES_MAX as u64));
        }
        let mut policy: Policy = load::document(FILE, text)?;
        if policy.policy != VERSION {
            let message = format!("`policy` is the version of the format, and there is {VERSION}");
            return Err(Error::invalid(message));
        }
        let signers = policy.signers.as_deref();
        policy.allowed_signers = signers.map(AllowedSigners::parse).transpose()?;
        policy.expect_sense()?;
        Ok(policy)
    }

    fn expect_sense(&self) -> Result<()> {
        let names = self.names();
        let mut once = BTreeSet::new();
        for name in &names {
            if !is_part(name, NAME_BYTES_MAX) {
                return Err(wrong(name, "a name has 1 to 100 of A-Z, a-z, 0-9, `_`, `-` and `.`"));
            }
            if !once.insert(*name) {
                return Err(wrong(name, "two rules have this name: give each its own"));
            }
        }
        if RULES_MAX < names.len() {
            let message = format!("a policy has at most {RULES_MAX} rules: make several of it");
            return Err(Error::too_large(message).with("limit", RULES_MAX as u64));
        }
        self.rules.iter().try_for_each(Rule::expect_sense)?;
        for it in &self.overrides {
            let is_of_steps = it.step.is_none() || it.on.iter().all(|it| it.is_of_a_step());
            if !is_of_steps {
                return Err(wrong(&it.name, OF_STEPS));
            }
            if it.on.contains(&Action::Policy) || it.on.contains(&Action::Publish) {
                return Err(wrong(&it.name, "`policy` and `publish` cannot be overridden"));
            }
        }
        self.expect_signers()
    }

    fn expect_signers(&self) -> Result<()> {
        let who = self.protected.iter().filter(|it| it.signed).map(|it| &it.name);
        let needs = who.chain(self.signed.iter().map(|it| &it.name)).next();
        if let Some(name) = needs.filter(|_| self.signers.is_none()) {
            return Err(wrong(name, "what has to be signed needs `signers` beside it"));
        }
        let is_odd = |it: &&Signed| match it.of {
            SignedKind::Publish => it.policy.is_some(),
            SignedKind::Policy => it.process.is_some(),
        };
        match self.signed.iter().find(is_odd) {
            Some(it) => Err(wrong(&it.name, "`publish` is of a `process`, `policy` of a `policy`")),
            None => Ok(()),
        }
    }

    /// Those of all that have one.
    fn names(&self) -> Vec<&str> {
        let rules = self.rules.iter().map(|it| &it.name);
        let all = rules.chain(self.four_eyes.iter().map(|it| &it.name));
        let all = all.chain(self.protected.iter().map(|it| &it.name));
        let all = all.chain(self.signed.iter().map(|it| &it.name));
        let all = all.chain(self.exec.iter().map(|it| &it.name));
        let all = all.chain(self.git.iter().map(|it| &it.name));
        let all = all.chain(self.overrides.iter().map(|it| &it.name));
        all.map(String::as_str).collect()
    }
}

const OF_STEPS: &str = "`step` is for `claim`, `complete`, `fail` and `retry`: others are of runs";

impl Rule {
    fn expect_sense(&self) -> Result<()> {
        let on = |is: fn(Action) -> bool| self.on.iter().all(|it| is(*it));
        let why = match (&self.allow, &self.deny) {
            _ if self.on.is_empty() => "`on` says what it is about",
            (None, None) => "it says who may, by `allow`, or who may not, by `deny`",
            (Some(_), Some(_)) => "`allow` and `deny` are for two rules",
            _ if self.step.is_some() && !on(Action::is_of_a_step) => OF_STEPS,
            _ if self.policy.is_some() && !on(|it| it == Action::Policy) => {
                "`policy` is for the action `policy`"
            }
            _ if self.process.is_some() && self.on.contains(&Action::Policy) => {
                "`process` is for everything but the action `policy`"
            }
            _ => return Ok(()),
        };
        Err(wrong(&self.name, why))
    }
}

fn wrong(name: &str, why: &str) -> Error {
    Error::invalid(format!("`{name}` in the policy: {why}"))
}
