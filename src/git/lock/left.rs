//! Locks of ours that could not be removed. They are in everybody's way, and nobody else takes them
//! for a dead process's while this one lives: so they are removed as soon as they can be.

use std::{fs, io, path::Path, sync::Mutex};

use super::living::Seen;

static LEFT: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// Removes a lock of ours, or has it removed by whoever next gets the right to write there.
pub fn let_go(lock: &Path) {
    match fs::remove_file(lock) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::warn!("{} stays for now: {error}", lock.display());
            LEFT.lock().expect("nobody panics with the lock").extend(Seen::at(lock));
        }
        _ => (),
    }
}

/// Removes what could not be removed before, below this folder.
pub fn let_go_at_last(folder: &Path) {
    let mut left = LEFT.lock().expect("nobody panics with the lock");
    left.retain(|it| !it.path.starts_with(folder) || (it.is_there() && !it.remove()));
}
