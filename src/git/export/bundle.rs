//! A bundle: refs, and a pack with all that they reach. Format: gitformat-bundle(5), version 2.

use std::io::Write;

use git2::{Oid, PackBuilderStage, Sort};

use super::{Meter, Sink, failed};
use crate::{
    error::{Error, Result},
    git::Repository,
};

/// Writes refs and their whole history.
pub fn write(
    repository: &Repository,
    refs: &[(String, Oid)],
    sink: &mut Sink,
    meter: &Meter,
) -> Result<()> {
    if repository.inner.is_shallow() {
        let message = "a shallow clone has not the whole history that a bundle is made of";
        return Err(Error::unsupported(message).with("feature", "shallow clone"));
    }
    let lines: String = refs.iter().map(|(name, commit)| format!("{commit} {name}\n")).collect();
    let header = format!("# v2 git bundle\n{lines}\n");
    sink.write_all(header.as_bytes()).map_err(failed)?;
    let mut history = repository.inner.revwalk()?;
    history.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    for (_, commit) in refs {
        history.push(*commit)?;
    }
    let mut pack = repository.inner.packbuilder()?;
    // Several threads would find other differences each time.
    pack.set_threads(1);
    pack.set_progress_callback(|stage, done, total| {
        if let PackBuilderStage::Deltafication = stage {
            meter.done.set(u64::from(done));
        }
        meter.total.set(u64::from(total));
        meter.tell();
        !meter.watch.is_stopped()
    })?;
    let stopped = |error| match meter.watch.check() {
        Err(stopped) => stopped,
        Ok(()) => repository.lost(error),
    };
    pack.insert_walk(&mut history).map_err(stopped)?;
    let mut failure = None;
    let packed = pack.foreach(|bytes| {
        failure = sink.write_all(bytes).err();
        failure.is_none()
    });
    match failure {
        Some(error) => Err(failed(error)),
        None => packed.map_err(stopped),
    }
}
