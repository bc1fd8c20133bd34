//! A revision as one file, which stock tools take for what stock git would have written.

use std::{
    fs,
    io::Write,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    fs::{CWD, Mode, mkfifoat},
    process::Signal,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    msgpack::bytes,
    processes::{PATIENCE, resident_bytes_max, until},
    repository::{Repository, git_command, text, varied},
};

const MIB: u64 = 1 << 20;

fn export(repository: &Repository, format: &str) -> Value {
    json!({"op": "workspace.export", "path": repository.path(), "format": format})
}

fn to(mut request: Value, file: &Path) -> Value {
    request["to"] = json!(file);
    request
}

fn with(mut request: Value, key: &str, value: Value) -> Value {
    request[key] = value;
    request
}

fn content(daemon: &mut Daemon, request: Value) -> Vec<u8> {
    bytes(&daemon.ok(with(request, "encoding", json!("binary")))["content"])
}

fn stdout(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// What `tar` tells of an archive: modes, owners, sizes, times, names and links.
fn listed(archive: &[u8], flags: &str) -> String {
    let mut command = Command::new("tar");
    command.args([flags, "-"]).env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let archive = archive.to_vec();
    let writer = std::thread::Builder::new().spawn(move || input.write_all(&archive)).unwrap();
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A history with what archives may stumble over.
fn odd() -> Repository {
    let repository = varied();
    let long = "a long name ".repeat(15);
    repository.write(format!("{long}/{long}/file.txt"), "far away\n");
    repository.link("far", &format!("{long}/{long}/file.txt"));
    repository.link("odd link", "./with blank//and/../there");
    repository.write("big.txt", "line\n".repeat(300_000));
    repository.git(&["add", "-A"]);
    let id = repository.head();
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},module")]);
    repository.write("attributes.txt", "$Format:%H$\n");
    repository.write(".gitattributes", "attributes.txt export-subst text eol=crlf\n");
    repository.git(&["add", "attributes.txt", ".gitattributes"]);
    repository.commit_staged("odd");
    // `git archive` honours this and we do not.
    repository.git(&["config", "core.attributesFile", "/dev/null"]);
    repository
}

/// What git would write without attributes.
fn archived(repository: &Repository, arguments: &[&str]) -> Vec<u8> {
    let empty = "info/attributes";
    fs::create_dir_all(repository.file(".git/info")).unwrap();
    let attributes = "* -text -eol -export-subst -export-ignore\n";
    fs::write(repository.file(".git").join(empty), attributes).unwrap();
    repository.git_bytes(&[&["archive", "--format=tar"], arguments].concat())
}

#[test]
fn an_archive_is_what_git_archive_writes() {
    let repository = odd();
    let mut daemon = Daemon::start();
    let unpacked = TempDir::new().unwrap();
    for (arguments, request) in [
        (vec!["HEAD"], export(&repository, "tar.gz")),
        (vec!["HEAD~2"], with(export(&repository, "tar.gz"), "rev", json!("HEAD~2"))),
        (
            vec!["--prefix=app/", "HEAD"],
            with(export(&repository, "tar.gz"), "prefix", json!("app")),
        ),
        (
            vec!["HEAD", "source/deep", "link", "with blank/and ünïcode.txt"],
            with(
                export(&repository, "tar.gz"),
                "paths",
                json!(["source/deep", "link", "with blank/and ünïcode.txt"]),
            ),
        ),
    ] {
        let expected = archived(&repository, &arguments);
        let archive = content(&mut daemon, request.clone());
        assert_eq!(listed(&archive, "-tvzf"), listed(&expected, "-tvf"), "{arguments:?}");
        let [ours, theirs] = ["ours", "theirs"].map(|it| unpacked.path().join(it));
        for (folder, archive, flags) in [(&ours, &archive, "-xzf"), (&theirs, &expected, "-xf")] {
            fs::create_dir(folder).unwrap();
            let file = unpacked.path().join("archive");
            fs::write(&file, archive).unwrap();
            stdout(Command::new("tar").arg(flags).arg(&file).arg("-C").arg(folder));
        }
        stdout(Command::new("diff").args(["-r", "--no-dereference"]).arg(&ours).arg(&theirs));
        [ours, theirs].iter().for_each(|it| fs::remove_dir_all(it).unwrap());
    }
    let file = unpacked.path().join("archive.tar.gz");
    daemon.ok(to(export(&repository, "tar.gz"), &file));
    let id = stdout(
        Command::new("sh").args(["-c", "gzip -dc < \"$0\" | git get-tar-commit-id"]).arg(&file),
    );
    assert_eq!(String::from_utf8(id).unwrap().trim(), repository.head());
}

#[test]
fn a_zip_has_the_same_files_with_modes_and_links() {
    let repository = odd();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("archive.zip");
    let mut daemon = Daemon::start();
    daemon.ok(to(with(export(&repository, "zip"), "prefix", json!("app")), &file));
    const LIST: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    assert archive.comment.decode() == sys.argv[2], archive.comment
    times = {entry.date_time for entry in archive.infolist()}
    assert len(times) == 1, times
    for entry in archive.infolist():
        if not entry.is_dir():
            print(f'{entry.external_attr >> 16:o} {len(archive.read(entry))} {entry.filename}')
        elif not entry.filename.startswith('app/module'):
            assert entry.external_attr >> 16 == 0o40755, entry
";
    let listed =
        stdout(Command::new("python3").args(["-c", LIST]).arg(&file).arg(repository.head()));
    let tree = repository.git(&["-c", "core.quotePath=off", "ls-tree", "-rl", "HEAD"]);
    let expected: Vec<String> = tree
        .lines()
        .filter(|line| !line.starts_with("160000"))
        .map(|line| {
            let (fields, name) = line.split_once('\t').unwrap();
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let mode = if fields[0] == "120000" { "120777" } else { fields[0] };
            format!("{mode} {} app/{name}", fields[3])
        })
        .collect();
    assert_eq!(String::from_utf8(listed).unwrap().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn long_names_are_read_by_stock_tools_or_refused() {
    let repository = Repository::new();
    for length in [99, 100, 101, 249, 250, 255] {
        repository.write("x".repeat(length), "");
        repository.write(format!("{}/file", "y".repeat(length)), "");
    }
    let deep = vec!["z".repeat(200); 15].join("/");
    repository.write(format!("{deep}/file"), "deep");
    repository.commit("long");
    let mut daemon = Daemon::start();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.zip");
    let mut names: Vec<String> =
        repository.git(&["ls-files"]).lines().map(|it| format!("p/{it}")).collect();
    names.sort();
    let files = |listed: &str| {
        let mut files: Vec<_> = listed.lines().filter(|it| !it.ends_with('/')).collect();
        files.sort_unstable();
        files.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let archive = content(&mut daemon, with(export(&repository, "tar.gz"), "prefix", json!("p")));
    assert_eq!(files(&listed(&archive, "-tzf")), names);
    daemon.ok(to(with(export(&repository, "zip"), "prefix", json!("p")), &file));
    let listed = stdout(Command::new("python3").args(["-m", "zipfile", "-t"]).arg(&file));
    assert!(listed.starts_with(b"Done"), "{listed:?}");
    const NAMES: &str = "
import sys, zipfile
print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))";
    let listed = stdout(Command::new("python3").args(["-c", NAMES]).arg(&file));
    assert_eq!(files(&String::from_utf8(listed).unwrap()), names);
    let longest = vec!["p".repeat(200); 10].join("/");
    let archive =
        content(&mut daemon, with(export(&repository, "tar.gz"), "prefix", json!(longest)));
    assert!(!archive.is_empty());
    let reply =
        daemon.refused("too_large", with(export(&repository, "zip"), "prefix", json!(longest)));
    assert_eq!(reply["limit"], 4095, "{reply}");
    for format in ["zip", "tar.gz"] {
        let long = with(export(&repository, format), "prefix", json!("p".repeat(70_000)));
        assert_eq!(daemon.refused("bad_request", long)["field"], "prefix");
    }
}

#[test]
fn a_file_has_any_name_that_the_disk_takes() {
    let repository = varied();
    let mut daemon = Daemon::start();
    let folder = TempDir::new().unwrap();
    for length in [238, 239, 240, 250, 255] {
        let place = folder.path().join("x".repeat(length));
        daemon.ok(to(export(&repository, "zip"), &place));
        assert!(place.exists());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    let place = folder.path().join("x".repeat(256));
    let reply = daemon.refused("bad_request", to(export(&repository, "zip"), &place));
    assert_eq!(reply["field"], "to");
}

#[test]
fn a_bundle_is_cloned_by_stock_git_with_its_whole_history() {
    let repository = varied();
    repository.git(&["branch", "side", "HEAD~1"]);
    repository.git(&["tag", "-a", "-m", "one", "v1", "HEAD~2"]);
    let mut daemon = Daemon::start();
    let folder = TempDir::new().unwrap();
    for (rev, branch, commits) in
        [("HEAD", "main", "3"), ("side", "side", "2"), ("v1", "main", "1"), ("HEAD~1", "main", "2")]
    {
        let sha = repository.git(&["rev-parse", &format!("{rev}^{{commit}}")]);
        let file = folder.path().join(format!("{commits}-{branch}-{rev}.bundle"));
        let exported = daemon.ok(to(with(export(&repository, "bundle"), "rev", json!(rev)), &file));
        assert_eq!(exported["sha"], sha);
        assert_eq!(exported["bytes"], fs::metadata(&file).unwrap().len());
        repository.git(&["bundle", "verify", "-q", text(&file)]);
        let clone = folder.path().join(format!("clone of {rev}"));
        let git = |folder: &Path, arguments: &[&str]| {
            let output = stdout(git_command(folder).args(arguments));
            String::from_utf8(output).unwrap().trim().to_owned()
        };
        git(folder.path(), &["clone", "-q", text(&file), text(&clone)]);
        assert_eq!(git(&clone, &["symbolic-ref", "--short", "HEAD"]), branch);
        assert_eq!(git(&clone, &["rev-parse", "HEAD"]), sha);
        assert_eq!(git(&clone, &["rev-list", "--count", "HEAD"]), commits);
        assert_eq!(git(&clone, &["status", "--porcelain"]), "");
        git(&clone, &["fsck", "--strict"]);
    }
    let shallow = repository.cloned(&["--depth", "1"]);
    daemon.refused("unsupported", export(&shallow, "bundle"));
    repository.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = repository.cloned(&["--filter=blob:none", "--no-checkout"]);
    for format in ["bundle", "tar.gz", "zip"] {
        let reply = daemon.refused("unsupported", export(&partial, format));
        assert_eq!(reply["feature"], "partial clone");
    }
}

#[test]
fn one_revision_gives_the_same_bytes_each_time() {
    let repository = odd();
    let formats = ["bundle", "tar.gz", "zip"];
    let first = formats.map(|it| content(&mut Daemon::start(), export(&repository, it)));
    repository.git(&["gc", "-q", "--aggressive"]);
    repository.git(&["config", "core.bigFileThreshold", "1m"]);
    let packed = formats.map(|it| content(&mut Daemon::start(), export(&repository, it)));
    assert_eq!(first[1..], packed[1..]);
    let again = formats.map(|it| content(&mut Daemon::start(), export(&repository, it)));
    assert!(packed == again);
}

#[test]
fn a_file_is_never_replaced_unless_that_is_asked_for() {
    let repository = varied();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.tar.gz");
    let mut daemon = Daemon::start();
    let request = to(export(&repository, "tar.gz"), &file);
    daemon.ok(request.clone());
    let before = fs::read(&file).unwrap();
    daemon.refused("already_exists", request.clone());
    fs::write(&file, "mine").unwrap();
    daemon.refused("already_exists", request.clone());
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    daemon.ok(with(request, "overwrite", json!(true)));
    assert_eq!(fs::read(&file).unwrap(), before);
    let reply = daemon.refused("bad_request", to(export(&repository, "zip"), folder.path()));
    assert_eq!(reply["field"], "to");
    daemon.refused("not_found", to(export(&repository, "zip"), &folder.path().join("no/x.zip")));
    daemon.refused("bad_request", to(export(&repository, "zip"), Path::new("x.zip")));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(names, [file], "nothing else is left");
}

#[test]
fn nothing_but_a_file_or_a_link_is_replaced() {
    let repository = varied();
    let bare = repository.bare();
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    let mut daemon = Daemon::start();
    let mut forced = |to_place: &Path, code: &str, rule: &str| {
        let request = with(to(export(&repository, "zip"), to_place), "overwrite", json!(true));
        assert_eq!(daemon.refused(code, request)["rule"], rule, "{to_place:?}");
    };
    mkfifoat(CWD, place("fifo"), Mode::from_raw_mode(0o600)).unwrap();
    let _socket = UnixListener::bind(place("socket")).unwrap();
    for name in ["fifo", "socket"] {
        forced(&place(name), "denied", "type");
    }
    forced(Path::new("/dev/null"), "denied", "type");
    symlink(repository.file(".git"), place("link")).unwrap();
    for inside in [
        repository.file(".git/HEAD"),
        repository.file(".git/hooks/post-commit"),
        repository.file(".git"),
        bare.file("HEAD"),
        bare.file("refs/heads/new"),
        place("link/config"),
    ] {
        forced(&inside, "denied", "git folder");
    }
    fs::write(place("target"), "mine").unwrap();
    symlink(place("target"), place("to")).unwrap();
    let request = with(to(export(&repository, "zip"), &place("to")), "overwrite", json!(true));
    daemon.ok(request);
    assert!(fs::symlink_metadata(place("to")).unwrap().is_file());
    assert_eq!(fs::read(place("target")).unwrap(), b"mine");
    assert_eq!(repository.git(&["rev-parse", "HEAD"]), repository.head());
}

#[test]
fn a_link_that_leads_in_is_not_replaced_outside_the_root() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let (root, link) = (base.join("root"), base.join("link"));
    let origin = varied();
    origin.git(&["clone", "-q", "--bare", origin.path(), text(&root)]);
    fs::write(base.join("root/file"), "").unwrap();
    symlink(root.join("file"), &link).unwrap();
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    let request = json!({"op": "workspace.export", "path": root, "format": "zip", "to": link,
                         "overwrite": true});
    assert_eq!(daemon.refused("denied", request)["rule"], "root");
    assert!(link.is_symlink());
}

#[test]
fn files_go_nowhere_outside_the_root_and_not_to_the_data() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let root = base.join("root");
    fs::create_dir(&root).unwrap();
    let (root_flag, data) = (format!("--root={}", text(&root)), root.join("data"));
    let mut daemon = Daemon::start_with(&[&root_flag, &format!("--data={}", text(&data))]);
    let request = json!({"op": "workspace.create", "workspace": "one"});
    let path = daemon.ok(request)["path"].as_str().unwrap().to_owned();
    let origin = varied();
    origin.git(&["push", "-q", &path, "main"]);
    let request = json!({"op": "workspace.export", "workspace": "one", "format": "zip"});
    for (place, rule) in [
        (base.join("x.zip"), "root"),
        (data.join("x.zip"), "data"),
        (Path::new(&path).join("HEAD"), "data"),
    ] {
        let forced = with(to(request.clone(), &place), "overwrite", json!(true));
        assert_eq!(daemon.refused("denied", forced)["rule"], rule, "{place:?}");
    }
    let exported = daemon.ok(to(request, &root.join("x.zip")));
    assert_eq!(exported["sha"], origin.head());
}

#[test]
fn what_is_too_long_for_a_reply_is_told_to_go_to_a_file() {
    let repository = Repository::new();
    repository.write("noise", noise(100_000));
    repository.commit("noise");
    let mut daemon = Daemon::start_with(&["--reply-bytes-max", "50000"]);
    for format in ["bundle", "tar.gz", "zip"] {
        let reply = daemon.refused("too_large", export(&repository, format));
        assert!(reply["err"].as_str().unwrap().contains("`to`"), "{reply}");
        let folder = TempDir::new().unwrap();
        daemon.ok(to(export(&repository, format), &folder.path().join("x")));
    }
}

fn noise(length: usize) -> Vec<u8> {
    crate::servers::origin::noise(length, 7)
}

#[test]
fn a_large_file_goes_through_in_pieces() {
    let repository = Repository::new();
    repository.git(&["config", "core.bigFileThreshold", "1m"]);
    repository.write("large", vec![b'x'; 300 << 20]);
    repository.commit("large");
    let folder = TempDir::new().unwrap();
    for is_packed in [false, true] {
        if is_packed {
            repository.git(&["repack", "-adq"]);
        }
        for format in ["tar.gz", "zip"] {
            let mut daemon = Daemon::start();
            let file = folder.path().join(format!("{is_packed}.{format}"));
            daemon.ok(to(export(&repository, format), &file));
            let peak = resident_bytes_max(daemon.id());
            assert!(peak < 120 * MIB, "{format}, packed {is_packed}: {} MiB", peak / MIB);
        }
    }
}

#[test]
fn an_export_tells_how_it_gets_on_and_ends_when_it_is_cancelled() {
    let repository = Repository::new();
    for number in 0..40 {
        repository.write(format!("{number}"), noise(2 << 20));
    }
    repository.write("zeroes", vec![0; 600 << 20]);
    repository.commit("noise");
    let folder = TempDir::new().unwrap();
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "subscribe", "events": ["progress"], "id": 0}));
    for format in ["tar.gz", "zip"] {
        let file = folder.path().join("x");
        let request = with(to(export(&repository, format), &file), "id", json!(1));
        daemon.send(request.clone());
        let event = daemon.receive();
        assert_eq!(
            (&event["stage"], &event["op"]),
            (&json!("writing"), &json!("workspace.export"))
        );
        daemon.send(json!({"op": "cancel", "request": 1, "id": 2}));
        let replies = std::iter::repeat_with(|| daemon.receive());
        let codes: Vec<Value> = replies.filter(|it| it.get("event").is_none()).take(2).collect();
        assert!(codes.iter().any(|it| it["code"] == "cancelled"), "{codes:?}");
        let left = || fs::read_dir(folder.path()).unwrap().count();
        until("nothing is left of it", PATIENCE, || left() == 0);
        let late = with(request, "timeout_ms", json!(20));
        daemon.send(late);
        let mut replies = std::iter::repeat_with(|| daemon.receive());
        let reply = replies.find(|it| it.get("event").is_none()).unwrap();
        assert_eq!(reply["code"], "timeout");
        until("nothing is left of it", PATIENCE, || left() == 0);
    }
}

#[test]
fn what_a_killed_export_left_is_taken_over_by_the_next() {
    let repository = Repository::new();
    repository.write("zeroes", vec![0; 200 << 20]);
    let sha = repository.commit("zeroes");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.tar.gz");
    let left = folder.path().join(".x.tar.gz.gitport-export");
    let request = to(export(&repository, "tar.gz"), &file);
    let mut daemon = Daemon::start();
    daemon.send(request.clone());
    until("it is writing", PATIENCE, || left.exists());
    let mut other = Daemon::start();
    other.refused("locked", request.clone());
    daemon.signal(Signal::KILL);
    daemon.exit();
    assert!(left.exists() && !file.exists());
    assert_eq!(other.ok(request)["sha"], sha);
    assert!(!left.exists() && file.exists());
}

#[test]
fn a_commit_with_names_that_lead_out_is_denied() {
    let repository = varied();
    let blob = repository.git(&["rev-parse", "HEAD:README.md"]);
    let mut daemon = Daemon::start();
    for name in ["..", ".git", "a/b", "."] {
        // A tree that `git mktree` would refuse.
        let id: Vec<u8> =
            (0..20).map(|it| u8::from_str_radix(&blob[2 * it..2 * it + 2], 16).unwrap()).collect();
        let content = [format!("100644 {name}\0").as_bytes(), &id].concat();
        let write = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
        let tree = repository.git_with_input(&write, &content);
        let tree = String::from_utf8(tree).unwrap();
        let commit = repository.git(&["commit-tree", "-m", "evil", tree.trim()]);
        for format in ["tar.gz", "zip"] {
            let request = with(export(&repository, format), "rev", json!(commit));
            let reply = daemon.call(request);
            assert_eq!(reply["code"], "denied", "{name}: {reply}");
        }
    }
}
