//! What changes a repository: it is on disk when it is answered, and stock git agrees with it.

mod committing;

use crate::repository::Repository;

/// A bare repository without a commit.
fn bare() -> Repository {
    Repository::init(&["--bare"])
}

/// Stock git finds nothing wrong.
fn fsck(repository: &Repository) {
    repository.git(&["fsck", "--strict", "--full"]);
}
