//! Patterns as ssh has them: `*`, `?`, lists with commas, `!` for what is not meant.

/// Whether a pattern of the list matches, and none that begins with `!`.
pub fn matches_list(list: &str, text: &str) -> bool {
    let mut is_matched = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern.as_bytes(), text.as_bytes()) => return false,
            Some(_) => (),
            None => is_matched |= matches(pattern.as_bytes(), text.as_bytes()),
        }
    }
    is_matched
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // The last star, and the text from which it has not matched anything yet.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|it| *it == b'*')
}
