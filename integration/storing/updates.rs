//! Many refs move at once, or none does.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use super::{ZEROS, all_refs, expect_sound, id_of};
use crate::{daemon::Daemon, repository::Repository};

/// Two commits, without a worktree, and their ids.
fn bare() -> (Repository, String, String) {
    let origin = Repository::of(&[("a", "a\n")]);
    let first = origin.head();
    let second = origin.commit("second");
    (origin.bare(), first, second)
}

fn update(repository: &Repository, updates: &[Value]) -> Value {
    json!({"op": "ref.update", "path": repository.path(), "updates": updates})
}

#[test]
fn a_thousand_refs_move_or_none() {
    let (repository, first, second) = bare();
    let mut daemon = Daemon::start();
    let name = |number: usize| format!("refs/heads/b/{number:04}");
    let create: Vec<Value> =
        (0..1000).map(|it| json!({"ref": name(it), "to": first, "expect": ZEROS})).collect();
    let done = daemon.ok(update(&repository, &create));
    assert_eq!(done["refs"].as_array().unwrap().len(), 1000);
    assert_eq!(done["refs"][7], json!({"ref": name(7), "sha": first, "was": null}));
    let before = all_refs(&repository);
    assert_eq!(before.lines().count(), 1001);
    let mut advance: Vec<Value> =
        (0..1000).map(|it| json!({"ref": name(it), "to": second, "expect": first})).collect();
    advance[500]["expect"] = json!(second);
    let refused = daemon.refused("conflict", update(&repository, &advance));
    let elsewhere = json!([{"ref": name(500), "expected": second, "actual": first}]);
    assert_eq!(refused["refs"], elsewhere);
    assert_eq!(all_refs(&repository), before);
    advance[500]["expect"] = json!(first);
    daemon.ok(update(&repository, &advance));
    assert_eq!(
        all_refs(&repository),
        before.replace(&format!("{first} refs/heads/b"), &format!("{second} refs/heads/b"))
    );
    let delete: Vec<Value> =
        (0..1000).map(|it| json!({"ref": name(it), "expect": second})).collect();
    daemon.ok(update(&repository, &delete));
    assert_eq!(all_refs(&repository).lines().count(), 1);
    expect_sound(&repository);
}

#[test]
fn refs_are_moved_wherever_git_kept_them() {
    let (repository, first, second) = bare();
    let mut daemon = Daemon::start();
    for name in ["packed", "both"] {
        repository.git(&["branch", name, &first]);
    }
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["branch", "-f", "both", &second]);
    repository.git(&["branch", "loose", &first]);
    repository.git(&["branch", "gone", &first]);
    daemon.ok(update(
        &repository,
        &[
            json!({"ref": "refs/heads/packed", "to": "main", "expect": first}),
            json!({"ref": "refs/heads/both", "to": "main~1", "expect": second}),
            json!({"ref": "refs/heads/loose", "to": "v1^{commit}"}),
            json!({"ref": "refs/heads/gone"}),
            json!({"ref": "refs/odd/tree", "to": "main^{tree}", "expect": ZEROS}),
            json!({"ref": "refs/tags/again", "to": "v1"}),
            json!({"ref": "refs/heads/none", "expect": ZEROS}),
        ],
    ));
    assert_eq!(id_of(&repository, "packed"), second);
    assert_eq!(id_of(&repository, "both"), first);
    assert_eq!(id_of(&repository, "loose"), second);
    assert_eq!(id_of(&repository, "refs/tags/again"), id_of(&repository, "v1"));
    assert_eq!(id_of(&repository, "again^{}"), second);
    assert_eq!(repository.git(&["branch", "--list", "gone", "none"]), "");
    expect_sound(&repository);
}

#[test]
fn what_git_refuses_is_refused() {
    let (repository, first, _) = bare();
    let mut daemon = Daemon::start();
    repository.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    let before = all_refs(&repository);
    let one = json!("1".repeat(40));
    for (code, key, value, of) in [
        ("bad_request", "field", "updates[1].ref", json!({"ref": "main", "to": first})),
        ("bad_request", "field", "updates[1].ref", json!({"ref": "refs/heads/a..b", "to": first})),
        ("bad_request", "field", "updates[1].ref", json!({"ref": "refs/../config", "to": first})),
        ("bad_request", "field", "updates[1].ref", json!({"ref": "", "to": first})),
        ("bad_request", "field", "updates", json!({"ref": "refs/heads/x", "to": "main^{tree}"})),
        (
            "bad_request",
            "field",
            "updates[1].expect",
            json!({"ref": "refs/heads/x", "expect": "main"}),
        ),
        ("unsupported", "feature", "symbolic refs", json!({"ref": "HEAD", "to": first})),
        (
            "unsupported",
            "feature",
            "symbolic refs",
            json!({"ref": "refs/heads/alias", "to": first}),
        ),
        ("unsupported", "feature", "replace refs", json!({"ref": "refs/replace/x", "to": first})),
        ("unsupported", "feature", "worktree refs", json!({"ref": "refs/bisect/bad", "to": first})),
        ("denied", "rule", "locks", json!({"ref": "refs/gitvan/locks/x", "to": first})),
        ("denied", "rule", "locks", json!({"ref": "refs/gitvan", "to": first})),
        ("denied", "rule", "imports", json!({"ref": "refs/gitvan/imports/x", "to": first})),
        ("denied", "rule", "imports", json!({"ref": "refs/gitvan/imports/x"})),
        ("denied", "rule", "keys", json!({"ref": "refs/notes/gitvan/keys", "to": first})),
        ("denied", "rule", "keys", json!({"ref": "refs/notes/gitvan/keys"})),
        ("denied", "rule", "keys", json!({"ref": "refs/notes/gitvan/keys/x", "to": first})),
        ("denied", "rule", "keys", json!({"ref": "refs/notes/gitvan", "to": first})),
        ("bad_request", "field", "updates[1].ref", json!({"ref": "refs/heads/HEAD", "to": first})),
    ] {
        let good = json!({"ref": "refs/heads/good", "to": first});
        let refused = daemon.refused(code, update(&repository, &[good, of.clone()]));
        assert_eq!(refused[key], value, "{of}");
    }
    for of in [json!({"ref": "refs/heads/x", "to": one}), json!({"ref": "refs/heads/none"})] {
        daemon.refused("not_found", update(&repository, &[of]));
    }
    let twice = json!({"ref": "refs/heads/x", "to": first});
    daemon.refused("bad_request", update(&repository, &[twice.clone(), twice]));
    daemon.refused("bad_request", update(&repository, &[]));
    assert_eq!(all_refs(&repository), before);
}

#[test]
fn a_branch_that_git_would_not_make_can_be_removed() {
    let (repository, first, _) = bare();
    repository.git(&["update-ref", "refs/heads/HEAD", &first]);
    let gone = json!({"ref": "refs/heads/HEAD", "expect": first});
    Daemon::start().ok(update(&repository, &[gone]));
    assert!(!all_refs(&repository).contains("HEAD"));
}

#[test]
fn a_ref_cannot_be_a_folder_too() {
    let (repository, first, _) = bare();
    let mut daemon = Daemon::start();
    let at = |name: &str| json!({"ref": name, "to": first});
    let before = all_refs(&repository);
    for pair in [["refs/a", "refs/a/b"], ["refs/a/b", "refs/a"], ["refs/a/b/c", "refs/a"]] {
        daemon.refused("conflict", update(&repository, &pair.map(at)));
        assert_eq!(all_refs(&repository), before);
    }
    for packs in [false, true] {
        repository.git(&["update-ref", "refs/x/y", &first]);
        if packs {
            repository.git(&["pack-refs", "--all"]);
        }
        for name in ["refs/x", "refs/x/y/z"] {
            daemon.refused("conflict", update(&repository, &[at(name)]));
        }
    }
    daemon.ok(update(&repository, &[json!({"ref": "refs/x/y"}), at("refs/x/z")]));
    daemon.ok(update(&repository, &[json!({"ref": "refs/x/z"})]));
    daemon.ok(update(&repository, &[at("refs/x")]));
    assert_eq!(id_of(&repository, "refs/x"), first);
    expect_sound(&repository);
}

#[test]
fn nothing_answered_for_is_lost_while_git_packs_refs() {
    let (repository, first, _) = bare();
    let mut daemon = Daemon::start();
    let is_over = AtomicBool::new(false);
    let mut there: BTreeSet<String> = BTreeSet::from(["refs/heads/main".to_owned()]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                repository.git(&["pack-refs", "--all", "--prune"]);
            }
        });
        for round in 0..150 {
            let name = format!("refs/heads/r{round}");
            let created = daemon.call(update(&repository, &[json!({"ref": name, "to": first})]));
            if created.get("ok").is_some() {
                there.insert(name);
            } else {
                assert_eq!(created["code"], "locked", "{created}");
            }
            if round % 2 == 1 {
                let gone = there.iter().next_back().unwrap().clone();
                let request = update(&repository, &[json!({"ref": gone, "expect": first})]);
                if gone != "refs/heads/main" && daemon.call(request).get("ok").is_some() {
                    there.remove(&gone);
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let found = repository.git(&["for-each-ref", "--format=%(refname)"]);
    let found: BTreeSet<String> = found.lines().map(str::to_owned).collect();
    assert_eq!(found, there);
    assert!(40 < there.len(), "most were answered for");
}

#[test]
fn the_worktree_of_a_branch_that_moves_stays_as_it_is() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let first = repository.head();
    repository.write("a", "b\n");
    repository.commit("second");
    daemon.ok(update(&repository, &[json!({"ref": "refs/heads/main", "to": first})]));
    assert_eq!(repository.read("a"), "b\n");
    assert_eq!(repository.git(&["status", "--porcelain"]), "M  a");
}
