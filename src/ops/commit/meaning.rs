//! What a commit's request asks for, so that another one with its key is recognized.

use super::Commit;
use crate::git::{Change, Files, Meaning, Mode, What};

impl Commit {
    /// All that decides what becomes of it. An argument that is added here is left out where it
    /// is not given: what requests meant before must stay the same.
    pub(super) fn meaning(&self, files: &Files) -> Meaning {
        let mut meaning = Meaning::default();
        meaning.put("message", &self.message.0);
        let texts = [
            ("branch", &self.branch),
            ("message_encoding", &self.message_encoding),
            ("expect", &self.expect),
        ];
        for (argument, text) in texts {
            text.iter().for_each(|it| meaning.put(argument, it.as_bytes()));
        }
        for (argument, who) in [("author", &self.author), ("committer", &self.committer)] {
            who.iter().for_each(|it| it.mean(argument, &mut meaning));
        }
        if self.empty {
            meaning.put("empty", "true");
        }
        let changes = match files {
            Files::Named(changes) => changes.as_slice(),
            Files::Worktree => {
                meaning.put("all", "true");
                &[]
            }
        };
        for Change { file, what } in changes {
            meaning.put("file", file.as_bytes());
            let mode = match what {
                What::Write { content, mode } => {
                    meaning.put("content", content);
                    *mode
                }
                What::Mode(mode) => Some(*mode),
                What::Delete => {
                    meaning.put("delete", "true");
                    None
                }
                What::Rename { to, mode } => {
                    meaning.put("rename", to.as_bytes());
                    *mode
                }
            };
            mode.map(Mode::bits).iter().for_each(|it| meaning.put("mode", format!("{it:o}")));
        }
        meaning
    }
}
