use super::Cache;

#[test]
fn what_is_larger_than_all_that_is_kept_is_not_kept() {
    let mut cache = Cache::new(10);
    cache.insert("a", 1, 5);
    cache.insert("b", 2, 11);
    assert_eq!((cache.get(&"a"), cache.get(&"b")), (Some(1), None));
    cache.insert("a", 3, 11);
    assert_eq!(cache.get(&"a"), None, "nor is what it replaces");
    cache.insert("c", 4, 10);
    assert_eq!(cache.get(&"c"), Some(4));
}
