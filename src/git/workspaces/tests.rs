//! What is deleted is kept for a while, and then it is gone.

use std::{
    fs,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;

fn workspaces(folder: &TempDir) -> Workspaces {
    let root = Root::new(None).unwrap();
    Workspaces::new(&folder.path().join("data"), &root).unwrap()
}

fn created(workspaces: &Workspaces, id: &str) -> WorkspaceId {
    let id = WorkspaceId::new(id).unwrap();
    workspaces.create(&id, &Branch::new("main").unwrap(), None).unwrap();
    id
}

#[test]
fn a_purge_removes_what_was_deleted_before_a_time() {
    let folder = TempDir::new().unwrap();
    let workspaces = workspaces(&folder);
    let watch = Watch::default();
    let (old, new) = (created(&workspaces, "old"), created(&workspaces, "new"));
    let time = workspaces.delete(&old, None, &watch, |it| it()).unwrap();
    let mut later = workspaces.delete(&new, None, &watch, |it| it()).unwrap();
    while later == time {
        workspaces.restore(&new, None).unwrap();
        later = workspaces.delete(&new, None, &watch, |it| it()).unwrap();
    }
    assert_eq!(workspaces.purge(later, &watch).unwrap(), 1);
    assert!(workspaces.restore(&old, None).is_err());
    workspaces.restore(&new, Some(later)).unwrap();
    assert_eq!(names(&workspaces.aside()).unwrap(), [""; 0]);
    assert_eq!(names(&workspaces.deleted()).unwrap(), [""; 0]);
}

#[test]
fn what_the_dead_left_aside_is_swept_but_not_what_the_living_have_there() {
    let folder = TempDir::new().unwrap();
    let workspaces = workspaces(&folder);
    created(&workspaces, "first");
    let left = workspaces.aside().join("left");
    let living = Aside::enter(workspaces.aside()).unwrap();
    fs::create_dir(&left).unwrap();
    workspaces.list(None, 1).unwrap();
    assert!(left.exists(), "somebody may be at work there");
    drop(living);
    // A child that another test starts has all that is open here until its program begins.
    let since = Instant::now();
    while left.exists() && since.elapsed() < Duration::from_secs(60) {
        workspaces.list(None, 1).unwrap();
    }
    assert!(!left.exists());
}
