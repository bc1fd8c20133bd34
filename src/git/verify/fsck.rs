//! What `git fsck` says, as problems.

use std::path::Path;

use git2::Oid;

use super::{Kind, Problem};
use crate::{
    error::Result,
    git::{
        Network, Repository,
        hash::{ID_DIGITS, object_id},
        refs::REFS,
        remote::{Chore, Done},
    },
};

/// How often it looks again because packs went while it looked.
const TRIES: usize = 3;

impl Repository {
    /// Nothing where the git program is not there.
    pub(super) fn fsck(&self, network: &Network) -> Result<Option<Vec<Problem>>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let done = network.housework(self.common_folder(), Chore::Check)?;
            let Some(done) = done else { return Ok(None) };
            let told = problems(&done);
            let is_silent = told.is_empty() && !done.is_good;
            let fresh = Repository::open_at(self.common_folder())?;
            let count = told.len();
            let mut left = told;
            left.retain(|it| fresh.is_still(it));
            left.iter_mut()
                .filter(|it| fresh.lacks_object(it))
                .for_each(|it| it.kind = Kind::Missing);
            let is_steady = left.len() == count && !is_silent;
            if is_steady || (left.is_empty() && !is_silent) || TRIES <= tries {
                if is_silent {
                    left.push(Problem::new(Kind::Other, done.words.trim()));
                }
                return Ok(Some(left));
            }
        }
    }

    /// Whether a problem is there for whoever looks now.
    fn is_still(&self, problem: &Problem) -> bool {
        let object = problem.object.as_ref().and_then(|it| Oid::from_str(it).ok());
        match (problem.kind, object, &problem.reference) {
            (Kind::Missing | Kind::Ref, _, Some(name)) => {
                let target = self.inner.refname_to_id(name);
                !target.is_ok_and(|it| self.has_sound(it))
            }
            (Kind::Missing, Some(id), None) => !self.has_sound(id),
            (Kind::Pack, ..) => {
                let words = String::from_utf8_lossy(&problem.message.0).into_owned();
                let mut files = words.split([' ', '\'']).filter(|it| it.contains("objects/pack/"));
                files.all(|it| Path::new(it.trim_end_matches(':')).exists())
            }
            _ => true,
        }
    }

    /// Whether it is about a ref that leads to what is not there; a damaged object is.
    fn lacks_object(&self, problem: &Problem) -> bool {
        let object = problem.object.as_ref().and_then(|it| Oid::from_str(it).ok());
        let object = object.filter(|it| problem.kind == Kind::Ref && !it.is_zero());
        object.is_some_and(|id| self.inner.odb().is_ok_and(|it| !it.exists(id)))
    }

    fn has_sound(&self, id: Oid) -> bool {
        self.object(id).is_ok_and(|(kind, content)| object_id(kind, &content) == id)
    }
}

fn problems(done: &Done) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut from = "";
    for line in done.output.lines().chain(done.words.lines()) {
        let line = line.trim();
        if line.starts_with("broken link from") {
            from = line;
        } else if line.starts_with("to ") && !from.is_empty() {
            let message = format!("{from} {line}");
            problems.push(Problem { object: id_in(line), ..Problem::new(Kind::Missing, message) });
            from = "";
        } else if !line.is_empty() && !is_no_problem(line) {
            problems.push(problem(line));
        }
    }
    problems
}

fn is_no_problem(line: &str) -> bool {
    ["notice:", "dangling ", "unreachable ", "root "].iter().any(|it| line.starts_with(it))
}

fn problem(line: &str) -> Problem {
    let reference = line.split([' ', '\'', '`']).map(|it| it.trim_end_matches(':'));
    let reference = reference
        .filter(|it| it.starts_with(REFS) || *it == "HEAD" || it.ends_with("/HEAD"))
        .map(str::to_owned)
        .next();
    let object = id_in(line);
    let is_about_a_pack = [".pack", ".idx", "pack ", "packed "].iter().any(|it| line.contains(it));
    let kind = match () {
        () if line.starts_with("warning") => Kind::Warning,
        () if line.starts_with("missing ") => Kind::Missing,
        () if reference.is_some() => Kind::Ref,
        () if object.is_some() => Kind::Object,
        () if is_about_a_pack => Kind::Pack,
        () => Kind::Other,
    };
    Problem { reference, object, ..Problem::new(kind, line) }
}

/// The id in a line; the name of a pack is none.
fn id_in(line: &str) -> Option<String> {
    let is_id = |it: &&str| it.len() == ID_DIGITS && it.bytes().all(|it| it.is_ascii_hexdigit());
    // Of a file that holds another object, the one that should be in it.
    if let Some((_, file)) = line.split_once("objects/")
        && let Some((above, name)) = file.split_once('/')
    {
        let id = format!("{above}{}", name.split([' ', ')']).next().unwrap_or_default());
        if is_id(&&*id) {
            return Some(id);
        }
    }
    let words = line.split(|it: char| !it.is_ascii_alphanumeric() && it != '-' && it != '/');
    words.flat_map(|it| it.split('/')).find(is_id).map(str::to_owned)
}
