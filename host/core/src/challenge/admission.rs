//! Who is worked on, where not all can be at once: a limit, shared fairly between namespaces.
//!
//! While there is room anybody has it. When there is none, a namespace that has less than its share gets the place
//! of a Challenge of the namespace that has most, one that only waits for its next look: that one pauses as it
//! stands, and goes on before others of its namespace. So names that are never proven hold up their own namespace.

use std::collections::{BTreeMap, BTreeSet};

/// A Challenge, by namespace and name.
type Place = (String, String);

/// Which Challenges are worked on.
#[derive(Clone, Debug)]
pub struct Admission {
    most: usize,
    /// Those that are worked on, and whether they only wait for their next look.
    active: BTreeMap<Place, bool>,
    paused: BTreeSet<Place>,
    /// Those that were not admitted, by when they asked first.
    waiting: BTreeMap<String, BTreeSet<(u64, String)>>,
    asked: BTreeMap<Place, u64>,
    count: u64,
    /// Those that had better ask again.
    called: Vec<Place>,
}

/// How a Challenge stands that would like to be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was done for it.
    New,
    /// A process before this one has begun with it.
    Begun,
    /// Its last step failed, and the next one is some time off.
    Idle,
    /// A step is being taken.
    Busy,
}

impl Admission {
    /// For `most` at once, at least one.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            active: BTreeMap::new(),
            paused: BTreeSet::new(),
            waiting: BTreeMap::new(),
            asked: BTreeMap::new(),
            count: 0,
            called: Vec::new(),
        }
    }

    /// Whether this one is worked on now.
    pub fn ask(&mut self, namespace: &str, name: &str, standing: Standing) -> bool {
        let place = (namespace.to_owned(), name.to_owned());
        if let Some(idle) = self.active.get_mut(&place) {
            let was_idle = std::mem::replace(idle, standing == Standing::Idle);
            if standing == Standing::Idle && !was_idle {
                self.call();
            }
            return true;
        }
        let paused = self.paused.contains(&place);
        // What was begun is finished, whatever the limit was then.
        let begun = standing == Standing::Begun && !paused;
        if begun || self.has_room(namespace, paused) || self.make_room(namespace) {
            self.leave(&place);
            self.active.insert(place, standing == Standing::Idle);
            return true;
        }
        if !paused && !self.asked.contains_key(&place) {
            self.count += 1;
            self.asked.insert(place, self.count);
            self.waiting.entry(namespace.to_owned()).or_default().insert((self.count, name.to_owned()));
        }
        false
    }

    /// This one is done or gone.
    pub fn done(&mut self, namespace: &str, name: &str) {
        let place = (namespace.to_owned(), name.to_owned());
        self.leave(&place);
        if self.active.remove(&place).is_some() {
            self.call();
        }
    }

    /// Those for whom there may be room since this was last asked, by namespace and name.
    pub fn called(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.called)
    }

    /// Calls one of the namespace that has least: one that pauses, else the first that asked.
    fn call(&mut self) {
        let namespaces = self.wishful().into_iter();
        let Some(namespace) = namespaces.min_by_key(|namespace| self.active_of(namespace)).map(str::to_owned) else {
            return;
        };
        let paused = self.paused.iter().find(|(of, _)| *of == namespace).cloned();
        let first = || Some((namespace.clone(), self.waiting.get(&namespace)?.first()?.1.clone()));
        self.called.extend(paused.or_else(first));
    }

    /// The namespaces that have something which is not worked on.
    fn wishful(&self) -> BTreeSet<&str> {
        let paused = self.paused.iter().map(|(namespace, _)| namespace.as_str());
        paused.chain(self.waiting.keys().map(String::as_str)).collect()
    }

    fn has_room(&self, namespace: &str, paused: bool) -> bool {
        // What pauses comes first.
        let owed = if paused { 0 } else { self.paused.iter().filter(|(of, _)| of == namespace).count() };
        self.active.len() + owed < self.most
    }

    /// Has one pause of the namespace that has most, if this one has less than its share and that one more.
    fn make_room(&mut self, namespace: &str) -> bool {
        let mut namespaces = self.wishful();
        namespaces.extend(self.active.keys().map(|(namespace, _)| namespace.as_str()));
        namespaces.insert(namespace);
        let share = (self.most / namespaces.len()).max(1);
        let richest =
            namespaces.iter().max_by_key(|namespace| self.active_of(namespace)).map(|name| (*name).to_owned());
        let Some(richest) = richest.filter(|richest| self.active_of(richest) > share) else { return false };
        if self.active_of(namespace) >= share {
            return false;
        }
        let idle = self.active.iter().find(|((of, _), idle)| *of == richest && **idle).map(|(place, _)| place.clone());
        let Some(place) = idle else { return false };
        self.active.remove(&place);
        self.paused.insert(place)
    }

    fn active_of(&self, namespace: &str) -> usize {
        self.active.keys().filter(|(of, _)| of == namespace).count()
    }

    fn leave(&mut self, place: &Place) {
        self.paused.remove(place);
        let Some(number) = self.asked.remove(place) else { return };
        if let Some(queue) = self.waiting.get_mut(&place.0) {
            queue.remove(&(number, place.1.clone()));
            if queue.is_empty() {
                self.waiting.remove(&place.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many of `namespace` that ask, and how many of them are admitted.
    fn ask(admission: &mut Admission, namespace: &str, count: usize, standing: Standing) -> usize {
        (0..count).filter(|number| admission.ask(namespace, &number.to_string(), standing)).count()
    }

    #[test]
    fn whoever_is_alone_has_all_of_it() {
        let mut admission = Admission::new(60);
        assert_eq!(ask(&mut admission, "a", 5000, Standing::New), 60);
        assert!(admission.ask("a", "0", Standing::Busy), "and keeps it");
        admission.done("a", "0");
        assert_eq!(admission.called(), [("a".into(), "60".into())], "the first that asked is next");
        assert!(admission.ask("a", "60", Standing::New) && !admission.ask("a", "61", Standing::New));
        admission.done("a", "61");
        assert!(admission.called().is_empty(), "it had no place to leave");
    }

    #[test]
    fn names_that_are_never_proven_make_room_for_other_namespaces_up_to_their_share() {
        let mut admission = Admission::new(6);
        ask(&mut admission, "a", 5000, Standing::New);
        assert!(!admission.ask("b", "0", Standing::New), "nobody can pause who is at work");
        ask(&mut admission, "a", 6, Standing::Idle);
        assert_eq!(admission.called()[0], ("b".into(), "0".into()), "it is called once somebody can");
        assert_eq!(ask(&mut admission, "b", 10, Standing::New), 3);
        assert_eq!(ask(&mut admission, "a", 6, Standing::Idle), 3, "three of them pause");
        ask(&mut admission, "b", 3, Standing::Idle);
        assert_eq!(ask(&mut admission, "c", 1, Standing::New), 1);
        assert_eq!(admission.active.len(), 6, "and never more than the limit are worked on");
    }

    #[test]
    fn what_pauses_goes_on_before_others_of_its_namespace() {
        let mut admission = Admission::new(2);
        ask(&mut admission, "a", 2, Standing::New);
        ask(&mut admission, "a", 3, Standing::Idle);
        assert!(admission.ask("b", "0", Standing::New));
        assert!(!admission.ask("a", "0", Standing::Idle), "it pauses");
        admission.called();
        admission.done("b", "0");
        assert_eq!(admission.called(), [("a".into(), "0".into())]);
        assert!(!admission.ask("a", "2", Standing::New) && admission.ask("a", "0", Standing::Idle));
    }

    #[test]
    fn what_was_begun_goes_on_and_what_is_gone_is_forgotten() {
        let mut admission = Admission::new(1);
        assert_eq!(ask(&mut admission, "a", 3, Standing::Begun), 3, "whatever the limit was when it began");
        assert!(!admission.ask("b", "0", Standing::New));
        admission.done("b", "0");
        (0..3).for_each(|number| admission.done("a", &number.to_string()));
        assert!(admission.active.is_empty() && admission.waiting.is_empty() && admission.asked.is_empty());
    }
}
