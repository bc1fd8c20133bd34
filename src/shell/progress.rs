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
        let stage = event["stage"].as_str().unwrap_or_default().to_owned();
        self.0.set_message(match bytes {
            0 => stage,
            bytes => format!("{stage} {}", BinaryBytes(bytes)),
        });
        if total != 0 && self.0.length() != Some(total) {
            self.0.set_length(total);
            self.0.set_style(style("{spinner} {msg} [{bar:30}] {pos}/{len} {elapsed}"));
        }
        self.0.set_position(done);
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_shows_stage_bytes_and_objects() {
        let bar = Bar::new();
        bar.update(&json!({"stage": "connecting", "done": 0, "total": 0, "bytes": 0}));
        assert_eq!(bar.0.message(), "connecting");
        bar.update(&json!({"stage": "receiving", "done": 3, "total": 12, "bytes": 2048}));
        assert_eq!(bar.0.message(), "receiving 2.00 KiB");
        assert_eq!((bar.0.position(), bar.0.length()), (3, Some(12)));
    }
}
