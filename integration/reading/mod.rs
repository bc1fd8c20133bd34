//! What is read from a repository is what stock git reads from it.

mod changing;
mod checkout;
mod diff;
mod files;
mod log;
mod read;
mod status;

use std::fmt::Write;

use crate::repository::Repository;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

/// How the dates of a made-up history go.
#[derive(Clone, Copy, PartialEq)]
enum Dates {
    Rising,
    Random,
}

const FILES: [&str; 8] = ["a", "b", "c.yaml", "d/e", "d/f.yaml", "d/g/h", "d-i", "z/z"];

/// Branches `b0` to `b3` and `main` over so many commits that part and join at random.
fn random_history(seed: u64, commits: usize, dates: Dates) -> Repository {
    let mut dice = Dice(seed);
    let mut stream = String::new();
    let mut tips: Vec<usize> = Vec::new();
    for commit in 1..=commits {
        let parents = parents(&mut dice, &mut tips, commit);
        let date = match dates {
            Dates::Rising => 1_600_000_000 + commit * 60,
            Dates::Random => 1_600_000_000 + dice.below(commits * 30) * 60 + commit % 60,
        };
        let person = format!("A <a@example.org> {date} +0130");
        let message = format!("commit {commit}\n");
        writeln!(stream, "commit refs/made/{commit}\nmark :{commit}").unwrap();
        writeln!(stream, "author {person}\ncommitter {person}").unwrap();
        writeln!(stream, "data {}\n{message}", message.len()).unwrap();
        for (position, parent) in parents.iter().enumerate() {
            let word = if position == 0 { "from" } else { "merge" };
            writeln!(stream, "{word} :{parent}").unwrap();
        }
        for _ in 0..dice.below(3) {
            let file = FILES[dice.below(FILES.len())];
            // Few contents, so that both sides of a merge are sometimes the same.
            let content = content(&mut dice);
            let length = content.len();
            writeln!(stream, "M 100644 inline {file}\ndata {length}\n{content}").unwrap();
        }
        stream.push('\n');
    }
    for (number, tip) in tips.iter().enumerate() {
        writeln!(stream, "reset refs/heads/b{number}\nfrom :{tip}\n").unwrap();
    }
    writeln!(stream, "reset refs/heads/main\nfrom :{commits}\n").unwrap();
    let repository = Repository::new();
    repository.git_with_input(&["fast-import", "--quiet"], stream.as_bytes());
    repository.git(&["reset", "-q", "--hard"]);
    repository
}

fn parents(dice: &mut Dice, tips: &mut Vec<usize>, commit: usize) -> Vec<usize> {
    if tips.is_empty() {
        tips.push(commit);
        return Vec::new();
    }
    let tip = dice.below(tips.len());
    let mut parents = vec![tips[tip]];
    match dice.below(5) {
        0 if tips.len() < 4 => {
            tips.push(commit);
            return parents;
        }
        1 if tips.len() > 1 => {
            let other = tips[(tip + 1) % tips.len()];
            parents.push(other);
        }
        _ => {}
    }
    tips[tip] = commit;
    parents
}

fn content(dice: &mut Dice) -> String {
    let change = dice.below(4);
    (0..30).fold(String::new(), |mut text, line| {
        let word = if line == change * 7 { "changed" } else { "line" };
        writeln!(text, "{word} {line}").unwrap();
        text
    })
}
