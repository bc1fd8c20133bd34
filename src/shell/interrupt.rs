//! Control-C ends the daemon first, so that nothing half done is left behind.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    low_level::{emulate_default_handler, pipe},
};

/// The signal that came, or 0.
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// From now on a signal ends the daemon, and a second one this process at once.
    pub fn watch(daemon: &Child) -> io::Result<Interrupt> {
        let came = Arc::new(AtomicUsize::new(0));
        let (mut waiting, told) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            flag::register_usize(signal, Arc::clone(&came), signal as usize)?;
            pipe::register(signal, told.try_clone()?)?;
        }
        let daemon = Pid::from_child(daemon);
        let again = Interrupt(Arc::clone(&came));
        let watch = move || {
            if waiting.read_exact(&mut [0]).is_ok() {
                // It may have ended by itself.
                let _ = kill_process(daemon, Signal::TERM);
            }
            if waiting.read_exact(&mut [0]).is_ok() {
                again.obey();
            }
        };
        thread::Builder::new().name("interrupt".to_owned()).spawn(watch)?;
        Ok(Interrupt(came))
    }

    pub fn came(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Ends as whoever sent the signal expects it, if one came.
    pub fn obey(&self) {
        let signal = self.0.load(Ordering::Acquire);
        if signal != 0 {
            let _ = emulate_default_handler(signal as i32);
        }
    }
}
