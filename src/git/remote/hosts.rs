//! Which lines of a `known_hosts` file speak of a host.
//!
//! libssh2 knows plain and hashed names only. Lines with patterns are decided here, as sshd(8)
//! describes them, and given to it with the plain name or not at all.

/// The lines that may be about the host of `authority`, with patterns replaced by its name.
pub fn lines_for(authority: &str, known_hosts: &str) -> String {
    let name = match authority.rsplit_once(':') {
        Some((host, "22")) => host.to_owned(),
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => {
            format!("[{}]:{port}", host.trim_matches(['[', ']']))
        }
        _ => authority.to_owned(),
    };
    let mut kept = String::new();
    for line in known_hosts.lines() {
        let (hosts, rest) = match line.split_once([' ', '\t']) {
            Some(parts) => parts,
            None => continue,
        };
        let is_pattern = hosts.contains(['*', '?', '!']);
        let is_plain = hosts.starts_with('@') || hosts.starts_with('|') || !is_pattern;
        if is_plain {
            kept.extend([line, "\n"]);
        } else if matches_list(hosts, &name) {
            kept.extend([&*name, " ", rest, "\n"]);
        }
    }
    kept
}

/// A host matches a list of patterns when one fits and no negated one does.
fn matches_list(patterns: &str, name: &str) -> bool {
    let mut is_named = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => (),
            None => is_named |= matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    is_named
}

/// `*` stands for any characters, `?` for one; case does not matter.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // What has been matched up to each length of the name.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for letter in pattern {
        let mut next = vec![false; name.len() + 1];
        for length in 0..=name.len() {
            next[length] = match letter {
                b'*' => reached[length] || (0 < length && next[length - 1]),
                _ if length == 0 => false,
                b'?' => reached[length - 1],
                _ => reached[length - 1] && letter.eq_ignore_ascii_case(&name[length - 1]),
            };
        }
        reached = next;
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hosts: &str, authority: &str, expected: &str) {
        let lines = lines_for(authority, &format!("{hosts} ssh-ed25519 KEY"));
        let kept = lines.strip_suffix(" ssh-ed25519 KEY\n").unwrap_or("");
        assert_eq!(kept, expected, "{hosts} for {authority}");
    }

    #[test]
    fn patterns_are_decided_here() {
        check("*.example.com", "git.example.com", "git.example.com");
        check("*.example.com", "example.com", "");
        check("[127.0.0.*]:2222", "127.0.0.1:2222", "[127.0.0.1]:2222");
        check("h?st", "HOST", "HOST");
        check("!host,*", "host", "");
        check("![h]:*,[h]:2222", "h:2222", "");
        check("!other,*", "host", "host");
    }

    #[test]
    fn names_and_hashes_and_marks_are_left_to_libssh2() {
        check("host,other", "host", "host,other");
        check("|1|salt|hash", "host", "|1|salt|hash");
        check("@revoked *", "host", "@revoked *");
    }
}
