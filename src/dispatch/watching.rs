//! Repositories are watched for what starts runs in them, and runs that nobody asks for are woken.
//!
//! One thread for all of them. A repository in which nothing has triggers costs a look at a few
//! files now and then, any other one the same twice a second; it is opened where these changed, and
//! written where there is something to do.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Dispatch, guarded};
use crate::{
    error::Result,
    git::{Glimpse, RepositoryPath, has_processes, has_runs, has_triggers, is_left, now_ms},
    ops::trigger::{glance, look},
    runs::trigger::watch::Glance,
    watch::Watch,
};

/// How often a repository with triggers is looked at, at most.
const LOOK_MS: u64 = 500;
const LOOK: Duration = Duration::from_millis(LOOK_MS);
/// How often any other one is.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(10);

/// How long it takes until what failed is tried again.
const RETRY: Duration = Duration::from_millis(2000);

/// A repository that is watched.
struct Watched {
    /// What it was like.
    glimpse: Option<Glimpse>,
    /// Whether somebody has looked at its triggers, here or elsewhere.
    has_triggers: bool,
    /// When a schedule comes next, in milliseconds since 1970.
    next_ms: Option<i64>,
    looked: Instant,
    /// Whether something was done here since.
    has_news: bool,
}

impl Watched {
    /// When it is looked at next.
    fn at(&self) -> Instant {
        let every = if self.has_triggers || self.has_news { LOOK } else { LOOK_ELSEWHERE };
        let at = self.looked + every;
        match self.next_ms {
            Some(next_ms) => {
                let in_ms = next_ms.saturating_sub(now_ms().cast_signed()).max(0).cast_unsigned();
                at.min(Instant::now() + Duration::from_millis(in_ms.min(LOOK_MS)))
            }
            None => at,
        }
    }
}

impl Dispatch {
    /// The thread for it, for ever.
    pub(super) fn keep_watch(self: &Arc<Self>) {
        self.meet_all();
        let mut known: HashMap<PathBuf, Watched> = HashMap::new();
        let mut news = self.store.met().news(Some(Duration::ZERO));
        loop {
            self.take_news(&mut known, news);
            let now = Instant::now();
            let due = known.iter().filter(|it| it.1.at() <= now).map(|it| it.0.clone());
            for folder in due.collect::<Vec<_>>() {
                if self.board().is_closing() {
                    return;
                }
                let Some(it) = known.get_mut(&folder) else { continue };
                match guarded(|| self.watch_one(&folder, it)) {
                    Ok(true) => (),
                    Ok(false) => {
                        known.remove(&folder);
                        self.store.met().forget(&folder);
                        self.runs.watchers.forget(&folder);
                    }
                    Err(error) => log::error!("{}: {error}", folder.display()),
                }
            }
            let next = known.values().map(Watched::at).min();
            let next = next.map(|it| it.saturating_duration_since(Instant::now()));
            news = self.store.met().news(next);
        }
    }

    /// All workspaces, and what the operator named.
    fn meet_all(&self) {
        for path in &self.settings.watch {
            let opened = RepositoryPath::try_from(&**path);
            let opened = opened.and_then(|it| self.store.open(&it, Instant::now()).map(drop));
            if let Err(error) = opened {
                log::error!("{} is not watched: {error}", path.display());
            }
        }
        let Some(workspaces) = self.store.workspaces() else { return };
        match workspaces.list(None, usize::MAX) {
            Ok((all, _)) => all.iter().for_each(|it| {
                let place = workspaces.place(it);
                // Whoever was killed may have left runs that Git has not seen yet.
                let path = RepositoryPath::resolved_to(&place);
                if is_left(&place)
                    && let Err(error) = self.store.open(&path, Instant::now())
                {
                    log::error!("{}: {error}", place.display());
                }
                self.store.met().meet(&place);
            }),
            Err(error) => log::error!("workspaces are not watched: {error}"),
        }
    }

    fn take_news(self: &Arc<Self>, known: &mut HashMap<PathBuf, Watched>, news: HashSet<PathBuf>) {
        for folder in news {
            if let Some(it) = known.get_mut(&folder) {
                it.has_news = true;
                continue;
            }
            if self.board().is_closing() {
                return;
            }
            // What came due while nobody was here.
            let is_asleep = has_runs(&folder) && !self.runs.is_known(&folder);
            if is_asleep && let Err(error) = guarded(|| self.take_time(&folder)) {
                log::error!("{}: {error}", folder.display());
            }
            let looked = Instant::now().checked_sub(LOOK_ELSEWHERE).unwrap_or_else(Instant::now);
            let (glimpse, next_ms) = (None, None);
            let it = Watched { glimpse, has_triggers: false, next_ms, looked, has_news: false };
            known.insert(folder, it);
        }
    }

    /// Looks at one; false where it is gone.
    fn watch_one(self: &Arc<Self>, folder: &Path, it: &mut Watched) -> bool {
        let is_turn = LOOK_ELSEWHERE <= it.looked.elapsed();
        (it.looked, it.has_news) = (Instant::now(), false);
        if !folder.exists() {
            return false;
        }
        it.has_triggers = it.has_triggers || has_triggers(folder);
        let is_meant = it.has_triggers || is_turn && has_processes(folder);
        let is_time = it.next_ms.is_some_and(|at| at <= now_ms().cast_signed());
        let glimpse = Glimpse::of(folder);
        if !is_meant || !is_time && glimpse.is_still(it.glimpse.as_ref()) {
            return true;
        }
        it.glimpse = Some(glimpse);
        if let Err(error) = self.look_for_triggers(folder, it) {
            (it.glimpse, it.next_ms) = (None, None);
            it.looked = Instant::now() + RETRY;
            log::error!("{}: {error}", folder.display());
        }
        true
    }

    fn look_for_triggers(self: &Arc<Self>, folder: &Path, it: &mut Watched) -> Result<()> {
        let watch = Watch::default();
        let glance = || glance(&self.context(&watch, Instant::now(), None), folder);
        let mut found = glance()?;
        if let Glance::Due | Glance::Waiting(_) = found {
            self.step_by_itself(folder, look)?;
            found = glance()?;
        }
        (it.has_triggers, it.next_ms) = match found {
            Glance::Nothing => (false, None),
            // What waits for a run to end is looked at when something happens.
            Glance::Quiet(next_ms) | Glance::Waiting(next_ms) => (true, next_ms),
            Glance::Due => {
                // Either more happened meanwhile, or it failed.
                it.glimpse = None;
                it.looked = Instant::now() + RETRY;
                (true, None)
            }
        };
        Ok(())
    }
}
