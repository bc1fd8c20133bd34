//! Git repositories, here and far away. The only code that names git2.
//!
//! Reads nothing but what a request names: no configuration of the user or the machine, no hook.

mod aside;
mod branches;
mod cache;
mod checkout;
mod commit;
mod diff;
mod edit;
mod executions;
pub mod example;
mod glimpse;
mod met;
mod export;
mod failure;
mod fit;
mod folder;
mod follow;
mod hash;
mod history;
mod image;
mod kept;
mod keys;
mod import;
mod ledger;
mod lock;
mod merge;
mod locks;
mod maintain;
mod name;
mod notes;
mod objects;
mod pack;
mod percent;
mod plain;
mod policies;
mod references;
mod reflog;
mod removal;
mod refs;
pub mod remote;
mod repository;
mod revisions;
mod root;
mod stage;
mod signature;
mod status;
mod store;
mod tags;
mod tip;
mod transaction;
mod tree;
mod trees;
mod verify;
mod watched;
mod workspaces;
mod updates;
mod worktree;

use std::{env, path::PathBuf, process::Command, sync::Once};

pub use self::{
    branches::{BranchChange, BranchDraft, BranchMoved, BranchPage},
    commit::{
        Change, Committed, Content, Draft, Expect, Files, Message, Mode, Person, What, now, now_ms,
    },
    diff::{Changes, DiffQuery},
    edit::tree_of,
    executions::{Advance, Execution, Mark, RunId},
    export::{Export, Format, Output, Scratch},
    folder::Folder,
    glimpse::{Glimpse, has_processes, has_runs, has_triggers, is_left},
    hash::{NO_ID, made_id, object_id},
    history::{LogPage, LogQuery},
    import::{Bundle, Destination, Import, Imported, Mapping, Snapshot, check_name, trailer},
    kept::{Keeping, Kept},
    keys::{Key, Meaning},
    lock::Writer,
    locks::{
        Lease, LockKey, LockName, LockPage, LockQuery, Patience, Queued, RemoteLocks, Taken, Wait,
        Wish, boottime_ms, jittered_ms,
    },
    maintain::{Upkeep, Upkept, cared_for_ago},
    merge::{Favor, MergeDraft, Merged, Shown, Strategy},
    name::{FileName, RawName, RepositoryPath, Text},
    notes::{
        Note, NoteRemoval, Noted, NotesDraft, NotesQuery, Place, RECEIPT, Removed, Written, chosen,
    },
    pack::Kind,
    policies::{PolicyDraft, PolicyName},
    references::{Pattern, RefPage, RefQuery},
    refs::{
        BRANCHES, Branch, NOTES, Namespace, RefName, TAGS, Tag, expect_not_ours,
        expect_open_to_runs, in_full, is_part,
    },
    remote::{Access, Auth, Bring, Namespaces, Network, Pushed, Reason, Remote, Transport},
    repository::{Repository, Sha},
    root::Root,
    signature::{AllowedSigners, SignWith, Signer, Status as Standing, Verdict, line},
    status::{Status, StatusQuery},
    store::{Changed, Opened, Store},
    tags::{TagChange, TagDraft, TagMoved, TagPage},
    transaction::{Guard, Moved, Savepoint, Transaction},
    tree::{Bytes, Entry, Listing, Range},
    updates::{Update, Updated},
    verify::{Verification, Verified},
    watched::{Became, Facts, Remembered, Watched, is_own_tag, short_name},
    workspaces::{Deleted, WorkspaceId, Workspaces},
};

/// The name of an object.
pub type ObjectId = git2::Oid;

/// The version of libgit2 that is linked.
pub fn version() -> String {
    let (major, minor, patch) = git2::Version::get().libgit2_version();
    format!("{major}.{minor}.{patch}")
}

/// How much libgit2 keeps of the objects it read, over all repositories.
const CACHE_BYTES_MAX: isize = 64 * 1024 * 1024;
/// Packs are mapped in windows of this size; a window counts as memory while it is touched.
const WINDOW_BYTES: usize = 32 * 1024 * 1024;
const MAPPED_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Where OpenSSL is told to look for certificates, and what the operator said about it.
const CERTIFICATES: [(&str, &str, &str); 2] = [
    ("SSL_CERT_FILE", "GITPORT_SSL_CERT_FILE", "/dev/null"),
    ("SSL_CERT_DIR", "GITPORT_SSL_CERT_DIR", "/nonexistent"),
];

/// Keeps OpenSSL from reading all the system's certificates, some 40 ms, in processes that never
/// need them. Whoever speaks https names them to libgit2.
pub fn keep_certificates_for_https() {
    if CERTIFICATES.iter().any(|(_, kept, _)| env::var_os(kept).is_some()) {
        // A child: its daemon did this.
        return;
    }
    // What the operator says, or else where systems have them.
    let found = openssl_probe::probe();
    for ((name, kept, nowhere), found) in
        CERTIFICATES.into_iter().zip([found.cert_file, found.cert_dir])
    {
        #[allow(unsafe_code, reason = "OpenSSL takes this from the environment alone")]
        // SAFETY: `main` calls this first, while there is one thread.
        unsafe {
            env::set_var(kept, found.unwrap_or_default());
            env::set_var(name, nowhere);
        }
    }
}

/// The system's certificates as a file and a folder, or those the operator named.
pub(crate) fn certificates() -> [Option<PathBuf>; 2] {
    let kept = |name| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    CERTIFICATES.map(|(_, name, _)| kept(name))
}

/// Gives a child that is no part of this program the operator's own environment back.
pub(crate) fn restore_certificates(command: &mut Command) {
    for ((name, _, _), kept) in CERTIFICATES.into_iter().zip(certificates()) {
        match kept {
            Some(own) => command.env(name, own),
            None => command.env_remove(name),
        };
    }
}

/// Sets the library up, once for the process, before its first use.
pub(crate) fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Stock git does not hash what it reads either; `verify` is for that.
        git2::opts::strict_hash_verification(false);
        #[allow(unsafe_code, reason = "libgit2's process-wide options have no safe interface")]
        // SAFETY: nothing else uses libgit2 yet; every use of it comes here first.
        unsafe {
            use git2::ConfigLevel::{Global, ProgramData, System, XDG};
            for level in [System, Global, XDG, ProgramData] {
                git2::opts::set_search_path(level, "").expect("an empty path is fine");
            }
            git2::opts::set_cache_max_size(CACHE_BYTES_MAX).expect("the option exists");
            git2::opts::set_mwindow_size(WINDOW_BYTES).expect("the option exists");
            git2::opts::set_mwindow_mapped_limit(MAPPED_BYTES_MAX).expect("the option exists");
        }
    });
}
