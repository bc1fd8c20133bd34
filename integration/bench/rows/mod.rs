//! Every benchmark, with the rows of the table it gives.

mod commit;
mod elixir;
mod growth;
mod import;
mod lock;
mod maintain;
mod network;
mod note;
mod ping;
mod process;
mod program;
mod read;
mod refs;
mod resident;
mod run;

use crate::{Bench, table::Row};

pub struct Benchmark {
    pub rows: &'static [&'static str],
    pub run: fn(&Bench) -> Vec<Row>,
}

/// In the order of the table. What needs a quiet machine comes first.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark { rows: &[ping::ECHO], run: ping::echo },
    Benchmark { rows: &[read::FIRST, read::WARM], run: read::outstanding },
    Benchmark { rows: &[read::SINGLE, read::SINGLE_WARM, read::SHOW], run: read::single },
    Benchmark { rows: &[commit::NESTED, commit::FLAT], run: commit::outstanding },
    Benchmark { rows: &[commit::ONE, commit::PLUMBING], run: commit::one },
    Benchmark { rows: &[note::MANY, note::FEW], run: note::outstanding },
    Benchmark { rows: &[refs::UPDATE], run: refs::update },
    Benchmark { rows: &[lock::DURABLE, lock::RELAXED], run: lock::alone },
    Benchmark { rows: &[lock::CROWD], run: lock::crowd },
    Benchmark { rows: &[import::SMALLER, import::STATES], run: import::snapshots },
    Benchmark { rows: &[growth::COMMITS, growth::READS], run: growth::history },
    Benchmark { rows: &[maintain::SIZE], run: maintain::size },
    Benchmark { rows: &[maintain::READS, maintain::WRITES], run: maintain::beside },
    Benchmark { rows: &[process::STEP], run: process::step },
    Benchmark { rows: &[process::EACH], run: process::each },
    Benchmark { rows: &[process::OR_JOIN], run: process::or_join },
    Benchmark { rows: &[process::LINT], run: process::lint },
    Benchmark { rows: &[process::EXHAUSTING, process::MEMORY], run: process::exhausting },
    Benchmark { rows: &[run::STEPS], run: run::steps },
    Benchmark { rows: &[run::DBOS], run: run::dbos },
    Benchmark { rows: &[run::ONE, run::ONE_SLOWEST], run: run::one },
    Benchmark { rows: &[run::FIRST, run::FIRST_SLOWEST], run: run::first },
    Benchmark { rows: &[run::REPLAY], run: run::replay },
    Benchmark { rows: &[run::ELIXIR], run: run::elixir },
    Benchmark { rows: &[run::FOUR], run: run::four },
    Benchmark { rows: &[run::COST], run: run::cost },
    Benchmark { rows: &[run::START, run::MEMORY, run::MEMORY_OF_ALL], run: run::open },
    Benchmark { rows: &[run::SIGNED, run::UNSIGNED], run: run::size },
    Benchmark { rows: &[elixir::READS], run: elixir::reads },
    Benchmark { rows: &[ping::SLOW_CLONES], run: ping::slow_clones },
    Benchmark { rows: &network::NOTHING_HTTP, run: network::nothing_new_http },
    Benchmark { rows: &network::NOTHING_GIT, run: network::nothing_new_git },
    Benchmark { rows: &network::CLONES_HTTP, run: network::clones_http },
    Benchmark { rows: &network::CLONES_GIT, run: network::clones_git },
    Benchmark {
        rows: &[resident::IDLE, resident::GROWTH, resident::GROWTH_IDLE],
        run: resident::mixed,
    },
    Benchmark { rows: &[resident::HUGE], run: resident::huge },
    Benchmark { rows: &[program::START], run: program::start },
    Benchmark { rows: &[program::SIZE], run: program::size },
];
