//! A damaged repository is called that, and its answers are never made up.

use std::fs;

use serde_json::json;

use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

fn loose(repository: &Repository, rev: &str) -> String {
    let id = repository.git(&["rev-parse", rev]);
    let file = format!(".git/objects/{}/{}", &id[..2], &id[2..]);
    repository.set_mode(&file, 0o644);
    file
}

#[test]
fn a_torn_object_is_corrupt() {
    let mut daemon = Daemon::start();
    for keep in [0, 1, 10] {
        let repository = varied();
        let file = loose(&repository, "HEAD:long.txt");
        let bytes = fs::read(repository.file(&file)).unwrap();
        repository.write(&file, &bytes[..keep]);
        let request = json!({"op": "read", "path": repository.path(), "rev": "HEAD",
                             "file": "long.txt"});
        daemon.refused("corrupt", request);
        let sound = json!({"op": "read", "path": repository.path(), "rev": "HEAD",
                           "file": "config.yaml", "encoding": "utf8"});
        assert_eq!(daemon.ok(sound), "a: 1\n");
    }
}

#[test]
fn an_object_that_is_gone_is_corrupt_for_who_needs_it() {
    let repository = varied();
    repository.remove(&loose(&repository, "HEAD:config.yaml"));
    let mut daemon = Daemon::start();
    let read = json!({"op": "read", "path": repository.path(), "rev": "HEAD",
                      "file": "config.yaml"});
    daemon.refused("corrupt", read);
    let repository = varied();
    repository.remove(&loose(&repository, "HEAD~1"));
    let reply = daemon.call(json!({"op": "log", "path": repository.path()}));
    assert_eq!(reply["code"], "corrupt", "{reply}");
    let repository = varied();
    repository.remove(&loose(&repository, "HEAD"));
    let asked = |op: &str, more: serde_json::Value| {
        let mut request = json!({"op": op, "path": repository.path()});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    daemon.refused("corrupt", asked("head", json!({})));
    daemon.refused("corrupt", asked("log", json!({"range": "main~1"})));
    daemon.refused("corrupt", asked("read", json!({"rev": "HEAD", "file": "config.yaml"})));
    daemon.refused("corrupt", asked("branch", json!({"branch": "new"})));
    daemon.refused("not_found", asked("log", json!({"range": "none"})));
}

#[test]
fn a_damaged_pack_gives_no_wrong_bytes() {
    let repository = varied();
    repository.git(&["repack", "-adfq"]);
    let pack = repository.git(&["rev-parse", "--git-path", "objects/pack"]);
    let pack = fs::read_dir(repository.file(pack)).unwrap().map(|entry| entry.unwrap().path());
    let pack = pack.into_iter().find(|path| path.extension().unwrap() == "pack").unwrap();
    let sound = fs::read(&pack).unwrap();
    let right = repository.read("long.txt");
    fs::remove_file(&pack).unwrap();
    for at in (100..sound.len() - 20).step_by(101) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x55;
        fs::write(&pack, bytes).unwrap();
        let mut daemon = Daemon::start();
        let read = json!({"op": "read", "path": repository.path(), "rev": "HEAD",
                          "file": "long.txt", "encoding": "utf8"});
        let reply = daemon.call(read);
        let code = reply["code"].as_str();
        let known = ["corrupt", "not_found", "invalid"].map(Some).contains(&code);
        assert!(reply["ok"] == right || known, "byte {at}: {reply}");
        daemon.ok(json!({"op": "ping"}));
    }
}

#[test]
fn a_head_that_is_none_is_corrupt_or_not_found() {
    let mut daemon = Daemon::start();
    for content in ["", "garbage\n", "ref: refs/heads/../../x\n", "0123\n", "\0\0\0"] {
        let repository = varied();
        repository.write(".git/HEAD", content);
        for request in super::questions(repository.path(), "README.md") {
            let reply = daemon.call(request.clone());
            let code = reply["code"].as_str();
            let known = ["corrupt", "not_found"].map(Some).contains(&code);
            assert!(known, "{content:?} {request} got {reply}");
        }
    }
}

#[test]
fn a_damaged_index_is_corrupt() {
    let repository = varied();
    let index = repository.file(".git/index");
    let mut bytes = fs::read(&index).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&index, &bytes).unwrap();
    let mut daemon = Daemon::start();
    daemon.refused("corrupt", json!({"op": "status", "path": repository.path()}));
    fs::write(&index, &bytes[..50]).unwrap();
    daemon.refused("corrupt", json!({"op": "status", "path": repository.path()}));
}

#[test]
fn what_is_no_repository_is_not_found() {
    let repository = varied();
    let folder = repository.beside("folder");
    fs::create_dir_all(folder.join(".git")).unwrap();
    let file = repository.file("README.md");
    let below = repository.file("source");
    let nowhere = repository.beside("nowhere");
    let mut daemon = Daemon::start();
    for path in [&folder, &file, &nowhere, &below] {
        for op in ["head", "log", "diff", "status"] {
            daemon.refused("not_found", json!({"op": op, "path": path}));
        }
        daemon.refused("not_found", json!({"op": "checkout", "path": path, "sha": "HEAD"}));
        daemon.refused("not_found", json!({"op": "files", "path": path, "rev": "HEAD"}));
    }
}

#[test]
fn what_maintain_cannot_work_on_is_corrupt() {
    let mut daemon = Daemon::start();
    let damages: [fn(&Repository); 4] = [
        |it| it.remove(&loose(it, "HEAD:config.yaml")),
        |it| it.remove(&loose(it, "HEAD~1")),
        |it| it.write(loose(it, "HEAD:long.txt"), "garbage"),
        |it| it.write(".git/refs/heads/lost", format!("{}\n", "1".repeat(40))),
    ];
    for damage in damages {
        let repository = varied();
        damage(&repository);
        let request = json!({"op": "maintain", "path": repository.path(), "full": true});
        daemon.refused("corrupt", request);
    }
}

#[test]
fn a_ref_of_notes_or_keys_that_is_no_commit_is_corrupt() {
    let mut daemon = Daemon::start();
    let repository = varied().bare();
    let blob = repository.git(&["rev-parse", "HEAD:config.yaml"]);
    let path = repository.path();
    repository.git(&["update-ref", "refs/notes/gitvan/keys", &blob]);
    repository.git(&["update-ref", "refs/notes/commits", &blob]);
    let commit = json!({"op": "commit", "path": path, "branch": "main", "message": "m",
                        "key": "k", "changes": [{"file": "a", "content": ""}]});
    daemon.refused("corrupt", commit);
    daemon.refused("corrupt", json!({"op": "note", "path": path, "target": "HEAD", "content": ""}));
    daemon.refused("corrupt", json!({"op": "notes", "path": path}));
}

#[test]
fn a_commit_whose_headers_are_in_another_order_is_corrupt() {
    let mut daemon = Daemon::start();
    let repository = varied();
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    let who = "<a@example.org> 1700000000 +0000";
    let signature = "-----BEGIN SSH SIGNATURE-----\n aaaa\n -----END SSH SIGNATURE-----";
    let commit =
        format!("tree {tree}\ngpgsig {signature}\nauthor A {who}\ncommitter A {who}\n\nm\n");
    let write = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
    let id = String::from_utf8(repository.git_with_input(&write, commit.as_bytes())).unwrap();
    repository.git(&["update-ref", "refs/heads/odd", id.trim_end()]);
    let path = repository.path();
    daemon.refused("corrupt", json!({"op": "verify", "path": path, "range": "odd"}));
    daemon.refused("corrupt", json!({"op": "log", "path": path, "range": "odd"}));
    let verified = daemon.ok(json!({"op": "verify", "path": path}));
    assert_eq!(
        (&verified["ok"], &verified["problems"][0]["object"]),
        (&json!(false), &json!(id.trim_end()))
    );
}
