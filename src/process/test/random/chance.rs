//! Numbers that look like chance.

pub struct Chance(u64);

impl Chance {
    /// The chance of one run of one process.
    pub fn new(seed: u64, name: &str, run: u32) -> Chance {
        // FNV, so that no two processes go the same ways.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let bytes = seed.to_le_bytes().into_iter().chain(run.to_le_bytes()).chain(name.bytes());
        let mut chance = Chance(bytes.fold(0xcbf2_9ce4_8422_2325, mix));
        chance.below(1);
        chance
    }

    /// A number below `most`; 0 if that is 0.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}
