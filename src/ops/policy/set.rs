//! `policy.set`: a policy says something else from now on, or there is a new one.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{expect_no_lockout, locked};
use crate::{
    error::{Error, Result},
    git::{Expect, Person, PolicyDraft, PolicyName, RepositoryPath, SignWith, now},
    ops::{
        Context, Lane, Operation,
        change::signer,
        json::Object,
        plain::Plain,
        run::{actor, with_some},
    },
    runs::policy::{FILE, Policy, text_of},
};

/// So many are in one repository at most.
const POLICIES_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    path: RepositoryPath,
    name: Plain,
    policy: Text,
    actor: Option<Plain>,
    expect: Option<Plain>,
    sign: Option<SignWith>,
    /// Whether nobody may be left who can change it.
    #[serde(default)]
    force: bool,
}

/// A policy as text, or as a map that is written as JSON, which is YAML too.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy: text, or a map")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Text, E> {
                let text = str::from_utf8(bytes);
                text.map(|it| Text(it.to_owned())).map_err(|_| E::custom("it is no UTF-8"))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                let Object(map) = Object::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let text = serde_json::to_string_pretty(&map).expect("it is JSON");
                Ok(Text(format!("{text}\n")))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Serialize)]
pub struct Reply {
    name: String,
    /// Where it is.
    commit: String,
    /// Where it was, if it was there.
    was: Option<String>,
}

impl Operation for Set {
    const NAME: &'static str = "policy.set";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let name = PolicyName::new(&self.name)?;
        let expect = self.expect.as_deref().map(Expect::new).transpose()?;
        let text = self.policy.0.into_bytes();
        Policy::read(&text).map_err(|error| error.with("field", "policy"))?;
        let signer = signer(self.sign.as_ref())?;
        with_some(context, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_may_change_policy(&name, &actor)?;
            let was = transaction.policy(&name, expect)?;
            let standing = keeper.policy.standing.refs();
            if was.is_none() && POLICIES_MAX <= standing.len() {
                let message = format!("a repository has at most {POLICIES_MAX} policies");
                return Err(Error::too_large(message).with("limit", POLICIES_MAX as u64));
            }
            let reply = |commit: String| Reply {
                name: name.as_str().to_owned(),
                commit,
                was: was.map(|it| it.to_string()),
            };
            transaction.be_durable();
            if let Some(was) = was.filter(|_| signer.is_none())
                && text_of(was, transaction)? == text
            {
                return Ok(reply(was.to_string()));
            }
            let before = locked(keeper);
            let message = format!("the policy {}\n", name.as_str());
            let who = Person {
                name: actor.clone().into_bytes(),
                email: Vec::new(),
                time: now(),
                offset: 0,
            };
            let file = (FILE, text);
            let draft = PolicyDraft { name: &name, file, message, who, signer };
            let commit = transaction.put_policy(draft)?;
            keeper.expect_signed_policy(&name, &actor, Some(commit), transaction)?;
            expect_no_lockout(&before, self.force, keeper, transaction)?;
            Ok(reply(commit.to_string()))
        })
    }
}
