//! Steps of runs that are done without a worker: programs, as far as their tasks go, and operations
//! of this program on the repository that the run is in.

use std::fmt::Display;

use serde_json::Value;

use super::{Call, Context, Job, find, json::Object, run};
use crate::{
    engine::definition::Data,
    error::{Code, Error, Result},
    git::{Namespace, Savepoint, Tag, Text, expect_open_to_runs},
    port::envelope::Arguments,
    process::builtin::{
        Builtin, exec,
        git::{self, GitStep},
    },
    runs::{
        builtin::evaluated,
        own::{End, Taken},
        policy::Deed,
        work::Holding,
    },
};

/// What there is to do in a repository.
pub struct Looked {
    /// Tasks of programs, which begin when this is on disk.
    pub taken: Vec<Taken>,
    /// Those of the tasks that were held which are not any more.
    pub lost: Vec<Holding>,
    /// Whether something is left that may be done later.
    pub has_more: bool,
    /// How soon those who hold tasks have to be heard of.
    pub within_ms: Option<u64>,
}

/// Takes up so many tasks of programs, beside those that are held. Those whose programs are not
/// allowed end at once.
pub fn look(
    context: &Context,
    held: &[Holding],
    room: usize,
    allowed: &[String],
) -> Result<Looked> {
    run::with_some(context, |keeper, transaction| {
        let (mut taken, mut lost) = (Vec::new(), Vec::new());
        let mut within_ms: Option<u64> = None;
        let mut has_ended = false;
        for holding in held {
            keeper.look_for(&holding.task.run, transaction)?;
            match keeper.has(holding) {
                true => {
                    let again = keeper.be_heard(holding, transaction)?;
                    within_ms = within_ms.into_iter().chain(again).min();
                }
                false => lost.push(holding.clone()),
            }
        }
        while taken.len() < room {
            match keeper.take_own(exec::TYPE, held, transaction)? {
                Some(it) => {
                    if let Some(Ok(Builtin::Exec(exec))) = &it.what
                        && let Err(error) =
                            keeper.expect_may_exec(&it.holding.task, &exec.program, allowed)
                    {
                        keeper.end_own(&it.holding, of_refusal(&error), transaction)?;
                        has_ended = true;
                        continue;
                    }
                    let again = keeper.be_heard(&it.holding, transaction)?;
                    within_ms = within_ms.into_iter().chain(again).min();
                    taken.push(it);
                }
                None => break,
            }
        }
        if !taken.is_empty() || has_ended {
            transaction.be_durable();
        }
        Ok(Looked { taken, lost, has_more: keeper.has_own(), within_ms })
    })
}

/// Ends a task that was taken up.
fn end(context: &Context, holding: &Holding, end: End) -> Result<()> {
    run::with_run(context, &holding.task.run, |keeper, transaction| {
        keeper.end_own(holding, end, transaction)?;
        transaction.be_durable();
        Ok(())
    })
}

/// Ends the task of a program. One that does not bring what it should fails of that; one that was
/// withdrawn meanwhile is nobody's any more.
pub fn end_program(context: &Context, holding: &Holding, what: End) -> Result<()> {
    let ended = match end(context, holding, what) {
        Err(error) if matches!(error.code, Code::Invalid | Code::TooLarge) => {
            end(context, holding, failed(&error, "output"))
        }
        ended => ended,
    };
    match ended {
        Err(error) if matches!(error.code, Code::Conflict | Code::NotFound) => {
            log::debug!("{}/{}: {error}", holding.task.run, holding.task.item);
            Ok(())
        }
        ended => ended,
    }
}

/// Does a step that is an operation, if there is one: it is begun, done and ended in one step of
/// the repository, so that it is done once. Says whether there was one.
pub fn do_git_step(context: &Context) -> Result<bool> {
    let taken = run::with_some(context, |keeper, transaction| {
        keeper.take_own(git::TYPE, &[], transaction)
    })?;
    let Some(taken) = taken else { return Ok(false) };
    let before = context.transaction().savepoint();
    let done = match &taken.what {
        Some(Ok(Builtin::Git(step))) => perform(step, &taken, context).and_then(|data| {
            let allowed = expect_allowed(step, &taken, &before, context);
            allowed.map(|()| data).map_err(|error| of_refusal(&error))
        }),
        _ => Err(taken.unclear()),
    };
    let ended = match done {
        Ok(data) => {
            let what = End::Complete { outcome: None, data };
            end(context, &taken.holding, what).map_err(|error| failed(&error, "output"))
        }
        Err(end) => Err(end),
    };
    if let Err(what) = ended {
        context.transaction().go_back(&before);
        end(context, &taken.holding, what)?;
    }
    Ok(true)
}

/// Carries out the operation of a step; what it answers is the step's.
fn perform(step: &GitStep, taken: &Taken, context: &Context) -> Result<Data, End> {
    let Value::Object(given) = evaluated(&step.arguments, &taken.task)? else {
        return Err(taken.unclear());
    };
    let answered = expect_open(step.deed, &given).and_then(|()| {
        let folder = context.transaction().repository().common_folder().to_owned();
        let mut arguments = Arguments::default();
        arguments.add("path", &Text::of_path(&folder));
        for (name, value) in given.iter().filter(|it| !it.1.is_null()) {
            arguments.add(name, value);
        }
        match find(step.deed)?.decode(&arguments, None)? {
            Call::Work(Job { work, .. }) => work.run(context),
            Call::Control(_) => Err(Error::internal("a step is no request about others")),
        }
    });
    let answer = answered.map_err(|error| of_refusal(&error))?;
    let Object(answer) = rmp_serde::from_slice(&answer).map_err(|error| unreadable(&error))?;
    let name = step.result.clone().unwrap_or_else(|| taken.step().to_owned());
    Ok(Data::from_iter([(name, Value::Object(answer))]))
}

/// Fails where a step moved a ref that policies do not let it move.
fn expect_allowed(
    step: &GitStep,
    taken: &Taken,
    since: &Savepoint,
    context: &Context,
) -> Result<()> {
    let task = &taken.holding.task;
    let deed = Deed::of(step.deed).ok_or_else(|| Error::internal("policies know all steps"))?;
    let moved = context.transaction().moved_since(since)?;
    run::with_run(context, &task.run, |keeper, _| {
        moved.iter().try_for_each(|it| keeper.expect_may_git(task, deed, &it.name))
    })?;
    context.transaction().expect_allowed(since)
}

/// Fails where a step would write what runs, rules and proofs are made of.
fn expect_open(deed: &str, given: &Data) -> Result<()> {
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    match deed {
        "tag" => text("tag").map_or(Ok(()), |it| expect_open_to_runs(&Tag::new(it)?.reference())),
        "note" => text("namespace")
            .map_or(Ok(()), |it| expect_open_to_runs(&Namespace::new(it)?.reference())),
        _ => Ok(()),
    }
}

/// How a step ends that was refused, by the code of that.
fn of_refusal(error: &Error) -> End {
    failed(error, error.code.as_str())
}

/// How a step ends that failed in this way. Only what others do may be otherwise the next time.
fn failed(error: &Error, kind: &str) -> End {
    let is_passing = matches!(
        error.code,
        Code::Conflict | Code::Locked | Code::Busy | Code::Unavailable | Code::DiskFull
    );
    End::fail(kind, error.message.clone(), !is_passing)
}

fn unreadable(error: &dyn Display) -> End {
    End::fail("internal", format!("what an operation answers is no JSON: {error}"), true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::process::builtin::git::DEEDS;

    #[test]
    fn what_a_step_may_say_its_operation_takes() {
        for (deed, keys) in DEEDS {
            for key in keys {
                let mut arguments = Arguments::default();
                arguments.add("path", &"/tmp/none");
                arguments.add(key, &json!({"no": ["such", {"thing": 1}]}));
                let decoded = find(deed).unwrap().decode(&arguments, None);
                let error = decoded.err().map(|it| it.message).unwrap_or_default();
                let unknown = format!("no argument is called `{key}`");
                assert!(!error.contains(&unknown), "{deed}: {error}");
            }
        }
    }

    #[test]
    fn no_step_writes_what_runs_are_made_of() {
        let check = |deed: &str, key: &str, value: &str| {
            let given = json!({key: value});
            expect_open(deed, given.as_object().unwrap()).map_err(|error| error.code)
        };
        for tag in ["process/p/v1", "refs/tags/process/p/v1", "milestone/r/a", "process"] {
            assert_eq!(check("tag", "tag", tag), Err(Code::Denied), "{tag}");
        }
        for namespace in ["gitvan", "gitvan/results", "notes/gitvan/keys", "refs/notes/gitvan/x"] {
            assert_eq!(check("note", "namespace", namespace), Err(Code::Denied), "{namespace}");
        }
        for tag in ["v1", "processes", "process-1", "release/process/v1"] {
            assert_eq!(check("tag", "tag", tag), Ok(()), "{tag}");
        }
        assert_eq!(check("note", "namespace", "builds"), Ok(()));
    }
}
