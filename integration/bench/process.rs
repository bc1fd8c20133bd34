//! What processes use, as the kernel tells it through /proc.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The bytes of one line of /proc/PROCESS/status, such as `VmRSS`.
pub fn status_bytes(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    kibibytes(&status, name).expect("the kernel knows this line") << 10
}

/// The highest sum of the memory of a process and all its descendants, sampled until asked.
pub struct Peak {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Peak {
    pub fn watch(process: u32) -> Peak {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let body = move || {
            let mut peak = 0;
            while !until.load(SeqCst) {
                peak = peak.max(tree_bytes(process));
                thread::sleep(SAMPLE_TIME);
            }
            peak
        };
        let thread = thread::Builder::new().name("memory".to_owned()).spawn(body);
        Peak { ended, thread: thread.expect("a thread can be started") }
    }

    pub fn bytes(self) -> u64 {
        self.ended.store(true, SeqCst);
        self.thread.join().expect("sampling does not fail")
    }
}

/// Memory that several of them share is counted once: each has its part of it (`Pss`).
fn tree_bytes(process: u32) -> u64 {
    let mut bytes = 0;
    let mut processes = vec![process];
    while let Some(process) = processes.pop() {
        // Any of them may end at any time.
        if let Ok(memory) = fs::read_to_string(format!("/proc/{process}/smaps_rollup")) {
            bytes += kibibytes(&memory, "Pss").unwrap_or(0) << 10;
        }
        let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            processes.extend(children.split_whitespace().filter_map(|it| it.parse::<u32>().ok()));
        }
    }
    bytes
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

const SAMPLE_TIME: Duration = Duration::from_millis(10);
