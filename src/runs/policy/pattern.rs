//! Names in policies: patterns of actors, steps, refs and programs, and roles.

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

/// What a pattern matches that is no plain name.
const SIGNS: &[char] = &['*', '?', '[', ']', '{', '}', '\\'];
/// What the name of a role comes behind where an actor could be, too.
const ROLE: &str = "role:";
const PATTERN_BYTES_MAX: usize = 1000;

#[derive(Debug, Clone)]
enum Kind {
    Everything,
    Plain,
    Pattern(Box<GlobMatcher>),
}

/// A pattern in which `*` stops at `/` and `**` does not; `*` alone is everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob {
    text: String,
    kind: Kind,
}

/// A pattern of actors, in whose names `/` is a character like others.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Actor(Glob);

/// Who is meant: actors and roles.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Actors(Vec<Who>);

#[derive(Debug, Clone)]
pub enum Who {
    Actor(Actor),
    Role(String),
}

impl Glob {
    fn new(text: String, stops: bool) -> Option<Glob> {
        if text.is_empty() || PATTERN_BYTES_MAX < text.len() {
            return None;
        }
        let kind = match &*text {
            "*" => Kind::Everything,
            plain if !plain.contains(SIGNS) => Kind::Plain,
            _ => {
                let mut glob = GlobBuilder::new(&text);
                let glob = glob.literal_separator(stops).backslash_escape(true).build().ok()?;
                Kind::Pattern(Box::new(glob.compile_matcher()))
            }
        };
        Some(Glob { text, kind })
    }

    /// Whether anything below a folder could match: not for sure, but never wrongly not.
    pub fn may_match_below(&self, folder: &str) -> bool {
        let plain = self.text.split(SIGNS).next().unwrap_or_default();
        plain.starts_with(folder) || folder.starts_with(plain)
    }

    pub fn matches(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Everything => true,
            Kind::Plain => self.text == name,
            Kind::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

impl TryFrom<String> for Glob {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Glob, &'static str> {
        Glob::new(text, true).ok_or("a name, a pattern as `a-*`, or `*`")
    }
}

impl TryFrom<String> for Actor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Actor, &'static str> {
        let actor = Some(text).filter(|it| !it.starts_with(ROLE));
        let glob = actor.and_then(|it| Glob::new(it, false));
        glob.map(Actor).ok_or("an actor, a pattern as `bot-*`, or `*`")
    }
}

impl TryFrom<Vec<String>> for Actors {
    type Error = &'static str;

    fn try_from(texts: Vec<String>) -> Result<Actors, &'static str> {
        let who = |text: String| match text.strip_prefix(ROLE) {
            Some("") => Err(EXPECTED),
            Some(role) => Ok(Who::Role(role.to_owned())),
            None => Actor::try_from(text).map(Who::Actor).map_err(|_| EXPECTED),
        };
        texts.into_iter().map(who).collect::<Result<_, _>>().map(Actors)
    }
}

const EXPECTED: &str = "a list of actors, patterns as `bot-*`, `role:` and a role, or `*`";

/// A name as Git keeps it, which leaves out some signs around it: they make nobody another one.
pub fn bare(name: &str) -> &str {
    const AROUND: &str = ".,:;<>\"\\'";
    let bare = name.trim_matches(|it: char| it <= ' ' || AROUND.contains(it));
    if bare.is_empty() { name } else { bare }
}

impl Actor {
    pub fn matches(&self, name: &str) -> bool {
        let Actor(glob) = self;
        match glob.kind {
            Kind::Plain => bare(&glob.text) == bare(name),
            _ => glob.matches(name) || glob.matches(bare(name)),
        }
    }

    /// A name that it matches, as far as such a one can be told.
    pub fn example(&self) -> String {
        self.0.text.replace(SIGNS, "x")
    }
}

impl Actors {
    pub fn all(&self) -> &[Who] {
        &self.0
    }
}

/// As it is written, for messages.
impl std::fmt::Display for Actors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN_MAX: usize = 10;
        let shown = self.0.iter().take(SHOWN_MAX).map(|it| match it {
            Who::Actor(actor) => format!("`{}`", actor.0.text),
            Who::Role(role) => format!("`{ROLE}{role}`"),
        });
        let shown: Vec<String> = shown.collect();
        match shown.is_empty() {
            true => f.write_str("nobody"),
            false => f.write_str(&shown.join(", ")),
        }?;
        if SHOWN_MAX < self.0.len() { f.write_str(", …") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::try_from(pattern.to_owned()).unwrap().matches(name)
    }

    #[test]
    fn a_star_alone_is_everything_and_others_stop_at_slashes() {
        assert!(matches("*", "a/b") && matches("*", ""));
        assert!(
            matches("refs/heads/*", "refs/heads/a") && !matches("refs/heads/*", "refs/heads/a/b")
        );
        assert!(matches("refs/heads/**", "refs/heads/a/b"));
        assert!(matches("release-?", "release-1") && !matches("release-?", "release-12"));
        assert!(matches("{a,b}", "b") && matches(r"a\*", "a*") && !matches(r"a\*", "ab"));
        assert!(matches("a.b", "a.b") && !matches("a.b", "acb"));
    }

    #[test]
    fn the_pattern_of_an_actor_does_not_stop() {
        let actor = Actor::try_from("bot-*".to_owned()).unwrap();
        assert!(actor.matches("bot-a/b") && !actor.matches("robot-a"));
        assert_eq!(actor.example(), "bot-x");
        assert!(actor.matches(&actor.example()));
    }

    #[test]
    fn signs_around_a_name_make_nobody_another_one() {
        let matches =
            |pattern: &str, name: &str| Actor::try_from(pattern.to_owned()).unwrap().matches(name);
        for name in ["bob ", " bob", "bob.", "\"bob\"", "'bob',", "\\bob;", "<bob>", "bob\t:"] {
            assert!(matches("bob", name) && matches("b*b", name), "{name}");
        }
        assert!(matches("Bob Jr.", "Bob Jr") && matches("Bob Jr.", "Bob Jr."));
        assert!(!matches("bob", "b.ob") && !matches("bob", "bob!") && !matches("bob", "..."));
        assert!(matches("...", "...") && matches("*.", "bob."));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "a[", "{a", &"a".repeat(1001)] {
            assert!(Glob::try_from(text.to_owned()).is_err(), "{text}");
            assert!(Actors::try_from(vec![text.to_owned()]).is_err(), "{text}");
        }
        assert!(Actor::try_from("role:a".to_owned()).is_err(), "a role has no roles");
        assert!(Actors::try_from(vec!["role:".to_owned()]).is_err());
    }
}
