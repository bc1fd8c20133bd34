//! A small repository for people to try things on, the same one each time.

use std::path::Path;

use git2::{Commit, Repository, RepositoryInitOptions, Signature, Time};

use crate::error::Result;

const NAME: &str = "Ada Example";
const EMAIL: &str = "ada@example.org";
const FIRST_TIMESTAMP: i64 = 1_735_689_600;
const README: &str = "# Shop\n\nWhat runs, and how much of it.\n";
const DATABASE: &str = "image: postgres:17\nreplicas: 1\n";

/// Makes a bare repository of two commits on the branch `main` at `path`.
pub fn create(path: &Path) -> Result<()> {
    super::set_up();
    let options = &mut RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head("main");
    let repository = Repository::init_opts(path, options)?;
    let first = commit(&repository, "describe the shop\n", "image: shop:1.0\nreplicas: 2\n", None)?;
    commit(&repository, "web: more of it\n", "image: shop:1.1\nreplicas: 5\n", Some(&first))?;
    Ok(())
}

fn commit<'a>(
    repository: &'a Repository,
    message: &str,
    web: &str,
    parent: Option<&Commit>,
) -> Result<Commit<'a>> {
    let mut deploy = repository.treebuilder(None)?;
    deploy.insert("database.yaml", repository.blob(DATABASE.as_bytes())?, 0o100644)?;
    deploy.insert("web.yaml", repository.blob(web.as_bytes())?, 0o100644)?;
    let mut top = repository.treebuilder(None)?;
    top.insert("README.md", repository.blob(README.as_bytes())?, 0o100644)?;
    top.insert("deploy", deploy.write()?, 0o040000)?;
    let tree = repository.find_tree(top.write()?)?;
    let parents: Vec<&Commit> = parent.into_iter().collect();
    let time = Time::new(FIRST_TIMESTAMP + 3600 * parents.len() as i64, 0);
    let person = Signature::new(NAME, EMAIL, &time)?;
    let branch = Some("refs/heads/main");
    let id = repository.commit(branch, &person, &person, message, &tree, &parents)?;
    Ok(repository.find_commit(id)?)
}
