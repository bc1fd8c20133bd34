//! A bar on stderr that shows how a long request gets on.

use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use serde_json::Value as Json;

/// Often enough to look alive while a remote is silent.
const TICK: Duration = Duration::from_millis(120);

pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that is not seen until [`Bar::show`].
    pub fn new() -> Bar {
        Bar(ProgressBar::hidden())
    }

    pub fn show(&mut self) {
        self.0 = ProgressBar::new_spinner().with_message("connecting");
        self.0.set_style(style("{spinner} {msg} {elapsed}"));
        self.0.enable_steady_tick(TICK);
    }

    /// Takes an event `progress`.
    pub fn update(&self, event: &Json) {
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        let (done, total, bytes) = (number("done"), number("total"), number("bytes"));
        if total != 0 && self.0.length() != Some(total) {
            self.0.set_style(style("{spinner} {msg} [{bar:30}] {pos}/{len} {elapsed}"));
            self.0.set_length(total);
        }
        self.0.set_position(done);
        let stage = event["stage"].as_str().unwrap_or_default().to_owned();
        self.0.set_message(match bytes {
            0 => stage,
            bytes => format!("{stage} {}", BinaryBytes(bytes)),
        });
    }

    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates here are sound")
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, ProgressDrawTarget, TermLike};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_shows_stage_objects_and_bytes() {
        let terminal = InMemoryTerm::new(5, 100);
        let target: Box<dyn TermLike> = Box::new(terminal.clone());
        let bar = Bar(ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::term_like(target)));
        bar.update(&json!({"stage": "receiving", "done": 3, "total": 12, "bytes": 2048}));
        bar.0.force_draw();
        let seen = terminal.contents();
        assert!(seen.contains("receiving 2.00 KiB [███████"), "{seen}");
        assert!(seen.contains("3/12"), "{seen}");
    }
}
