//! What this process knows of one kind of object: what the watch told, and what its own writes
//! returned, whichever is newer.
//!
//! A decision that follows a write must see that write, and the watch may be behind; so the answer
//! to each write goes in here at once, and a watch event that is older than that changes nothing.
//! An object that we saw go stays gone, however late the watch is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use crate::key::Key;

/// How long the watch may be behind one of our own deletions.
const TOMBSTONE_AGE: Duration = Duration::from_secs(600);

/// The objects of one kind, by key and by what `index` says of each.
pub(crate) struct Cache<K> {
    state: RwLock<State<K>>,
    index: fn(&K) -> Vec<String>,
    synced: watch::Sender<bool>,
}

struct State<K> {
    objects: BTreeMap<Key, Arc<K>>,
    by_index: HashMap<String, BTreeSet<Key>>,
    gone: HashMap<String, Instant>,
    /// Those that were here when the listing under way began, with what it has not yet shown.
    listing: Option<BTreeMap<Key, String>>,
}

impl<K: Resource + Clone> Cache<K> {
    /// An empty cache. `index` names the groups that an object is found by.
    pub(crate) fn new(index: fn(&K) -> Vec<String>) -> Self {
        let state = State { objects: BTreeMap::new(), by_index: HashMap::new(), gone: HashMap::new(), listing: None };
        Self { state: RwLock::new(state), index, synced: watch::Sender::new(false) }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).cloned()
    }

    /// Every object that the index puts under `group`, in the order of the keys.
    pub(crate) fn group(&self, group: &str) -> Vec<Arc<K>> {
        let state = self.read();
        let keys = state.by_index.get(group).into_iter().flatten();
        keys.filter_map(|key| state.objects.get(key).cloned()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().objects.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().cloned().collect()
    }

    /// Takes in an object unless what is here is newer. Whether it changed anything.
    pub(crate) fn put(&self, object: impl Into<Arc<K>>) -> bool {
        let object = object.into();
        let mut state = self.write();
        let key = Key::of(&*object);
        let uid = object.uid().unwrap_or_default();
        if state.gone.contains_key(&uid) {
            return false;
        }
        if let Some(listing) = &mut state.listing {
            listing.remove(&key);
        }
        let old = state.objects.get(&key);
        if old.is_some_and(|old| old.uid() == object.uid() && version(&**old) >= version(&*object)) {
            return false;
        }
        self.unindex(&mut state, &key);
        for group in (self.index)(&object) {
            state.by_index.entry(group).or_default().insert(key.clone());
        }
        state.objects.insert(key, object);
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

    /// The watch begins to list everything there is.
    pub(crate) fn begin_listing(&self) {
        let mut state = self.write();
        let version = |object: &Arc<K>| object.resource_version().unwrap_or_default();
        state.listing = Some(state.objects.iter().map(|(key, object)| (key.clone(), version(object))).collect());
    }

    /// The watch has listed everything; what it did not show is gone, unless we wrote it meanwhile.
    /// Returns the keys of what is gone.
    pub(crate) fn end_listing(&self) -> Vec<Key> {
        let mut state = self.write();
        let mut gone = Vec::new();
        for (key, version) in state.listing.take().unwrap_or_default() {
            let unchanged = |object: &Arc<K>| object.resource_version().unwrap_or_default() == version;
            if state.objects.get(&key).is_some_and(unchanged) {
                self.drop_key(&mut state, &key, None);
                gone.push(key);
            }
        }
        drop(state);
        self.synced.send_replace(true);
        gone
    }

    /// Waits until everything was listed once.
    pub(crate) async fn wait_synced(&self) {
        // The sender lives as long as the cache.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    fn drop_key(&self, state: &mut State<K>, key: &Key, uid: Option<String>) -> bool {
        let same = |object: &Arc<K>| uid.is_none() || object.uid() == uid;
        if !state.objects.get(key).is_some_and(same) {
            return false;
        }
        self.unindex(state, key);
        state.objects.remove(key);
        true
    }

    fn unindex(&self, state: &mut State<K>, key: &Key) {
        let groups = state.objects.get(key).map(|object| (self.index)(object)).unwrap_or_default();
        for group in groups {
            if let Some(keys) = state.by_index.get_mut(&group) {
                keys.remove(key);
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

    fn cache() -> Cache<ConfigMap> {
        Cache::new(|object| vec![format!("uid {}", object.uid().unwrap_or_default())])
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
    fn a_listing_removes_what_it_does_not_show_but_for_what_was_written_meanwhile() {
        let cache = cache();
        for name in ["kept", "lost", "written"] {
            cache.put(object(name, name, "10"));
        }
        cache.begin_listing();
        cache.put(object("kept", "kept", "10"));
        cache.put(object("written", "written", "12"));
        cache.put(object("new", "new", "13"));
        assert_eq!(cache.end_listing(), [Key::new("ns", "lost")]);
        let names: Vec<_> = cache.all().iter().map(|object| object.name_any()).collect();
        assert_eq!(names, ["kept", "new", "written"]);
    }
}
