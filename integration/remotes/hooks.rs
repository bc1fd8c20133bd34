//! A sync runs no program that a repository, a template or somebody's configuration names.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{Place, each_way, sync};
use crate::{
    daemon::Daemon,
    servers::{http::HttpServer, inetd::GitDaemon, origin::Origin, output},
};

const HOOKS: [&str; 9] = [
    "post-checkout",
    "post-merge",
    "post-rewrite",
    "post-index-change",
    "pre-auto-gc",
    "reference-transaction",
    "fsmonitor-watchman",
    "update",
    "post-update",
];

/// A folder of hooks that leave a mark where they are told.
fn write_hooks(folder: &Path, marks: &Path) {
    fs::create_dir_all(folder).unwrap();
    for hook in HOOKS {
        let file = folder.join(hook);
        let script = format!("#!/bin/sh\ntouch '{}/{hook}'\n", marks.display());
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Where programs that run leave their names.
struct Marks(TempDir);

impl Marks {
    fn new() -> Marks {
        Marks(tempfile::tempdir().unwrap())
    }

    /// A command that leaves `name`.
    fn touch(&self, name: &str) -> String {
        format!("touch {}", self.0.path().join(name).display())
    }

    #[track_caller]
    fn are_none(&self) {
        let names = fs::read_dir(self.0.path()).unwrap().map(|it| it.unwrap().file_name());
        let names: Vec<_> = names.collect();
        assert!(names.is_empty(), "these ran: {names:?}");
    }
}

/// Clones, then fetches something new, from urls of three transports.
fn clone_and_fetch(flags: &[&str], home: impl Fn() -> TempDir, between: impl Fn(&Place)) {
    let origin = Origin::new();
    let http = HttpServer::start(origin.folder());
    let git = GitDaemon::start(origin.folder());
    let path = origin.path().display().to_string();
    for url in [http.url("open/project.git"), git.url("project.git"), path] {
        let place = Place::new();
        let mut daemon = Daemon::start_in(home(), flags, &[]);
        daemon.ok(sync(&url, &place.path()));
        between(&place);
        let id = origin.commit("main", &[("readme.txt", &format!("newer from {url}\n"))]);
        assert_eq!(daemon.ok(sync(&url, &place.path())), id, "{url}");
    }
}

#[test]
fn hooks_of_the_clone_never_run() {
    each_way(|flags| {
        let marks = Marks::new();
        let home = || tempfile::tempdir().unwrap();
        clone_and_fetch(flags, home, |place| {
            write_hooks(&place.path().join(".git/hooks"), marks.0.path());
        });
        marks.are_none();
    });
}

#[test]
fn hooks_of_a_template_never_run() {
    each_way(|flags| {
        let marks = Marks::new();
        let home = || {
            let home = tempfile::tempdir().unwrap();
            let template = home.path().join("template");
            write_hooks(&template.join("hooks"), marks.0.path());
            let text = format!(
                "[init]\n\ttemplateDir = {template}\n[core]\n\thooksPath = {template}/hooks\n",
                template = template.display()
            );
            fs::write(home.path().join(".gitconfig"), text).unwrap();
            home
        };
        clone_and_fetch(flags, home, |_| {});
        marks.are_none();
    });
}

#[test]
fn programs_that_configuration_names_never_run() {
    each_way(|flags| {
        let marks = Marks::new();
        let settings = |place: &str| {
            [
                ("core.fsmonitor", marks.touch(&format!("{place}-fsmonitor"))),
                ("core.sshCommand", marks.touch(&format!("{place}-ssh"))),
                ("core.gitProxy", marks.touch(&format!("{place}-proxy"))),
                ("core.askPass", marks.touch(&format!("{place}-ask"))),
                ("credential.helper", format!("!{}", marks.touch(&format!("{place}-helper")))),
                ("filter.mark.smudge", marks.touch(&format!("{place}-smudge"))),
                ("filter.mark.clean", marks.touch(&format!("{place}-clean"))),
                ("remote.origin.uploadpack", marks.touch(&format!("{place}-pack"))),
                ("core.alternateRefsCommand", marks.touch(&format!("{place}-refs"))),
            ]
        };
        let set = |file: PathBuf, place: &str| {
            for (name, value) in settings(place) {
                let mut git = crate::servers::command("git");
                output(git.args(["config", "-f"]).arg(&file).args([name, &value]));
            }
        };
        let home = || {
            let home = tempfile::tempdir().unwrap();
            set(home.path().join(".gitconfig"), "home");
            home
        };
        clone_and_fetch(flags, home, |place| {
            set(place.path().join(".git/config"), "clone");
            fs::create_dir_all(place.path().join(".git/info")).unwrap();
            fs::write(place.path().join(".git/info/attributes"), "* filter=mark\n").unwrap();
        });
        marks.are_none();
    });
}

#[test]
fn configuration_does_not_change_where_a_sync_goes() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let marks = Marks::new();
        let home = tempfile::tempdir().unwrap();
        let text = format!(
            "[url \"ext::sh -c {}\"]\n\tinsteadOf = http://\n[protocol]\n\tallow = always\n",
            marks.touch("elsewhere").replace(' ', "% ")
        );
        fs::write(home.path().join(".gitconfig"), text).unwrap();
        let place = Place::new();
        let mut daemon = Daemon::start_in(home, flags, &[]);
        let request = sync(server.url("open/project.git"), &place.path());
        assert_eq!(daemon.ok(request.clone()), origin.tip("main"));
        let key = format!("url.ext::sh -c {}.insteadOf", marks.touch("nearby").replace(' ', "% "));
        place.git(&["config", &key, "http://"]);
        place.git(&["config", "protocol.allow", "always"]);
        // Whether the clone is still one of this url may be doubted.
        daemon.call(request);
        marks.are_none();
    });
}
