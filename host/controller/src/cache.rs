//! What this process knows of one kind of object: what the watch told, and what its own writes
//! returned, whichever is newer.
//!
//! A decision that follows a write must see that write, and the watch may be behind; so the answer
//! to each write goes in here at once, and a watch event that is older than that changes nothing.
//! An object that we saw go stays gone, however late the watch is.
//!
//! A cache has one watch for each of its parts. One without any knows nothing and keeps nothing: whoever
//! needs such an object reads it from the API server.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use crate::key::Key;
use crate::scope::Part;

/// How long the watch may be behind one of our own deletions.
const TOMBSTONE_AGE: Duration = Duration::from_secs(600);

/// The objects of one kind, by key and by what `index` says of each.
pub(crate) struct Cache<K> {
    state: RwLock<State<K>>,
    index: fn(&K) -> Vec<String>,
    parts: BTreeSet<Part>,
    /// The parts that were not yet listed.
    unlisted: watch::Sender<BTreeSet<Part>>,
}

struct State<K> {
    objects: BTreeMap<Key, Kept<K>>,
    by_index: HashMap<String, BTreeSet<(u64, Key)>>,
    gone: HashMap<String, Instant>,
    /// For each part whose listing is under way, those that were here when it began, with their versions, but
    /// for what it has shown.
    listings: BTreeMap<Part, BTreeMap<Key, String>>,
}

struct Kept<K> {
    object: Arc<K>,
    /// Its version when it was first seen here: what came later has a greater one.
    born: u64,
}

impl<K: Resource + Clone> Cache<K> {
    /// An empty cache of these parts. `index` names the groups that an object is found by.
    pub(crate) fn new(parts: BTreeSet<Part>, index: fn(&K) -> Vec<String>) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            by_index: HashMap::new(),
            gone: HashMap::new(),
            listings: BTreeMap::new(),
        };
        Self { state: RwLock::new(state), index, unlisted: watch::Sender::new(parts.clone()), parts }
    }

    /// What is watched. Nothing is kept of what no watch would tell of.
    pub(crate) fn parts(&self) -> &BTreeSet<Part> {
        &self.parts
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).map(|kept| kept.object.clone())
    }

    /// Every object that the index puts under `group`, in the order in which they came.
    pub(crate) fn group(&self, group: &str) -> Vec<Arc<K>> {
        let state = self.read();
        let keys = state.by_index.get(group).into_iter().flatten();
        keys.filter_map(|(_, key)| state.objects.get(key).map(|kept| kept.object.clone())).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().objects.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().map(|kept| kept.object.clone()).collect()
    }

    /// Takes in an object unless what is here is newer. Whether it changed anything.
    pub(crate) fn put(&self, object: impl Into<Arc<K>>) -> bool {
        let object = object.into();
        let key = Key::of(&*object);
        if !self.parts.iter().any(|part| part.has(&key)) {
            return false;
        }
        let mut state = self.write();
        let uid = object.uid().unwrap_or_default();
        if state.gone.contains_key(&uid) {
            return false;
        }
        for listing in state.listings.values_mut() {
            listing.remove(&key);
        }
        let same = state.objects.get(&key).filter(|old| old.object.uid() == object.uid());
        if same.is_some_and(|old| version(&*old.object) >= version(&*object)) {
            return false;
        }
        let born = same.map_or_else(|| version(&*object), |old| old.born);
        self.unindex(&mut state, &key);
        for group in (self.index)(&object) {
            state.by_index.entry(group).or_default().insert((born, key.clone()));
        }
        state.objects.insert(key, Kept { object, born });
        true
    }

    /// Forgets an object that is gone for good. Whether it was here.
    pub(crate) fn remove(&self, object: &K) -> bool {
        let mut state = self.write();
        state.gone.retain(|_, since| since.elapsed() < TOMBSTONE_AGE);
        state.gone.insert(object.uid().unwrap_or_default(), Instant::now());
        self.drop_key(&mut state, &Key::of(object), object.uid())
    }

    /// Forgets what is at `key`, which someone found to be gone.
    pub(crate) fn remove_key(&self, key: &Key) {
        let mut state = self.write();
        self.drop_key(&mut state, key, None);
    }

    /// The watch of `part` begins to list everything there is.
    pub(crate) fn begin_listing(&self, part: &Part) {
        let mut state = self.write();
        let here = state.objects.iter().filter(|(key, _)| part.has(key));
        let version = |kept: &Kept<K>| kept.object.resource_version().unwrap_or_default();
        let here = here.map(|(key, kept)| (key.clone(), version(kept))).collect();
        state.listings.insert(part.clone(), here);
    }

    /// The watch of `part` has listed everything; what it did not show is gone, unless we wrote it meanwhile.
    /// Returns the keys of what is gone.
    pub(crate) fn end_listing(&self, part: &Part) -> Vec<Key> {
        let mut state = self.write();
        let mut gone = Vec::new();
        for (key, version) in state.listings.remove(part).unwrap_or_default() {
            let unchanged = |kept: &Kept<K>| kept.object.resource_version().unwrap_or_default() == version;
            if state.objects.get(&key).is_some_and(unchanged) {
                self.drop_key(&mut state, &key, None);
                gone.push(key);
            }
        }
        drop(state);
        self.unlisted.send_if_modified(|unlisted| unlisted.remove(part));
        gone
    }

    /// Waits until every part was listed once.
    pub(crate) async fn wait_synced(&self) {
        // The sender lives as long as the cache.
        let _ = self.unlisted.subscribe().wait_for(BTreeSet::is_empty).await;
    }

    fn drop_key(&self, state: &mut State<K>, key: &Key, uid: Option<String>) -> bool {
        let same = |kept: &Kept<K>| uid.is_none() || kept.object.uid() == uid;
        if !state.objects.get(key).is_some_and(same) {
            return false;
        }
        self.unindex(state, key);
        state.objects.remove(key);
        true
    }

    fn unindex(&self, state: &mut State<K>, key: &Key) {
        let Some(Kept { object, born }) = state.objects.get(key) else { return };
        let (groups, entry) = ((self.index)(object), (*born, key.clone()));
        for group in groups {
            if let Some(keys) = state.by_index.get_mut(&group) {
                keys.remove(&entry);
                if keys.is_empty() {
                    state.by_index.remove(&group);
                }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State<K>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Versions of one kind can be compared as numbers (KEP-5504).
fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// The groups of an object by its owners.
pub(crate) fn owners<K: Resource>(object: &K) -> Vec<String> {
    object.owner_references().iter().map(|owner| owned_by(&owner.uid)).collect()
}

/// The group of what the object of this uid owns.
pub(crate) fn owned_by(uid: &str) -> String {
    format!("owner {uid}")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, uid: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some("ns".into());
        object.metadata.name = Some(name.into());
        object.metadata.uid = Some(uid.into());
        object.metadata.resource_version = Some(version.into());
        object
    }

    fn of_parts(parts: &[Part]) -> Cache<ConfigMap> {
        Cache::new(parts.iter().cloned().collect(), |object| vec![format!("uid {}", object.uid().unwrap_or_default())])
    }

    fn cache() -> Cache<ConfigMap> {
        of_parts(&[Part::Cluster])
    }

    fn names(cache: &Cache<ConfigMap>) -> Vec<String> {
        cache.all().iter().map(|object| object.name_any()).collect()
    }

    #[test]
    fn an_older_event_does_not_undo_a_write() {
        let cache = cache();
        assert!(cache.put(object("a", "1", "10")));
        assert!(!cache.put(object("a", "1", "9")));
        assert!(!cache.put(object("a", "1", "10")));
        assert!(cache.put(object("a", "1", "11")));
        assert_eq!(cache.get(&Key::new("ns", "a")).unwrap().resource_version().as_deref(), Some("11"));
    }

    #[test]
    fn what_we_deleted_stays_gone_and_its_successor_is_seen() {
        let cache = cache();
        cache.put(object("a", "1", "10"));
        assert!(cache.remove(&object("a", "1", "10")));
        assert!(!cache.put(object("a", "1", "12")));
        assert!(cache.put(object("a", "2", "13")));
        assert!(!cache.remove(&object("a", "1", "12")), "the deletion of the first is not that of the second");
        assert_eq!(cache.group("uid 2").len(), 1);
        assert_eq!(cache.group("uid 1").len(), 0);
    }

    #[test]
    fn a_group_is_in_the_order_in_which_its_objects_came() {
        let cache = Cache::new([Part::Cluster].into(), |_: &ConfigMap| vec!["all".to_owned()]);
        for (name, version) in [("b", "10"), ("a", "11"), ("c", "9"), ("b", "12")] {
            cache.put(object(name, name, version));
        }
        let names = || cache.group("all").iter().map(|object| object.name_any()).collect::<Vec<_>>().concat();
        assert_eq!(names(), "cba", "by the version of each when it was first seen");
        cache.remove(&object("b", "b", "12"));
        cache.put(object("b", "successor", "13"));
        assert_eq!(names(), "cab");
    }

    #[test]
    fn a_listing_removes_what_it_does_not_show_but_for_what_was_written_meanwhile() {
        let cache = cache();
        for name in ["kept", "lost", "written"] {
            cache.put(object(name, name, "10"));
        }
        cache.begin_listing(&Part::Cluster);
        cache.put(object("kept", "kept", "10"));
        cache.put(object("written", "written", "12"));
        cache.put(object("new", "new", "13"));
        assert_eq!(cache.end_listing(&Part::Cluster), [Key::new("ns", "lost")]);
        assert_eq!(names(&cache), ["kept", "new", "written"]);
    }

    fn is_synced(cache: &Cache<ConfigMap>) -> bool {
        futures::FutureExt::now_or_never(cache.wait_synced()).is_some()
    }

    #[test]
    fn parts_are_listed_each_on_its_own() {
        let (here, there) = (Part::Namespace("ns".into()), Part::Namespace("there".into()));
        let cache = of_parts(&[here.clone(), there.clone()]);
        let mut of_there = object("c", "c", "10");
        of_there.metadata.namespace = Some("there".into());
        cache.put(object("a", "a", "10"));
        cache.put(object("b", "b", "10"));
        cache.put(of_there.clone());

        cache.begin_listing(&here);
        cache.begin_listing(&there);
        cache.put(object("a", "a", "10"));
        assert_eq!(cache.end_listing(&here), [Key::new("ns", "b")], "what is elsewhere is not missed");
        assert!(!is_synced(&cache), "one part is not listed yet");
        cache.put(of_there);
        assert!(cache.end_listing(&there).is_empty());
        assert_eq!(names(&cache), ["a", "c"]);
        assert!(is_synced(&cache));
    }

    #[test]
    fn what_no_watch_tells_of_is_not_kept() {
        let elsewhere = of_parts(&[Part::Namespace("elsewhere".into())]);
        assert!(!elsewhere.put(object("a", "a", "10")) && !is_synced(&elsewhere));
        let unwatched = of_parts(&[]);
        assert!(!unwatched.put(object("a", "a", "10")) && is_synced(&unwatched));
    }
}
