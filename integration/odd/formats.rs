//! Formats that are newer or rarer than most.

use serde_json::json;

use super::{all_right, right_or_refused};
use crate::{daemon::Daemon, repository::Repository};

fn fill(repository: &Repository) {
    repository.write("a.yaml", "a: 1\n");
    repository.write("folder/b.yaml", "b: 1\n");
    repository.commit("first");
    repository.write("a.yaml", "a: 2\n");
    repository.commit("second");
}

/// Nothing but the files on disk can be had, and the error names what stands in the way.
fn is_unsupported(repository: &Repository, feature: &str) {
    let path = repository.path();
    let mut daemon = Daemon::start();
    let checkout = json!({"op": "checkout", "path": path, "sha": "HEAD"});
    for request in super::questions(path, "a.yaml").into_iter().chain([checkout]) {
        let reply = daemon.refused("unsupported", request);
        let named = reply["feature"].as_str().unwrap().to_lowercase();
        assert!(named.contains(feature), "{reply}");
    }
    let target = repository.beside("clone");
    let sync = json!({"op": "sync", "url": path, "branch": "main", "path": target});
    let reply = daemon.call(sync);
    assert!(reply.get("ok").is_some() || reply["code"] == "unsupported", "{reply}");
    assert_eq!(target.exists(), reply.get("ok").is_some());
    let read = json!({"op": "read", "path": path, "file": "a.yaml", "encoding": "utf8"});
    assert_eq!(daemon.ok(read), "a: 2\n");
    let files = json!({"op": "files", "path": path, "recursive": true});
    assert_eq!(daemon.ok(files), json!(["a.yaml", "folder/b.yaml"]));
}

#[test]
fn reftable_is_unsupported_by_name() {
    // Only a later git makes one; any git can say that it is one.
    let repository = Repository::new();
    fill(&repository);
    repository.git(&["config", "core.repositoryFormatVersion", "1"]);
    repository.git(&["config", "extensions.refStorage", "reftable"]);
    is_unsupported(&repository, "ref");
}

#[test]
fn sha256_is_unsupported_by_name() {
    let repository = Repository::init(&["--object-format=sha256"]);
    fill(&repository);
    is_unsupported(&repository, "sha256");
}

#[test]
fn an_extension_nobody_knows_is_unsupported() {
    let repository = Repository::new();
    fill(&repository);
    let path = repository.path().to_owned();
    repository.git(&["config", "core.repositoryFormatVersion", "1"]);
    repository.git(&["config", "extensions.future", "true"]);
    let reply = Daemon::start().refused("unsupported", json!({"op": "head", "path": path}));
    assert!(reply["feature"].is_string(), "{reply}");
}

#[test]
fn a_later_repository_version_is_unsupported() {
    let repository = Repository::new();
    fill(&repository);
    repository.git(&["config", "core.repositoryFormatVersion", "7"]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    for request in super::questions(path, "a.yaml") {
        daemon.refused("unsupported", request);
    }
}

#[test]
fn a_split_index_is_right_or_refused() {
    let repository = Repository::new();
    fill(&repository);
    repository.git(&["update-index", "--split-index"]);
    repository.write("new", "1");
    repository.git(&["add", "new"]);
    repository.write("a.yaml", "changed\n");
    let mut daemon = Daemon::start();
    right_or_refused(&mut daemon, &repository, "a.yaml");
    let checkout = json!({"op": "checkout", "path": repository.path(), "sha": "HEAD~1"});
    right_checkout_or_refused(&mut daemon, &repository, checkout);
}

#[test]
fn a_sparse_index_is_right_or_refused() {
    let repository = Repository::new();
    fill(&repository);
    repository.write("other/c.yaml", "c\n");
    repository.commit("third");
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "folder"]);
    repository.write("a.yaml", "changed\n");
    let mut daemon = Daemon::start();
    right_or_refused(&mut daemon, &repository, "a.yaml");
    let checkout = json!({"op": "checkout", "path": repository.path(), "sha": "HEAD~1"});
    right_checkout_or_refused(&mut daemon, &repository, checkout);
}

/// After a checkout that was not refused, stock git finds the commit and no difference.
fn right_checkout_or_refused(
    daemon: &mut Daemon,
    repository: &Repository,
    request: serde_json::Value,
) {
    let before = repository.head();
    let wanted = repository.git(&["rev-parse", request["sha"].as_str().unwrap()]);
    let reply = daemon.call(request);
    if reply.get("ok").is_some() {
        assert_eq!(repository.head(), wanted);
        assert_eq!(repository.git(&["status", "--porcelain", "--untracked-files=no"]), "");
    } else {
        assert_eq!(reply["code"], "unsupported", "{reply}");
        assert_eq!(repository.head(), before);
        assert_eq!(repository.read("a.yaml"), "changed\n");
    }
}

#[test]
fn a_sparse_checkout_with_a_whole_index_is_right_or_refused() {
    let repository = Repository::new();
    fill(&repository);
    repository.write("other/c.yaml", "c\n");
    repository.commit("third");
    repository.git(&["sparse-checkout", "set", "--cone", "--no-sparse-index", "folder"]);
    repository.write("a.yaml", "changed\n");
    right_or_refused(&mut Daemon::start(), &repository, "a.yaml");
}

#[test]
fn an_index_of_version_4_is_read() {
    let repository = Repository::new();
    fill(&repository);
    repository.git(&["update-index", "--index-version", "4"]);
    repository.write("a.yaml", "changed\n");
    repository.write("new", "1");
    let mut daemon = Daemon::start();
    all_right(&mut daemon, &repository, "a.yaml");
    daemon.ok(json!({"op": "checkout", "path": repository.path(), "sha": "HEAD~1"}));
    assert_eq!(repository.git(&["status", "--porcelain"]), "?? new");
}

#[test]
fn an_index_without_its_hash_and_with_an_untracked_cache_is_read() {
    let repository = Repository::new();
    repository.git(&["config", "index.skipHash", "true"]);
    repository.git(&["config", "core.untrackedCache", "true"]);
    fill(&repository);
    repository.git(&["update-index", "--force-untracked-cache"]);
    repository.git(&["status"]);
    repository.write("new", "1");
    repository.write("a.yaml", "changed\n");
    all_right(&mut Daemon::start(), &repository, "a.yaml");
}

#[test]
fn commit_graphs_multi_pack_indexes_and_bitmaps_change_no_answer() {
    let repository = Repository::new();
    fill(&repository);
    repository.git(&["repack", "-dq"]);
    repository.write("a.yaml", "a: 3\n");
    repository.commit("third");
    repository.git(&["repack", "-dq"]);
    repository.git(&["multi-pack-index", "write"]);
    repository.git(&["commit-graph", "write", "--reachable", "--changed-paths"]);
    repository.git(&["pack-refs", "--all"]);
    let mut daemon = Daemon::start();
    all_right(&mut daemon, &repository, "a.yaml");
    repository.git(&["repack", "-adbq"]);
    repository.write("a.yaml", "a: 4\n");
    repository.commit("fourth");
    all_right(&mut daemon, &repository, "a.yaml");
}

#[test]
fn configuration_of_the_worktree_alone_is_right_or_refused() {
    let repository = Repository::new();
    fill(&repository);
    repository.git(&["config", "extensions.worktreeConfig", "true"]);
    repository.git(&["config", "--worktree", "core.fileMode", "false"]);
    repository.set_mode("a.yaml", 0o755);
    right_or_refused(&mut Daemon::start(), &repository, "a.yaml");
}
