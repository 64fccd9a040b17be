//! Which objects are to be looked at, and when. One object is looked at by one task at a time; a
//! wish that comes meanwhile is kept. Of what is due, namespaces have their turns one after the other, so that
//! many objects of one do not make those of another wait.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::key::Key;

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The queue of one kind.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    due: HashMap<Key, Instant>,
    /// What is to be looked at later and not looked at right now, by time.
    order: BTreeSet<(Instant, Key)>,
    /// What was due when somebody last looked, by namespace, in the order of their times.
    ready: HashMap<String, BTreeSet<(Instant, Key)>>,
    /// The namespaces of what is ready, by their last turn.
    turns: BTreeSet<(u64, String)>,
    last_turn: HashMap<String, u64>,
    turn: u64,
    running: HashSet<Key>,
    /// How often the last attempts at an object failed in a row.
    failures: HashMap<Key, u32>,
}

impl State {
    /// Makes an object due at `at`, or earlier if it is already.
    fn add(&mut self, key: &Key, at: Instant) {
        if self.due.get(key).is_some_and(|due| *due <= at) {
            return;
        }
        if let Some(old) = self.due.get(key).copied() {
            // What is ready needs no earlier time.
            if self.ready.get(&key.namespace).is_some_and(|ready| ready.contains(&(old, key.clone()))) {
                return;
            }
            self.order.remove(&(old, key.clone()));
        }
        self.due.insert(key.clone(), at);
        if !self.running.contains(key) {
            self.order.insert((at, key.clone()));
        }
    }

    /// Moves to `ready` what is due by now.
    fn ripen(&mut self, now: Instant) {
        while let Some((at, key)) = self.order.first().filter(|(at, _)| *at <= now).cloned() {
            self.order.remove(&(at, key.clone()));
            let ready = self.ready.entry(key.namespace.clone()).or_default();
            if ready.is_empty() {
                let turn = self.last_turn.get(&key.namespace).copied().unwrap_or(0);
                self.turns.insert((turn, key.namespace.clone()));
            }
            ready.insert((at, key));
        }
    }

    /// Takes what is ready of the namespace whose last turn is the longest ago.
    fn take(&mut self) -> Option<Key> {
        let (_, namespace) = self.turns.pop_first()?;
        let ready = self.ready.get_mut(&namespace)?;
        let (_, key) = ready.pop_first()?;
        self.turn += 1;
        if ready.is_empty() {
            self.ready.remove(&namespace);
        } else {
            self.turns.insert((self.turn, namespace.clone()));
        }
        self.last_turn.insert(namespace, self.turn);
        self.due.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }
}

impl Queue {
    /// Looks at an object as soon as possible.
    pub(crate) fn add(&self, key: Key) {
        self.lock().add(&key, Instant::now());
        self.changed.notify_one();
    }

    /// Waits for an object that is due. The caller must say [`Queue::done`] of it.
    pub(crate) async fn next(&self) -> Key {
        loop {
            let wait = {
                let mut state = self.lock();
                state.ripen(Instant::now());
                if let Some(key) = state.take() {
                    return key;
                }
                state.order.first().map(|(at, _)| *at)
            };
            match wait {
                None => self.changed.notified().await,
                Some(at) => {
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
            }
        }
    }

    /// An object was looked at; it wants to be looked at again after `requeue`, if at all.
    pub(crate) fn done(&self, key: &Key, requeue: Option<Duration>) {
        let mut state = self.lock();
        state.failures.remove(key);
        self.finish(state, key, requeue);
    }

    /// Looking at an object failed: again after a while, which doubles with each failure. Returns it.
    pub(crate) fn failed(&self, key: &Key) -> Duration {
        let mut state = self.lock();
        let failures = state.failures.entry(key.clone()).or_default();
        let wait = (FIRST_BACKOFF * 2_u32.saturating_pow(*failures)).min(LONGEST_BACKOFF);
        *failures = (*failures + 1).min(16);
        self.finish(state, key, Some(wait));
        wait
    }

    fn finish(&self, mut state: MutexGuard<'_, State>, key: &Key, requeue: Option<Duration>) {
        state.running.remove(key);
        if let Some(at) = state.due.get(key).copied() {
            state.order.insert((at, key.clone()));
        }
        if let Some(after) = requeue {
            state.add(key, Instant::now() + after);
        }
        drop(state);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    async fn nothing_within(queue: &Queue, seconds: u64) {
        let next = tokio::time::timeout(Duration::from_secs(seconds), queue.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_looked_at_by_one_task_and_again_when_asked_meanwhile() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.add(key("a"));
        nothing_within(&queue, 60).await;
        queue.done(&key("a"), None);
        assert_eq!(queue.next().await, key("a"));
        queue.done(&key("a"), None);
        nothing_within(&queue, 60).await;
    }

    #[tokio::test(start_paused = true)]
    async fn namespaces_take_turns() {
        let queue = Queue::default();
        (0..100).for_each(|number| queue.add(Key::new("many", number.to_string())));
        queue.next().await;
        queue.add(Key::new("few", "a"));
        queue.add(Key::new("few", "b"));
        let mut turns = Vec::new();
        for _ in 0..5 {
            let key = queue.next().await;
            turns.push(key.namespace.clone());
            queue.done(&key, None);
        }
        assert_eq!(turns, ["few", "many", "few", "many", "many"]);
        queue.add(Key::new("many", "99"));
        let mut left = 0;
        while tokio::time::timeout(Duration::from_secs(1), queue.next()).await.is_ok() {
            left += 1;
        }
        assert_eq!(left, 96, "each is looked at once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_wish_counts() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.next().await;
        queue.done(&key("a"), Some(Duration::from_secs(100)));
        nothing_within(&queue, 50).await;
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.done(&key("a"), Some(Duration::from_secs(10)));
        nothing_within(&queue, 9).await;
        assert_eq!(tokio::time::timeout(Duration::from_secs(2), queue.next()).await, Ok(key("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_and_longer_up_to_a_bound() {
        let queue = Queue::default();
        let mut waits = Vec::new();
        queue.add(key("a"));
        for _ in 0..12 {
            queue.next().await;
            waits.push(queue.failed(&key("a")));
        }
        assert_eq!(waits[..3], [500, 1000, 2000].map(Duration::from_millis));
        assert_eq!(waits[11], LONGEST_BACKOFF);
    }
}
