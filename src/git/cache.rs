//! What was used lately, within bounds.

use std::{collections::HashMap, hash::Hash};

use foldhash::fast::RandomState;

/// Keeps what was used lately: in two halves, of which the older is dropped when the younger is
/// full.
pub struct Cache<K, V> {
    young: HashMap<K, (V, usize), RandomState>,
    old: HashMap<K, (V, usize), RandomState>,
    young_bytes: usize,
    half_bytes_max: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    pub fn new(bytes_max: usize) -> Cache<K, V> {
        let half_bytes_max = bytes_max / 2;
        let (young, old) = (HashMap::default(), HashMap::default());
        Cache { young, old, young_bytes: 0, half_bytes_max }
    }

    pub fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, bytes)) = self.old.remove_entry(key)?;
        self.insert(key, value.clone(), bytes);
        Some(value)
    }

    /// Keeps a value, unless it is larger than all that may be kept.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        if 2 * self.half_bytes_max < bytes {
            self.old.remove(&key);
            if let Some((_, bytes)) = self.young.remove(&key) {
                self.young_bytes -= bytes;
            }
            return;
        }
        if self.half_bytes_max < self.young_bytes + bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, (value, bytes));
    }
}

#[cfg(test)]
mod tests;
