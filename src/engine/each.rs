//! Many instances of a step, and when its thread goes on.

use serde_json::Value;

use super::{
    data::Scope,
    definition::{Data, flow::Rest, work::EachWord},
    event::{Kind, OK, Refused},
    net::{Body, Each, EachJoin, Instances, Number, RESERVED, Repeat},
    state::{Group, Id, Instance, Item, ItemStatus, Problem},
    work::{Done, ITEMS_MAX, Task, Work},
};

impl<'w> Work<'w> {
    /// Makes the instances of a step that has begun.
    pub fn open_group(&mut self, id: Id, each: &'w Each) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let items = match self.instances(&item, each) {
            Ok(items) => items,
            Err(problem) => return self.fail(id, problem, item.by),
        };
        if items.len() > ITEMS_MAX {
            return Err(Refused::too_large(format!("a run has at most {ITEMS_MAX} open steps")));
        }
        let count = items.len() as u64;
        let events = [&each.add, &each.finish];
        self.change_item(id, |it| {
            let group = Group { created: count, active: count, ..Group::default() };
            it.group = Some(Box::new(group));
            it.waits = events.into_iter().flatten().map(|it| (it.clone(), String::new())).collect();
        });
        for (index, value) in items.into_iter().enumerate() {
            self.add_instance(id, &item, index as u64, value, item.by)?;
        }
        let goes_on = count == 0 || matches!(each.join, EachJoin::Word(EachWord::None));
        if goes_on { self.group_goes_on(id, OK, vec![item.by]) } else { Ok(()) }
    }

    /// What each instance is about.
    fn instances(&self, item: &Item, each: &Each) -> Result<Vec<Value>, Problem> {
        let scope = Scope::of(self, item);
        let count = match &each.count {
            Instances::Items(list) => match scope.value(list)? {
                Value::Array(items) => return Ok(items),
                _ => {
                    let message = format!("`{}` is no list", list.program.source());
                    return Err(super::data::expression_problem(message));
                }
            },
            Instances::Count(Number::Count(count)) => *count,
            Instances::Count(Number::Expression(count)) => scope.number(count)?,
        };
        // One too many is enough to be refused.
        Ok(vec![Value::Null; count.min(ITEMS_MAX as u64 + 1) as usize])
    }

    fn add_instance(&mut self, of: Id, group: &Item, index: u64, value: Value, by: Id) -> Done {
        let Some(step) = self.step_of(group) else { return Ok(()) };
        let mut item = Item::new(group.frame, group.step, ItemStatus::Open, by);
        item.instance = Some(Box::new(Instance { of, index, item: value }));
        if step.awaits.is_some() {
            return self.wait(step, item);
        }
        let begins =
            !matches!(step.body, Body::Work) || matches!(step.repeat, Some(Repeat::While(_)));
        let id = self.add_item(item)?;
        if begins {
            self.tasks.push_back(Task::Enter(id));
        }
        Ok(())
    }

    /// An event adds an instance, or ends them all.
    pub fn group_event(&mut self, id: Id, event: &str, data: Data, by: Id) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let (Some(group), Some(step)) = (&item.group, self.step_of(&item)) else { return Ok(()) };
        let Some(each) = &step.each else { return Ok(()) };
        if each.finish.as_deref() == Some(event) {
            let mut parents = self.take_heads(id);
            parents.extend([by, item.by]);
            parents.extend(self.drop_instances(id));
            self.change_item(id, |it| {
                let group = it.group.get_or_insert_default();
                group.active = 0;
            });
            return self.group_goes_on(id, OK, parents);
        }
        let index = group.created;
        self.change_item(id, |it| {
            let group = it.group.get_or_insert_default();
            (group.created, group.active) = (group.created + 1, group.active + 1);
        });
        let value = if data.is_empty() { Value::Null } else { Value::Object(data) };
        self.add_instance(id, &item, index, value, by)
    }

    pub fn collects(&self, item: &Item) -> bool {
        let step = self.step_of(item);
        let each = step.and_then(|it| it.each.as_ref());
        item.instance.is_some() && each.is_some_and(|it| it.collect.is_some())
    }

    /// Keeps what an instance came to.
    pub fn collect(&mut self, item: &Item, data: &Data) -> Result<(), Problem> {
        let Some(step) = self.step_of(item) else { return Ok(()) };
        let Some(Each { collect: Some((_, value)), .. }) = &step.each else { return Ok(()) };
        let Some(Instance { of, index, .. }) = item.instance.as_deref() else { return Ok(()) };
        let result = match value {
            None => Value::Object(data.clone()),
            Some(value) => {
                let mut scope = Scope::of(self, item);
                scope.over = data.clone();
                scope.value(value)?
            }
        };
        self.rows.results.put((*of, *index), result);
        Ok(())
    }

    /// One instance is over.
    pub fn instance_done(&mut self, id: Id, outcome: &str, by: Id) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(of) = item.instance.as_ref().map(|it| it.of) else { return Ok(()) };
        self.drop_inside(id);
        self.drop_item(id);
        self.change_item(of, |it| {
            let group = it.group.get_or_insert_default();
            (group.completed, group.active) = (group.completed + 1, group.active - 1);
        });
        let Some(whole) = self.item(of).cloned() else { return Ok(()) };
        let (Some(group), Some(step)) = (&whole.group, self.step_of(&item)) else { return Ok(()) };
        let Some(each) = &step.each else { return Ok(()) };
        if matches!(each.join, EachJoin::Word(EachWord::One)) {
            let whole = Item { problem: item.problem.clone(), ..whole.clone() };
            self.go_on(&whole, None, outcome, by)?;
            if group.active == 0 {
                self.drop_inside(of);
                self.drop_item(of);
            }
            return Ok(());
        }
        if group.went_on {
            self.rows.heads.put((item.frame, by), ());
            if group.active == 0 {
                self.drop_inside(of);
                self.drop_item(of);
            }
            return Ok(());
        }
        if RESERVED.contains(&outcome) {
            return self.group_ends(of, outcome, item.problem, by);
        }
        self.rows.heads.put((of, by), ());
        match self.is_enough(&whole, group, each) {
            Ok(true) => {
                let parents = self.take_heads(of);
                self.group_goes_on(of, outcome, parents)
            }
            Ok(false) => Ok(()),
            Err(problem) => {
                self.note(problem.clone());
                self.group_ends(of, "failed", Some(Box::new(problem)), by)
            }
        }
    }

    /// All instances end, since one of them did so or nobody can tell whether it is enough.
    fn group_ends(&mut self, of: Id, outcome: &str, problem: Option<Box<Problem>>, by: Id) -> Done {
        let mut parents = self.take_heads(of);
        parents.push(by);
        parents.extend(self.drop_instances(of));
        self.change_item(of, |it| {
            it.problem = problem;
            it.group.get_or_insert_default().active = 0;
        });
        self.group_goes_on(of, outcome, parents)
    }

    fn is_enough(&self, whole: &Item, group: &Group, each: &Each) -> Result<bool, Problem> {
        if group.active == 0 {
            return Ok(true);
        }
        match &each.join {
            EachJoin::Word(_) => Ok(false),
            EachJoin::Count(n) => Ok(group.completed >= *n),
            EachJoin::Condition(condition) => Scope::of(self, whole)
                .with("completed", group.completed)
                .with("created", group.created)
                .with("active", group.active)
                .holds(condition),
        }
    }

    /// The thread of the step goes on.
    fn group_goes_on(&mut self, id: Id, outcome: &str, parents: Vec<Id>) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let (Some(group), Some(step)) = (&item.group, self.step_of(&item)) else { return Ok(()) };
        let Some(each) = &step.each else { return Ok(()) };
        if matches!(each.join, EachJoin::Word(EachWord::One)) {
            // Each instance has gone on by itself; there is no thread of the whole.
            self.drop_inside(id);
            self.drop_item(id);
            parents.into_iter().for_each(|it| self.rows.heads.put((item.frame, it), ()));
            return Ok(());
        }
        let mut by = self.fire(Kind::Join, self.path_of(&item), parents)?;
        if outcome != OK {
            self.last().into_iter().for_each(|it| it.outcome = Some(outcome.to_owned()));
        }
        if let Some((into, _)) = &each.collect {
            let result = |index| self.rows.results.get(&(id, index)).cloned().unwrap_or_default();
            let results: Vec<Value> = (0..group.created).map(result).collect();
            let mut data = Data::new();
            data.insert(into.clone(), Value::Array(results));
            self.merge(item.frame, &data);
            self.last().into_iter().for_each(|it| it.data = data.clone());
        }
        let is_over = group.active == 0 || each.rest == Rest::Cancel;
        let is_detached = matches!(each.join, EachJoin::Word(EachWord::None));
        if is_over && !(is_detached && group.active > 0) {
            let mut withdrawn = self.drop_instances(id);
            if !withdrawn.is_empty() {
                withdrawn.push(by);
                by = self.fire(Kind::Cancel, self.path_of(&item), withdrawn)?;
            }
            return self.finish(id, outcome, by);
        }
        self.change_item(id, |it| {
            it.group.get_or_insert_default().went_on = true;
            it.tickets.clear();
            it.waits.clear();
            it.timers.clear();
        });
        self.go_on(&item, None, outcome, by)
    }

    /// Withdraws the instances that are left, but not what others brought.
    fn drop_instances(&mut self, of: Id) -> Vec<Id> {
        let range = (of, 0)..=(of, Id::MAX);
        let left: Vec<Id> = self.rows.in_group.range(range).map(|(key, ())| key.1).collect();
        let mut withdrawn = Vec::new();
        for id in left {
            withdrawn.extend(self.drop_inside(id));
            withdrawn.extend(self.drop_item(id).map(|it| it.by));
        }
        withdrawn
    }
}
