use proptest::prelude::*;

use super::*;

/// Any value that msgpack has, but for extensions, a few levels deep.
fn anything() -> impl Strategy<Value = rmpv::Value> {
    let leaf = prop_oneof![
        Just(rmpv::Value::Nil),
        any::<bool>().prop_map(rmpv::Value::from),
        any::<i64>().prop_map(rmpv::Value::from),
        any::<u64>().prop_map(rmpv::Value::from),
        any::<f64>().prop_map(rmpv::Value::from),
        "\\PC{0,40}".prop_map(rmpv::Value::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(rmpv::Value::Binary),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(rmpv::Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..20).prop_map(rmpv::Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn the_end_of_every_sound_value_is_found(value in anything(), tail in any::<Vec<u8>>()) {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &value).unwrap();
        let length = bytes.len();
        bytes.extend(tail);
        prop_assert_eq!(super::value(&bytes, 0), Ok(0..length));
    }

    #[test]
    fn a_value_that_is_cut_anywhere_is_cut_short(value in anything(), at in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &value).unwrap();
        bytes.truncate(at.index(bytes.len()));
        prop_assert!(super::value(&bytes, 0).is_err());
    }

    #[test]
    fn garbage_is_told_from_values_without_a_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(range) = super::value(&bytes, 0) {
            prop_assert!(!range.is_empty() && range.end <= bytes.len());
        }
    }
}

#[test]
fn what_is_nested_deeper_than_the_limit_is_refused() {
    // The map of the request itself is the first level.
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(value(&nested(DEPTH_MAX - 1), 0).is_ok());
    assert!(value(&nested(DEPTH_MAX), 0).is_err());
    assert!(value(&nested(1_000_000), 0).is_err());
    let empty = |depth: usize| [vec![0x91; depth - 1], vec![0x90]].concat();
    assert!(value(&empty(DEPTH_MAX - 1), 0).is_ok());
    assert!(value(&empty(DEPTH_MAX), 0).is_err());
}
