//! Processes and blocks under way: opened, withdrawn from, closed.

use std::collections::BTreeSet;

use super::{
    data::{Scope, lay_over},
    definition::{Data, flow::End},
    event::{Call, Kind, OK, Refused},
    net::{Body, Cancelled, NetNo, PlaceNo, StepNo},
    state::{Frame, Id, ItemStatus, Problem, Status},
    work::{Done, Work},
};

/// How deep blocks and calls may be in each other.
pub const DEPTH_MAX: u32 = 100;

impl Work<'_> {
    /// The inside of an item: of a call, with data of its own.
    pub fn open(&mut self, id: Id, net_no: NetNo, given: Option<Data>) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(around) = self.frame(item.frame).cloned() else { return Ok(()) };
        if around.depth >= DEPTH_MAX {
            let message = format!("blocks and calls are at most {DEPTH_MAX} deep");
            return Err(Refused::too_large(message));
        }
        let frame = self.id();
        let process = if given.is_some() { frame } else { around.process };
        let (parent, depth, path) = (Some(item.frame), around.depth + 1, self.path_of(&item));
        if given.is_some() {
            let process = self.processes.net(net_no).process_name.clone();
            self.calls.push(Call { path: path.clone(), item: id, process });
        }
        let row = Frame { net: net_no, item: Some(id), parent, process, depth, path };
        self.rows.frames.put(frame, row);
        self.change_item(id, |it| {
            it.inside = Some(frame);
            it.status = ItemStatus::Inside;
        });
        self.enter_frame(frame, given, item.by)
    }

    /// Puts the data and the first thread into a frame.
    pub fn enter_frame(&mut self, frame: Id, given: Option<Data>, by: Id) -> Done {
        let Some((_, net)) = self.net_of(frame) else { return Ok(()) };
        if let Some(given) = given {
            let mut data = serde_json::Value::Object(net.data.clone());
            lay_over(&mut data, &serde_json::Value::Object(given));
            for (name, value) in data.as_object().into_iter().flatten() {
                self.rows.data.put((frame, name.clone()), value.clone());
            }
        }
        self.put_token(frame, net.step(net.initial).ready, by, &[])
    }

    /// Withdraws what is inside of an item: a frame, or instances.
    pub fn drop_inside(&mut self, id: Id) -> Vec<Id> {
        let mut withdrawn = Vec::new();
        if let Some(frame) = self.item(id).and_then(|it| it.inside) {
            self.drop_frame(frame, &mut withdrawn);
            self.change_item(id, |it| it.inside = None);
        }
        let instances: Vec<Id> =
            self.rows.in_group.range((id, 0)..=(id, Id::MAX)).map(|(key, ())| key.1).collect();
        for instance in instances {
            self.drop_whole(instance, &mut withdrawn);
        }
        let range = (id, 0)..=(id, u64::MAX);
        let results: Vec<_> = self.rows.results.range(range).map(|(key, _)| *key).collect();
        for key in results {
            self.rows.results.remove(&key);
        }
        let heads: Vec<_> =
            self.rows.heads.range((id, 0)..=(id, Id::MAX)).map(|it| *it.0).collect();
        for key in heads {
            self.rows.heads.remove(&key);
            withdrawn.push(key.1);
        }
        withdrawn
    }

    fn drop_whole(&mut self, id: Id, withdrawn: &mut Vec<Id>) {
        withdrawn.extend(self.drop_inside(id));
        withdrawn.extend(self.drop_item(id).map(|it| it.by));
    }

    /// Withdraws all threads of a frame, and all that goes on in it but `spared`.
    fn clear(&mut self, frame: Id, spared: Option<Id>, withdrawn: &mut Vec<Id>) {
        let range = (frame, 0, 0)..=(frame, u32::MAX, Id::MAX);
        let tokens: Vec<_> = self.rows.tokens.range(range.clone()).map(|it| *it.0).collect();
        for (_, place, id) in tokens {
            withdrawn.extend(self.take_token(frame, place, id).map(|it| it.by));
        }
        let items: Vec<Id> = self.rows.at_step.range(range).map(|(key, ())| key.2).collect();
        for id in items.into_iter().filter(|it| Some(*it) != spared) {
            self.drop_whole(id, withdrawn);
        }
        let range = (frame, 0)..=(frame, u32::MAX);
        let rounds: Vec<_> = self.rows.rounds.range(range).map(|it| *it.0).collect();
        for key in rounds {
            withdrawn.extend(self.rows.rounds.remove(&key).map(|it| it.by));
        }
    }

    fn drop_frame(&mut self, frame: Id, withdrawn: &mut Vec<Id>) {
        self.clear(frame, None, withdrawn);
        withdrawn.extend(self.take_heads(frame));
        let range = (frame, 0)..=(frame, u32::MAX);
        let done: Vec<_> = self.rows.done.range(range).map(|it| *it.0).collect();
        for key in done {
            self.rows.done.remove(&key);
        }
        let after = (frame + 1, String::new());
        let range = (frame, String::new())..after;
        let data: Vec<_> = self.rows.data.range(range).map(|it| it.0.clone()).collect();
        for key in data {
            self.rows.data.remove(&key);
        }
        self.rows.frames.remove(&frame);
        self.dirty.remove(&frame);
    }

    /// The firings that ended without a thread going on, in a frame or group.
    pub fn take_heads(&mut self, of: Id) -> Vec<Id> {
        let heads: Vec<Id> =
            self.rows.heads.range((of, 0)..=(of, Id::MAX)).map(|(key, ())| key.1).collect();
        for head in &heads {
            self.rows.heads.remove(&(of, *head));
        }
        heads
    }

    /// Withdraws one of the steps that `all` names, or everything; the frame it was in.
    pub fn withdraw(
        &mut self,
        frame: Id,
        cancelled: &Cancelled,
        all: &[Cancelled],
        spared: Option<Id>,
        withdrawn: &mut Vec<Id>,
    ) -> Id {
        let Cancelled::Step { up, path } = cancelled else {
            self.clear(frame, spared, withdrawn);
            return frame;
        };
        let Some((step, blocks)) = path.split_last() else { return frame };
        let is_beside = |it: &&Vec<StepNo>| it.split_last().is_some_and(|it| it.1 == blocks);
        let same = all.iter().filter_map(|it| match it {
            Cancelled::Step { up: other, path } if other == up => Some(path),
            _ => None,
        });
        // What leads to several steps is withdrawn with all of them.
        let named: Vec<StepNo> =
            same.filter(is_beside).filter_map(|it| it.last().copied()).collect();
        for target in self.inside_of(frame, *up, blocks) {
            self.withdraw_step(target, *step, &named, spared, withdrawn);
            if self.frame(frame).is_none() {
                return target;
            }
        }
        frame
    }

    /// The frames of a block of a block …, from so many blocks up.
    fn inside_of(&self, frame: Id, up: u32, blocks: &[StepNo]) -> Vec<Id> {
        let mut outer = frame;
        for _ in 0..up {
            outer = self.frame(outer).and_then(|it| it.parent).unwrap_or(outer);
        }
        let mut frames = vec![outer];
        for block in blocks {
            let inside = |it: &Id| self.items_at(*it, *block).filter_map(|it| it.1.inside);
            frames = frames.iter().flat_map(inside).collect();
        }
        frames
    }

    fn withdraw_step(
        &mut self,
        frame: Id,
        step: StepNo,
        named: &[StepNo],
        spared: Option<Id>,
        withdrawn: &mut Vec<Id>,
    ) {
        let Some((_, net)) = self.net_of(frame) else { return };
        let is_there = |it: &PlaceNo| {
            let targets = &net.place(*it).targets;
            targets.contains(&step) && targets.iter().all(|it| named.contains(it))
        };
        for place in (0..net.places.len() as PlaceNo).filter(is_there) {
            let tokens: Vec<Id> = self.tokens_in(frame, place).map(|it| it.0).collect();
            for id in tokens {
                withdrawn.extend(self.take_token(frame, place, id).map(|it| it.by));
            }
        }
        // What is only offered goes with its thread, or stays with it.
        let has_begun = |id: &Id| self.item(*id).is_some_and(|it| it.tokens.is_empty());
        let items: BTreeSet<Id> = self.items_at(frame, step).map(|it| it.0).collect();
        let items: Vec<Id> = items.into_iter().filter(has_begun).collect();
        for id in items.into_iter().filter(|it| Some(*it) != spared) {
            if self.item(id).is_some() {
                self.drop_whole(id, withdrawn);
            }
        }
    }

    /// Ends a process or block before its time.
    pub fn end(&mut self, frame: Id, end: End, problem: Option<Problem>, by: Id) -> Done {
        let mut parents = vec![by];
        self.clear(frame, None, &mut parents);
        parents.extend(self.take_heads(frame));
        self.close(frame, end, problem, parents)
    }

    /// A process or block is over, and nothing is left in it.
    pub fn close(
        &mut self,
        frame: Id,
        end: End,
        problem: Option<Problem>,
        mut parents: Vec<Id>,
    ) -> Done {
        self.is_answerable = false;
        let Some(row) = self.frame(frame).cloned() else { return Ok(()) };
        let (end, problem) = match (end, self.fits_end(frame)) {
            (End::Done, Err(wrong)) => (End::Failed, Some(wrong)),
            _ => (end, problem),
        };
        let Some(id) = row.item else {
            self.rows.head.status = match end {
                End::Done => Status::Done,
                End::Failed => Status::Failed,
                End::Cancelled => Status::Cancelled,
            };
            self.rows.head.problem = problem.clone();
            self.fire(Kind::End, String::new(), parents)?;
            problem.into_iter().for_each(|it| self.note(it));
            return Ok(());
        };
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(step) = self.step_of(&item) else { return Ok(()) };
        let mut outcome = match end {
            End::Done => OK,
            End::Failed => "failed",
            End::Cancelled => "cancelled",
        };
        let (mut returned, mut problem) = (Data::new(), problem);
        if let (Body::Call { returns, .. }, End::Done) = (&step.body, end) {
            match Scope::frame(self, frame).given(returns) {
                Ok(data) => returned = data,
                Err(wrong) => (outcome, problem) = ("failed", Some(wrong)),
            }
        }
        self.drop_frame(frame, &mut parents);
        self.change_item(id, |it| {
            it.inside = None;
            it.problem = problem.map(Box::new);
        });
        if parents.is_empty() {
            parents.push(item.by);
        }
        self.complete(id, outcome, returned, parents)
    }
}
