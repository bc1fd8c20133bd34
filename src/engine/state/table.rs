//! Sorted tables, and layers of changes over them.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    ops::{Bound, RangeBounds},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A sorted map that is written as a list of pairs, since its keys are no text.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<K, V>(BTreeMap<K, V>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table(BTreeMap::new())
    }
}

impl<K: Ord, V> Table<K, V> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter()
    }

    pub fn range<R: RangeBounds<K>>(&self, range: R) -> impl Iterator<Item = (&K, &V)> {
        self.0.range(range)
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Table<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Table<K, V> {
        Table(rows.into_iter().collect())
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub fn apply(&mut self, rows: &Table<K, Row<V>>) {
        for (key, row) in &rows.0 {
            match row {
                Row::Is(row) => self.0.insert(key.clone(), row.clone()),
                Row::Gone => self.0.remove(key),
            };
        }
    }
}

impl<K: Serialize, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(K, V)>::deserialize(deserializer)?;
        Ok(Table(pairs.into_iter().collect()))
    }
}

/// What a row is afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row<V> {
    Is(V),
    Gone,
}

impl<V> Row<V> {
    fn there(&self) -> Option<&V> {
        match self {
            Row::Is(row) => Some(row),
            Row::Gone => None,
        }
    }
}

/// A table with changes that are not made yet.
#[derive(Debug)]
pub struct Layer<'t, K, V> {
    below: &'t BTreeMap<K, V>,
    above: BTreeMap<K, Row<V>>,
    len: usize,
}

impl<'t, K: Ord + Clone, V: Clone + PartialEq> Layer<'t, K, V> {
    pub fn over(table: &'t Table<K, V>) -> Layer<'t, K, V> {
        Layer { below: &table.0, above: BTreeMap::new(), len: table.0.len() }
    }

    pub fn into_rows(self) -> Table<K, Row<V>> {
        let Layer { below, mut above, .. } = self;
        // What was made and went again never was.
        above.retain(|key, row| below.get(key) != row.there());
        Table(above)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        match self.above.get(key) {
            Some(row) => row.there(),
            None => self.below.get(key),
        }
    }

    pub fn put(&mut self, key: K, row: V) {
        let was = self.get(&key).is_some();
        self.above.insert(key, Row::Is(row));
        self.len += usize::from(!was);
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let row = self.get(key).cloned()?;
        match self.below.contains_key(key) {
            true => self.above.insert(key.clone(), Row::Gone),
            false => self.above.remove(key),
        };
        self.len -= 1;
        Some(row)
    }

    /// What lies in a range, in its order.
    pub fn range<R: RangeBounds<K> + Clone>(&self, range: R) -> Merged<'_, K, V> {
        let mut below = self.below.range(range.clone());
        let mut above = self.above.range(range);
        let (next_below, next_above) = (below.next(), above.next());
        Merged { below, above, next_below, next_above }
    }

    pub fn first_after(&self, after: &K) -> Option<(&K, &V)> {
        self.range((Bound::Excluded(after.clone()), Bound::Unbounded)).next()
    }

    pub fn first(&self) -> Option<(&K, &V)> {
        self.range(..).next()
    }
}

/// The rows of a layer and of what is below it.
pub struct Merged<'l, K, V> {
    below: std::collections::btree_map::Range<'l, K, V>,
    above: std::collections::btree_map::Range<'l, K, Row<V>>,
    next_below: Option<(&'l K, &'l V)>,
    next_above: Option<(&'l K, &'l Row<V>)>,
}

impl<'l, K: Ord, V> Iterator for Merged<'l, K, V> {
    type Item = (&'l K, &'l V);

    fn next(&mut self) -> Option<(&'l K, &'l V)> {
        loop {
            let is_above = match (self.next_below, self.next_above) {
                (None, None) => return None,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(below), Some(above)) => {
                    if below.0 == above.0 {
                        self.next_below = self.below.next();
                    }
                    above.0 <= below.0
                }
            };
            if !is_above {
                let row = self.next_below;
                self.next_below = self.below.next();
                return row;
            }
            let row = self.next_above;
            self.next_above = self.above.next();
            if let Some((key, Row::Is(value))) = row {
                return Some((key, value));
            }
        }
    }
}
