//! Text that looks like people's files to a compressor, the same on every machine.

/// A sequence of numbers that depends on its seed alone (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A number that tells nothing about its neighbours.
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Lines of `name: words` out of a vocabulary.
pub struct Text {
    words: Vec<String>,
    random: Random,
}

impl Text {
    pub fn new(words: usize, seed: u64) -> Text {
        let mut random = Random::new(seed);
        let words = (0..words)
            .map(|_| {
                let length = 2 + random.below(9);
                (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
            })
            .collect();
        Text { words, random }
    }

    /// About `bytes` bytes, in whole lines.
    pub fn lines(&mut self, bytes: usize) -> Vec<u8> {
        let mut lines = Vec::with_capacity(bytes + 80);
        while lines.len() < bytes {
            self.line(&mut lines);
        }
        lines
    }

    /// Replaces one line of the text by another.
    pub fn edit(&mut self, content: &mut Vec<u8>) {
        let from = self.random.below(content.len());
        let end_of_line = |from: usize| {
            content[from..].iter().position(|byte| *byte == b'\n').map(|length| from + length + 1)
        };
        let start = end_of_line(from).filter(|start| *start < content.len()).unwrap_or(0);
        let end = end_of_line(start).unwrap_or(content.len());
        let mut line = Vec::new();
        self.line(&mut line);
        content.splice(start..end, line);
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    fn line(&mut self, output: &mut Vec<u8>) {
        output.extend_from_slice(&b"      "[..2 * self.random.below(4)]);
        output.extend_from_slice(self.word().as_bytes());
        output.push(b':');
        for _ in 0..3 + self.random.below(8) {
            output.push(b' ');
            output.extend_from_slice(self.word().as_bytes());
        }
        output.push(b'\n');
    }

    /// Some words are common, most are rare.
    fn word(&mut self) -> &str {
        let bound = 1 + self.random.below(self.words.len());
        let index = self.random.below(bound);
        &self.words[index]
    }
}
