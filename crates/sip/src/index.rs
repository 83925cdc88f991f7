//! A hash table for lookups only: it cannot be iterated, so its order, which differs between runs,
//! never matters.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values by keys that have no useful order; keys that have one belong in a `BTreeMap`.
#[derive(Debug, Clone)]
pub struct Index<K, V>(HashMap<K, V>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V> Index<K, V> {
    /// Returns an empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key and returns the previous one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Sets the value of a key unless it has one.
    pub fn insert_if_absent(&mut self, key: K, value: V) {
        self.0.entry(key).or_insert(value);
    }

    /// Takes a key out.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// Returns the value of a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Returns the value of a key for changes.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// Tells whether a key has a value.
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Returns how many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether the index is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
