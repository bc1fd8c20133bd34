//! No bytes in a pack or its index make reading panic or cost more than they claim to be worth;
//! an object whose own bytes are sound is found and has the right content, whatever is beside it.
#![no_main]

use arbitrary::Arbitrary;
use gitport_fuzz::{
    allocated,
    git::pack::{Packs, SMALL_BYTES_MAX},
    packed::{Object, Packed},
};
use libfuzzer_sys::fuzz_target;

/// A base, a delta, what it makes of them, and what is kept of bases.
const MEMORY_BYTES_MAX: usize = 8 * SMALL_BYTES_MAX as usize;

#[derive(Arbitrary, Debug)]
struct Case {
    objects: Vec<Object>,
    /// The index has its offsets in eight bytes.
    is_long: bool,
    damage: Vec<Damage>,
    /// An id that need not be there.
    id: Vec<u8>,
    /// How many bytes of a large object are wanted at once.
    step: u16,
}

#[derive(Arbitrary, Debug)]
enum Damage {
    Pack { at: u16, bytes: [u8; 2] },
    Index { at: u16, bytes: [u8; 4] },
    CutPack { at: u16 },
    CutIndex { at: u16 },
}

fuzz_target!(|case: Case| {
    let mut packed = Packed::new(&case.objects, case.is_long);
    let (data, index) = (packed.data.clone(), packed.index.clone());
    for damage in &case.damage {
        match damage {
            Damage::Pack { at, bytes } => overwrite(&mut packed.data, *at, bytes),
            Damage::Index { at, bytes } => overwrite(&mut packed.index, *at, bytes),
            Damage::CutPack { at } => packed.data.truncate(usize::from(*at)),
            Damage::CutIndex { at } => packed.index.truncate(usize::from(*at)),
        }
    }
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    packed.write(folder.path());
    let is_usable = packed.index == index && packed.data.get(..4) == data.get(..4);
    let most = allocated::most(|| {
        let packs = Packs::new(folder.path());
        let _ = packs.find(&case.id).map(|it| packs.read(&it));
        // Twice: the second time, bases are kept from the first.
        for number in (0..packed.objects.len()).chain((0..packed.objects.len()).rev()) {
            let is_intact = is_usable && packed.is_intact(number, &data);
            check(&packs, &packed, number, is_intact, 1 + usize::from(case.step));
        }
    });
    assert!(most <= MEMORY_BYTES_MAX, "{most} bytes");
});

fn overwrite(bytes: &mut [u8], at: u16, new: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(usize::from(at)).zip(new) {
        *byte = *new;
    }
}

fn check(packs: &Packs, packed: &Packed, number: usize, is_intact: bool, step: usize) {
    let known = &packed.objects[number];
    let expected = known.content.as_ref().filter(|_| is_intact);
    let located = packs.find(&known.id);
    if let Some(expected) = expected {
        let read = located.as_ref().and_then(|it| packs.read(it));
        assert!(read.as_ref() == Some(expected), "object {number} is sound and reads differently");
    } else if let Some(located) = &located {
        let _ = packs.read(located);
    }
    let Some((kind, size, mut pieces)) = located.and_then(|it| it.whole()) else { return };
    let mut content = Vec::new();
    loop {
        let piece = pieces.next(step);
        content.extend_from_slice(&piece);
        assert_eq!(pieces.position(), content.len() as u64);
        if piece.len() < step || SMALL_BYTES_MAX < content.len() as u64 {
            break;
        }
    }
    if let Some(expected) = expected {
        assert_eq!((kind, size), (expected.0, expected.1.len() as u64));
        assert!(content == expected.1, "object {number} is sound and its pieces differ");
    }
}
