"""Runs of some steps in DBOS, so many at a time, in several processes at once.

    python runs_in_dbos.py DATABASE RUNS STEPS IN_FLIGHT PROCESSES

DBOS is configured as it is fastest here: its defaults, with nothing logged or traced, each run in
the thread that asks for it, and a process for each core, since Python uses one of them alone. The
last line is

    dbos steps/s: N
"""

import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor

DATA = "a text of some forty bytes, as data is"
# So long at most one of them waits for another.
WAIT_SECONDS = 60


def main(database, runs, steps, in_flight, processes):
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(processes), context.Queue()
    # The first one to come makes the tables.
    made = context.Event()
    share = (steps, runs // processes, in_flight // processes)
    workers = [
        context.Process(target=work, args=(database, number, *share, made, ready, times))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode != 0:
            sys.exit("a process failed")
    spans = [times.get() for _ in workers]
    took = max(end for _, end in spans) - min(begin for begin, _ in spans)
    print(f"dbos steps/s: {runs // processes * processes * steps / took:.0f}")


def work(database, number, steps, runs, in_flight, made, ready, times):
    from dbos import DBOS

    DBOS(
        config={
            "name": "bench",
            "system_database_url": database,
            "executor_id": str(number),
            "application_version": "1",
            "log_level": "ERROR",
            "console_log_level": "ERROR",
            "enable_otlp": False,
        }
    )

    @DBOS.step()
    def step(number):
        return {"said": DATA}

    @DBOS.workflow()
    def run():
        for number in range(steps):
            step(number)

    if number != 0:
        made.wait(WAIT_SECONDS)
    DBOS.launch()
    made.set()
    with ThreadPoolExecutor(in_flight) as pool:
        # What is only done once is not counted.
        list(pool.map(lambda _: run(), range(in_flight)))
        ready.wait(WAIT_SECONDS)
        begin = time.monotonic()
        list(pool.map(lambda _: run(), range(runs)))
        times.put((begin, time.monotonic()))
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
