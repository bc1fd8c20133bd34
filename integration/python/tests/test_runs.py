"""Processes run: workers claim what there is to do, and all that happens is told."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

import gitport
from conftest import SECONDS, check_keys, git, until, until_async
from gitport import types

SHIP = """\
process_name: ship
process_version: "1.0.0"
data: {parcels: 1}
steps:
  - step_id: pack
    step_type: human_in_the_loop
    queue: floor
    title: Pack it
    transitions: [{on: packed, next_step: send}, {on: lost}]
  - {step_id: send, roles: driver, retry: {attempts: 2}, next: arrive}
  - {step_id: arrive, await: {event: arrived, key: parcel, after: 7d}, next: close}
  - {step_id: close, step_type: final_commit, final_status: delivered}
"""
EACH = """\
process_name: count
process_version: "1.0.0"
steps: [{step_id: shelf, each: {in: shelves}}]
"""


@pytest.fixture
def shop(client: gitport.Client, repository: Path) -> Path:
    client.process_publish(path=repository, content=SHIP)
    client.process_publish(path=repository, content=EACH)
    return repository


STARTS = """\
process_name: starts
process_version: "1.0.0"
triggers: [{name: pushed, push: main}]
steps: [{step_id: a}]
"""


def test_triggers_are_told_tried_and_paused(client: gitport.Client, repository: Path) -> None:
    client.process_publish(path=repository, content=STARTS)
    (shown,) = client.trigger_list(path=repository)
    check_keys(shown, types.Trigger)
    assert (shown["trigger"], shown["kind"], shown["fired"]) == ("pushed", "commit", None)
    (tested,) = client.trigger_test(path=repository, rev="main")
    check_keys(tested, types.TestedCommit)
    (fires,) = tested["triggers"]
    assert fires["run"] == f"starts.pushed.{tested['commit'][:12]}"
    (other,) = client.trigger_test(path=repository, rev="main", ref="dev", process="starts")
    unmet = other["triggers"][0]["unmet"]
    assert unmet is not None
    assert unmet["condition"] == "push"
    paused = client.trigger_pause(path=repository, process="starts", trigger="pushed")
    check_keys(paused, types.TriggerPaused)
    assert paused["paused"]
    resumed = client.trigger_resume(path=repository, process="starts", trigger="pushed")
    assert not resumed["paused"]


def test_two_workers_bring_a_run_to_its_end(client: gitport.Client, shop: Path) -> None:
    begun = client.run_start(
        path=shop,
        process="ship",
        version="^1",
        run="order-7",
        input={"parcel": "p1"},
        attributes={"customer": "c1"},
        actor="shop",
    )
    check_keys(begun, types.RunStarted)
    assert (begun["status"], begun["version"], begun["created"]) == ("running", "1.0.0", True)
    (open_,) = client.task_list(path=shop, run="order-7")["tasks"]
    assert (open_["step"], "worker" in open_) == ("pack", False)

    assert client.task_claim(path=shop, worker="ann") == []
    (pack,) = client.task_claim(path=shop, worker="ann", queue="floor", lease_ms=60_000)
    check_keys(pack, types.Task)
    assert pack["data"] == {"parcels": 1, "parcel": "p1"}
    assert (pack["title"], pack["type"]) == ("Pack it", "human_in_the_loop")
    listed = client.task_list(path=shop, worker="ann")
    check_keys(listed, types.Tasks)
    assert [it["task"] for it in listed["tasks"]] == [pack["task"]]
    held = client.task_heartbeat(
        path=shop, task=pack["task"], token=pack["token"], worker="ann", lease_ms=5_000
    )
    assert held == {"task": pack["task"], "lease_ms": 5_000}
    with pytest.raises(gitport.Invalid, match="packed"):
        client.task_complete(path=shop, task=pack["task"], token=pack["token"], outcome="eaten")
    ended = client.task_complete(
        path=shop,
        task=pack["task"],
        token=pack["token"],
        worker="ann",
        outcome="packed",
        data={"parcels": 2},
    )
    check_keys(ended, types.TaskEnded)

    (send,) = client.task_claim(path=shop, worker="bob", roles=["driver"])
    assert send["data"]["parcels"] == 2
    client.task_complete(path=shop, task=send["task"], token=send["token"])
    waiting = client.run_get(path=shop, run="order-7")
    check_keys(waiting, types.RunState)
    assert waiting["status"] == "waiting"
    assert [(it["path"], it["status"]) for it in waiting["offers"]] == [("arrive", "awaiting")]

    other = client.run_signal(path=shop, run="order-7", name="arrived", key="p2")
    assert other["status"] == "waiting"
    moved = client.run_signal(
        path=shop, run="order-7", name="arrived", key="p1", data={"at": "dock"}, actor="van"
    )
    check_keys(moved, types.RunMoved)
    assert moved["status"] == "done"
    done = client.run_get(path=shop, run="order-7")
    check_keys(done, types.RunState)
    assert (done["status"], done["final_status"]) == ("done", "delivered")
    assert done["data"] == {"parcels": 2, "parcel": "p1", "at": "dock"}

    history = client.run_history(path=shop, run="order-7")
    check_keys(history, types.RunHistory)
    assert [(it["event"], it["step"]) for it in history["events"]][:4] == [
        ("begin", None),
        ("start", "pack"),
        ("complete", "pack"),
        ("start", "send"),
    ]
    assert {it["actor"] for it in history["events"]} >= {"shop", "ann", "bob", "van"}
    commits = [it["commit"] for it in history["events"]]
    assert commits[-1] == done["commit"]
    drawn = git(shop, "rev-list", "refs/workflow/executions/order-7").split()
    assert sorted(drawn) == sorted(commits)
    page = client.run_history(path=shop, run="order-7", limit=2, after=1)
    assert [it["seq"] for it in page["events"]] == [2, 3]
    assert page["next"] == 3


def test_a_run_is_drawn_as_it_is_and_as_it_was(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="ship", run="a")
    drawn = client.run_graph(path=shop, run="a")
    check_keys(drawn, types.RunDrawn)
    assert ElementTree.fromstring(drawn["picture"]).tag.endswith("svg")
    assert drawn == client.run_graph(path=shop, run="a", format="svg")
    (task,) = client.task_claim(path=shop, worker="ann", queue="floor")
    held = client.run_get(path=shop, run="a")["seq"]
    client.task_complete(path=shop, task=task["task"], token=task["token"], outcome="lost")
    assert client.run_graph(path=shop, run="a", seq=1) == drawn

    def mermaid(seq: int | None) -> str:
        return client.run_graph(path=shop, run="a", format="mermaid", seq=seq)["picture"]

    assert "done" in mermaid(None)
    assert "running" not in mermaid(None)
    assert "running" in mermaid(held)
    assert "done" not in mermaid(held)
    before = client.run_get(path=shop, run="a", seq=held)
    check_keys(before, types.RunState)
    assert (before["status"], before["seq"]) == ("running", held)
    assert [(it["path"], it["worker"]) for it in before["offers"]] == [("pack", "ann")]
    for ask in (client.run_get, client.run_graph):
        with pytest.raises(gitport.BadRequest) as refused:
            ask(path=shop, run="a", seq=1000)
        assert refused.value.details["field"] == "seq"
    assert client.run_graph(path=shop, run="a", format="dot")["picture"].startswith("digraph")
    with pytest.raises(gitport.BadRequest, match="seq"):
        client.run_get(path=shop, run="a", seq=0)
    with pytest.raises(gitport.NotFound):
        client.run_graph(path=shop, run="b")


def test_a_run_is_what_its_commits_say(client: gitport.Client, shop: Path) -> None:
    begun = client.run_start(path=shop, process="ship", run="a", actor="shop")
    verified = client.run_verify(path=shop, run="a")
    check_keys(verified, types.RunVerified)
    assert verified == {
        "run": "a",
        "ok": True,
        "commits": 1,
        "status": "running",
        "receipts": 0,
        "signed": 0,
        "problems": [],
    }
    ref = "refs/workflow/executions/a"

    def is_carried_out() -> bool:
        return begun["commit"] in git(shop, "for-each-ref", ref)

    until(is_carried_out)
    said = git(shop, "cat-file", "commit", ref).replace("author shop", "author shed")
    (shop / "said").write_text(said)
    forged = git(shop, "hash-object", "-t", "commit", "-w", "said").strip()
    git(shop, "update-ref", ref, forged)
    verified = client.run_verify(path=shop, run="a")
    check_keys(verified, types.RunVerified)
    assert (verified["ok"], verified["status"]) == (False, None)
    assert [it["commit"] for it in verified["problems"]] == [forged]
    with pytest.raises(gitport.NotFound):
        client.run_verify(path=shop, run="b")


def test_receipts_tell_what_became_of_tasks(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="ship", run="a")
    task = client.task_claim(path=shop, worker='=ann, "the" packer', queue="floor")[0]
    name, token = task["task"], task["token"]
    ended = client.task_complete(path=shop, task=name, token=token, outcome="packed")
    listed = client.receipt_list(path=shop, run="a")
    check_keys(listed, types.Receipts)
    [receipt] = listed["receipts"]
    assert (receipt["commit"], receipt["task"]) == (ended["commit"], task["task"])
    lines = client.receipt_list(path=shop, format="jsonl")["text"].splitlines()
    assert [json.loads(line) for line in lines] == [receipt]
    table = client.receipt_list(path=shop, format="csv")["text"]
    [row] = csv.DictReader(io.StringIO(table, newline=""), strict=True)
    # What a spreadsheet would take for a formula is shielded.
    assert row["worker"] == "'" + str(receipt["worker"])
    assert (row["commit"], row["again"]) == (receipt["commit"], "")
    assert {name for name, cell in row.items() if cell} == set(receipt)
    shown = client.receipt_get(path=shop, task=task["task"])
    check_keys(shown, types.ReceiptShown)
    assert (shown["receipt"], shown["ok"], shown["signature"]) == (receipt, True, None)
    verified = client.receipt_verify(path=shop)
    check_keys(verified, types.ReceiptsVerified)
    assert verified["ok"]
    verified = client.receipt_verify(path=shop, run="a", allowed_signers="")
    assert [it["kind"] for it in verified["problems"]] == ["unsigned"]
    with pytest.raises(gitport.NotFound):
        client.receipt_get(path=shop, task="a/99")


def test_a_start_is_repeated_without_harm(client: gitport.Client, shop: Path) -> None:
    begun = client.run_start(path=shop, process="ship", run="a", input={"parcel": "p1"})
    again = client.run_start(path=shop, process="ship", run="a", input={"parcel": "p1"})
    assert again == begun | {"created": False}
    with pytest.raises(gitport.Conflict) as conflict:
        client.run_start(path=shop, process="ship", run="a", input={"parcel": "p2"})
    assert set(conflict.value.details) == {"expected", "actual"}
    with pytest.raises(gitport.NotFound):
        client.run_start(path=shop, process="sell")
    with pytest.raises(gitport.BadRequest):
        client.run_start(path=shop)


def test_runs_are_of_files_too_and_found(client: gitport.Client, shop: Path) -> None:
    (shop / "ship.yaml").write_text(SHIP)
    git(shop, "add", ".")
    git(shop, "commit", "-q", "-m", "definitions")
    for number, customer in enumerate(("c1", "c2", "c1")):
        client.run_start(
            path=shop,
            files=[Path("ship.yaml")],
            rev="main",
            run=f"r{number}",
            attributes={"customer": customer},
            actor="shop",
        )
    wait = "process_name: wait\nsteps: [{step_id: look}]\n"
    drafted = client.run_start(path=shop, drafts=[{"file": "w.yaml", "content": wait}], run="x")
    assert (drafted["process"], drafted["status"]) == ("wait", "running")
    found = client.run_list(path=shop, attributes={"customer": "c1"}, limit=1)
    check_keys(found, types.Runs)
    assert ([it["run"] for it in found["runs"]], found["next"]) == (["r0"], "r0")
    more = client.run_list(path=shop, attributes={"customer": "c1"}, after=found["next"])
    assert ([it["run"] for it in more["runs"]], more["next"]) == (["r2"], None)

    cancelled = client.run_cancel(path=shop, run="r1", actor="shop")
    check_keys(cancelled, types.RunMoved)
    assert cancelled["status"] == "cancelled"
    state = client.run_get(path=shop, run="r1")
    check_keys(state, types.RunState)
    assert state["problem"]
    assert state["problem"]["type"] == "cancelled"
    alive = client.run_list(path=shop, process="ship", status="running", step="pack", actor="shop")
    assert [it["run"] for it in alive["runs"]] == ["r0", "r2"]
    with pytest.raises(gitport.Conflict):
        client.run_signal(path=shop, run="r1", name="arrived")


def test_a_run_is_held_up_and_goes_on(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="ship", run="a")
    (task,) = client.task_claim(path=shop, worker="ann", queue="floor")
    suspended = client.run_suspend(path=shop, run="a", actor="shop")
    check_keys(suspended, types.RunMoved)
    assert suspended["status"] == "suspended"
    # What was started counts; what comes after it is for later.
    client.task_complete(path=shop, task=task["task"], token=task["token"], outcome="packed")
    assert client.task_claim(path=shop, worker="bob", roles=["driver"]) == []
    found = client.run_list(path=shop, status="suspended")
    check_keys(found, types.Runs)
    assert [it["run"] for it in found["runs"]] == ["a"]
    with pytest.raises(gitport.Conflict):
        client.run_suspend(path=shop, run="a")
    resumed = client.run_resume(path=shop, run="a", actor="shop")
    check_keys(resumed, types.RunMoved)
    assert resumed["status"] == "running"
    assert [it["step"] for it in client.task_claim(path=shop, worker="bob", roles=["driver"])] == [
        "send"
    ]
    with pytest.raises(gitport.Conflict):
        client.run_resume(path=shop, run="a")
    events = client.run_history(path=shop, run="a")
    check_keys(events, types.RunHistory)
    assert {"suspend", "resume"} <= {it["event"] for it in events["events"]}


def test_a_run_that_failed_is_tried_again_and_forked(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="ship", run="a", attributes={"customer": "c1"})
    with pytest.raises(gitport.Conflict):
        client.run_retry(path=shop, run="a")
    (task,) = client.task_claim(path=shop, worker="ann", queue="floor")
    client.task_fail(path=shop, task=task["task"], token=task["token"], message="no box")
    assert client.run_get(path=shop, run="a")["status"] == "failed"
    tried = client.run_retry(path=shop, run="a", actor="shop")
    check_keys(tried, types.RunRewound)
    assert tried["status"] == "running"
    assert [(it["step"], it["actor"]) for it in tried["again"]] == [("pack", "ann")]
    with pytest.raises(gitport.Conflict):
        client.task_complete(path=shop, task=task["task"], token=task["token"], outcome="packed")

    forked = client.run_fork(path=shop, run="a", new="b", seq=1, actor="eve")
    check_keys(forked, types.RunRewound)
    assert (forked["run"], forked["status"]) == ("b", "running")
    assert client.run_fork(path=shop, run="a", new="b", seq=1, actor="eve") == forked
    state = client.run_get(path=shop, run="b")
    check_keys(state, types.RunState)
    assert (state["forked"], state["actor"]) == ("a@1", "eve")
    assert state["attributes"] == {"customer": "c1"}
    given = client.task_claim(path=shop, worker="bob", queue="floor", max=9)
    assert sorted(it["run"] for it in given) == ["a", "b"]
    for run in ("a", "b"):
        assert client.run_verify(path=shop, run=run)["ok"]
        check_keys(client.run_history(path=shop, run=run), types.RunHistory)
    client.run_cancel(path=shop, run="a")
    again = client.run_retry(path=shop, run="a", seq=1)
    assert {it["step"] for it in again["again"]} == {"pack"}
    with pytest.raises(gitport.Conflict):
        client.run_fork(path=shop, run="a", new="b", seq=2)
    same = client.run_fork(path=shop, run="a", new="b")
    assert (same["run"], same["commit"]) == ("b", forked["commit"])
    assert client.run_fork(path=shop, run="a")["run"] not in ("a", "b")


def test_a_run_goes_on_by_another_definition(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="ship", run="a")
    (task,) = client.task_claim(path=shop, worker="ann", queue="floor")
    wrapping = SHIP.replace("1.0.0", "2.0.0").replace("step_id: pack", "step_id: wrap")
    client.process_publish(path=shop, content=wrapping)
    with pytest.raises(gitport.Conflict) as conflict:
        client.run_migrate(path=shop, run="a", version="^2")
    assert "pack" in str(conflict.value.details["missing"])
    moved = client.run_migrate(
        path=shop, run="a", version="^2", steps={"pack": "wrap"}, actor="shop"
    )
    check_keys(moved, types.RunMoved)
    state = client.run_get(path=shop, run="a")
    assert (state["version"], state["status"]) == ("2.0.0", "running")
    assert [(it["path"], it["worker"]) for it in state["offers"]] == [("wrap", "ann")]
    client.task_complete(path=shop, task=task["task"], token=task["token"], outcome="packed")
    (shop / "ship.yaml").write_text(SHIP)
    git(shop, "add", ".")
    git(shop, "commit", "-q", "-m", "definitions")
    client.run_migrate(path=shop, run="a", files=[Path("ship.yaml")], rev="main")
    assert client.run_get(path=shop, run="a")["version"] == "1.0.0"
    history = client.run_history(path=shop, run="a")
    check_keys(history, types.RunHistory)
    causes = [it["cause"] for it in history["events"] if it["event"] == "migrate"]
    assert [it["version"] for it in causes] == ["2.0.0", "1.0.0"]
    assert causes[0]["steps"] == {"pack": "wrap"}


CALLS = """\
process_name: sell
steps:
  - {step_id: order, step_type: route, milestone: ordered, next: send}
  - {step_id: send, call: go}
---
process_name: go
steps: [{step_id: walk}]
"""


def test_what_a_run_calls_and_reaches_is_told_and_goes_with_it(
    client: gitport.Client, shop: Path, tmp_path: Path
) -> None:
    (shop / "sell.yaml").write_text(CALLS)
    git(shop, "add", ".")
    git(shop, "commit", "-q", "-m", "definitions")
    for run in ("a", "b", "c"):
        client.run_start(path=shop, files=["sell.yaml"], run=run)
    state = client.run_get(path=shop, run="a")
    check_keys(state, types.RunState)
    assert set(state["milestones"]) == {"ordered"}
    (child,) = state["children"]
    assert (child["step"], child["process"], child["status"]) == ("send", "go", "running")
    called = cast(types.CalledState, client.run_get(path=shop, run=child["run"]))
    check_keys(called, types.CalledState)
    assert (called["parent"], called["commit"]) == ("a", child["commit"])
    assert [it["path"] for it in called["offers"]] == ["send/walk"]
    tag = "refs/tags/milestone/a/ordered"
    until(lambda: state["milestones"]["ordered"] in git(shop, "for-each-ref", tag))

    for run in ("a", "b"):
        (task,) = client.task_claim(path=shop, worker="ann")
        assert task["run"] == run
        client.task_complete(path=shop, task=task["task"], token=task["token"])
    called = cast(types.CalledState, client.run_get(path=shop, run=child["run"]))
    check_keys(called, types.CalledState)
    assert (called["status"], called["offers"]) == ("done", [])
    with pytest.raises(gitport.BadRequest):
        client.run_prune(path=shop)
    with pytest.raises(gitport.Conflict):
        client.run_prune(path=shop, runs=["a", "c"])
    tried = client.run_prune(path=shop, keep=0, process="sell", limit=1, dry_run=True)
    check_keys(tried, types.Pruned)
    assert ([it["run"] for it in tried["runs"]], tried["more"]) == (["a"], True)
    file = tmp_path / "old.bundle"
    pruned = client.run_prune(path=shop, runs=["a", "b"], status="done", to=file)
    check_keys(pruned, types.Pruned)
    assert {it["run"] for it in pruned["runs"]} == {"a", "b"}
    assert (pruned["file"], pruned["bytes"]) == (str(file), file.stat().st_size)
    assert [it["run"] for it in client.run_list(path=shop)["runs"]] == ["c"]
    until(lambda: not git(shop, "for-each-ref", tag))
    git(shop, "fetch", "-q", str(file), "refs/*:refs/*")
    until(lambda: len(client.run_list(path=shop)["runs"]) == 3)
    assert client.run_verify(path=shop, run="a")["ok"]
    with pytest.raises(gitport.AlreadyExists):
        client.run_prune(path=shop, keep=0, to=file)
    gone = client.run_prune(path=shop, keep=0, to=file, overwrite=True)
    assert len(gone["runs"]) == 2


def test_work_counts_once(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="ship", run="a")
    (first,) = client.task_claim(path=shop, worker="ann", queue="floor")
    released = client.task_release(
        path=shop, task=first["task"], token=first["token"], worker="ann"
    )
    check_keys(released, types.TaskEnded)
    (second,) = client.task_claim(path=shop, worker="bob", queue="floor")
    assert second["task"] == first["task"]
    assert (second["attempt"], second["token"] != first["token"]) == (1, True)
    with pytest.raises(gitport.Conflict):
        client.task_complete(path=shop, task=first["task"], token=first["token"], outcome="lost")
    with pytest.raises(gitport.Conflict):
        client.task_complete(
            path=shop, task=second["task"], token=second["token"], worker="ann", outcome="lost"
        )
    client.task_complete(path=shop, task=second["task"], token=second["token"], outcome="packed")
    with pytest.raises(gitport.Conflict):
        client.task_complete(
            path=shop, task=second["task"], token=second["token"], outcome="packed"
        )


def test_what_failed_is_tried_again_unless_that_is_in_vain(
    client: gitport.Client, shop: Path
) -> None:
    for run in ("a", "b"):
        client.run_start(path=shop, process="ship", run=run)
    for task in client.task_claim(path=shop, worker="ann", queue="floor", max=2):
        client.task_complete(path=shop, task=task["task"], token=task["token"], outcome="packed")
    one, other = client.task_claim(path=shop, worker="bob", roles=["driver"], max=10)
    failed = client.task_fail(
        path=shop, task=one["task"], token=one["token"], message="no van", type="van"
    )
    check_keys(failed, types.TaskEnded)
    assert failed["status"] == "running"
    (again,) = client.task_claim(path=shop, worker="bob", roles=["driver"], wait_ms=10_000)
    assert (again["task"], again["attempt"]) == (one["task"], 2)
    failed = client.task_fail(
        path=shop, task=other["task"], token=other["token"], message="no road", retry=False
    )
    assert failed["status"] == "failed"
    state = client.run_get(path=shop, run=other["run"])
    check_keys(state, types.RunState)
    assert state["problem"]
    assert "no road" in state["problem"]["message"]


def test_instances_are_tasks_of_their_own(client: gitport.Client, shop: Path) -> None:
    shelves = ["north", {"name": "south"}, None]
    client.run_start(path=shop, process="count", run="a", input={"shelves": shelves})
    state = client.run_get(path=shop, run="a")
    check_keys(state, types.RunState)
    tasks = client.task_claim(path=shop, worker="ann", max=10)
    for task in tasks:
        check_keys(task, types.Task)
    assert [it["item"] for it in tasks] == shelves
    assert [it["index"] for it in tasks] == [0, 1, 2]
    assert [it["step"] for it in tasks] == ["shelf#1", "shelf#2", "shelf#3"]


def test_a_task_is_claimed_by_its_name(client: gitport.Client, shop: Path) -> None:
    client.run_start(path=shop, process="count", run="a", input={"shelves": [1, 2]})
    name = client.task_list(path=shop)["tasks"][1]["task"]
    (task,) = client.task_claim(path=shop, worker="ann", task=name)
    assert (task["task"], task["index"]) == (name, 1)
    with pytest.raises(gitport.Conflict):
        client.task_claim(path=shop, worker="bob", task=name)


def test_a_claim_waits_for_the_first_task(client: gitport.Client, shop: Path) -> None:
    assert client.task_claim(path=shop, worker="ann", queue="floor", wait_ms=50) == []
    claimed: list[types.Task] = []

    def work() -> None:
        claimed.extend(
            client.task_claim(
                path=shop,
                worker="ann",
                queue="floor",
                types=["human_in_the_loop"],
                wait_ms=60_000,
                id="mine",
            )
        )

    worker = threading.Thread(target=work)
    worker.start()
    until(lambda: "mine" in client._waiting)
    # When what came after it is answered, the claim waits.
    assert client.task_list(path=shop)["tasks"] == []
    client.run_start(path=shop, process="ship", run="a")
    worker.join(SECONDS)
    assert [(it["run"], it["step"]) for it in claimed] == [("a", "pack")]
    with pytest.raises(gitport.Timeout):
        client.task_claim(path=shop, worker="ann", wait_ms=60_000, timeout=0.1)


def test_the_same_awaited(program: str, shop: Path) -> None:
    async def use() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:

            async def work(worker: str, queue: str | None, outcome: str | None) -> None:
                """Does one task of each run, as they come."""
                for _ in ("a", "b"):
                    (task,) = await client.task_claim(
                        path=shop, worker=worker, queue=queue, roles=["driver"], wait_ms=60_000
                    )
                    name, token = task["task"], task["token"]
                    await client.task_heartbeat(path=shop, task=name, token=token, worker=worker)
                    await client.task_complete(path=shop, task=name, token=token, outcome=outcome)
                    with pytest.raises(gitport.Conflict):
                        await client.task_complete(
                            path=shop, task=name, token=token, outcome=outcome
                        )

            for run in ("a", "b"):
                await client.run_start(path=shop, process="ship", run=run, input={"parcel": run})
            await asyncio.gather(work("ann", "floor", "packed"), work("bob", None, None))
            for run in ("a", "b"):
                await client.run_signal(path=shop, run=run, name="arrived", key=run)
                assert (await client.run_get(path=shop, run=run))["final_status"] == "delivered"
                history = await client.run_history(path=shop, run=run)
                assert {it["actor"] for it in history["events"]} >= {"ann", "bob"}
                assert (await client.run_verify(path=shop, run=run))["ok"]
                drawn = await client.run_graph(path=shop, run=run, format="mermaid", seq=1)
                assert "offered" in drawn["picture"]
                assert (await client.run_get(path=shop, run=run, seq=1))["status"] == "running"

            await client.run_start(path=shop, process="ship", run="c")
            (task,) = await client.task_claim(path=shop, worker="ann", queue="floor")
            await client.task_release(path=shop, task=task["task"], token=task["token"])
            (task,) = await client.task_claim(path=shop, worker="ann", queue="floor")
            failed = await client.task_fail(
                path=shop, task=task["task"], token=task["token"], message="lost"
            )
            assert failed["status"] == "failed"
            await client.run_start(path=shop, process="ship", run="d")
            assert len((await client.task_list(path=shop))["tasks"]) == 1
            assert (await client.run_cancel(path=shop, run="d"))["status"] == "cancelled"
            ended = await client.run_list(path=shop, status="cancelled")
            assert [it["run"] for it in ended["runs"]] == ["d"]

            tried = await client.run_retry(path=shop, run="c")
            assert [it["step"] for it in tried["again"]] == ["pack"]
            assert (await client.run_suspend(path=shop, run="c"))["status"] == "suspended"
            assert (await client.run_resume(path=shop, run="c"))["status"] == "running"
            next_one = SHIP.replace("1.0.0", "1.1.0")
            await client.process_publish(path=shop, content=next_one)
            await client.run_migrate(path=shop, run="c")
            assert (await client.run_get(path=shop, run="c"))["version"] == "1.1.0"
            forked = await client.run_fork(path=shop, run="c", new="e")
            assert (forked["run"], forked["status"]) == ("e", "running")
            pruned = await client.run_prune(path=shop, keep=0, status="cancelled")
            assert [it["run"] for it in pruned["runs"]] == ["d"]

    asyncio.run(asyncio.wait_for(use(), 2 * SECONDS))


def test_a_worker_is_sent_tasks_for_its_credits(client: gitport.Client, shop: Path) -> None:
    client.subscribe(events=["progress"])
    sent = client.task_subscribe(id="floor", path=shop, worker="ann", queue="floor", credits=2)
    for run in ("a", "b", "c"):
        client.run_start(path=shop, process="ship", run=run)
    for run in ("a", "b"):
        task = next(sent)
        check_keys(task, types.Task)
        assert (task["run"], task["step"], task["worker"]) == (run, "pack", "ann")
        client.task_complete(path=shop, task=task["task"], token=task["token"], outcome="packed")
    (left,) = client.task_list(path=shop, queue="floor")["tasks"]
    assert (left["run"], "worker" in left) == ("c", False)
    with pytest.raises(gitport.BadRequest):
        client.task_subscribe(id="floor", path=shop, worker="ann")
    assert client.task_credit(request="floor", credits=1)
    assert next(sent)["run"] == "c"
    assert client.cancel(request="floor")
    assert list(sent) == []
    assert not client.task_credit(request="floor", credits=1)
    assert list(client.events(timeout=0.01)) == []


def test_tasks_are_sent_until_somebody_ends_it(client: gitport.Client, shop: Path) -> None:
    def sent(**arguments: Any) -> Iterator[types.Task]:
        return client.task_subscribe(id="mine", path=shop, worker="ann", queue="floor", **arguments)

    with pytest.raises(gitport.BadRequest):
        next(sent(credits=0))
    with pytest.raises(gitport.Timeout):
        next(sent(timeout=0.1))
    client.run_start(path=shop, process="ship", run="a")
    for task in sent(credits=9):
        assert task["run"] == "a"
        break
    until(lambda: not client._waiting and not client._sent)
    assert not client.cancel(request="mine")
    closed = sent()
    client.close()
    assert list(closed) == []


def test_tasks_are_sent_no_more_when_the_daemon_has_died(
    client: gitport.Client, shop: Path
) -> None:
    sent = client.task_subscribe(id="mine", path=shop, worker="ann")
    client._process.kill()
    with pytest.raises(gitport.DaemonExited):
        next(sent)


def test_tasks_are_sent_to_who_awaits_them(program: str, shop: Path) -> None:
    async def use() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:
            sent = await client.task_subscribe(id="floor", path=shop, worker="ann", queue="floor")
            for run in ("a", "b", "c"):
                await client.run_start(path=shop, process="ship", run=run)
            done = []
            async for task in sent:
                check_keys(task, types.Task)
                await client.task_complete(
                    path=shop, task=task["task"], token=task["token"], outcome="packed"
                )
                done.append(task["run"])
                if len(done) == 3:
                    assert await client.cancel(request="floor")
                else:
                    assert await client.task_credit(request="floor", credits=1)
            assert done == ["a", "b", "c"]
            assert not await client.task_credit(request="floor", credits=1)
            with pytest.raises(gitport.BadRequest):
                await anext_of(await client.task_subscribe(id="x", path=shop, worker=""))
            late = await client.task_subscribe(id="x", path=shop, worker="ann", timeout=0.1)
            with pytest.raises(gitport.Timeout):
                await anext_of(late)
            ended = await client.task_subscribe(id="y", path=shop, worker="ann")
            killed = gitport.AsyncClient(program, timeout=SECONDS)
            async with killed:
                lost = await killed.task_subscribe(id="x", path=shop, worker="bob")
                os.kill(killed.pid, signal.SIGKILL)
                with pytest.raises(gitport.DaemonExited):
                    await anext_of(lost)
        assert [it async for it in ended] == []

    asyncio.run(asyncio.wait_for(use(), 2 * SECONDS))


async def anext_of(sent: AsyncIterator[types.Task]) -> types.Task:
    return await sent.__anext__()


def test_a_claim_that_waits_is_cancelled_by_its_id(program: str, shop: Path) -> None:
    async def use() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:
            claim = client.task_claim(path=shop, worker="ann", wait_ms=60_000, id="mine")
            waiting = asyncio.create_task(claim)
            await until_async(lambda: "mine" in client._waiting)
            assert await client.cancel(request="mine")
            with pytest.raises(gitport.Cancelled):
                await waiting

    asyncio.run(asyncio.wait_for(use(), 2 * SECONDS))


PEOPLE = """\
policy: 1
rules:
  - {name: packers, on: [claim, complete], process: ship, step: pack, allow: [ann]}
  - {name: policies, on: [policy], allow: [root]}
override: [{name: boss, on: [complete, claim], allow: [bob]}]
"""


def test_policies_say_who_may_do_what(client: gitport.Client, shop: Path) -> None:
    first = client.policy_set(path=shop, name="people", policy=PEOPLE, actor="root")
    check_keys(first, types.PolicySet)
    more = client.policy_set(path=shop, name="more", policy={"policy": 1}, actor="root")
    assert more["was"] is None
    client.run_start(path=shop, process="ship", run="a")
    assert client.task_claim(path=shop, worker="bob", queue="floor") == []
    (work,) = client.task_list(path=shop)["tasks"]
    with pytest.raises(gitport.Denied, match="packers") as denied:
        client.task_claim(path=shop, worker="bob", task=work["task"])
    assert denied.value.details["rule"] == "people/packers"
    (pack,) = client.task_claim(path=shop, worker="bob", task=work["task"], override="ann is ill")
    checked = client.policy_check(path=shop, actor="bob", action="complete", run="a", step="pack")
    check_keys(checked, types.PolicyChecked)
    assert (checked["allowed"], checked["rule"]) == (False, "people/packers")
    client.task_complete(
        path=shop, task=pack["task"], token=pack["token"], outcome="lost", override="ann is ill"
    )
    refused = client.policy_denials(path=shop, actor="bob")
    check_keys(refused, types.PolicyDenials)
    assert [it["action"] for it in refused["denials"]] == ["claim"]
    told = client.policy_get(path=shop, name="people", rev=first["commit"])
    check_keys(told[0], types.Policy)
    assert told[0]["policy"] == PEOPLE
    gone = client.policy_remove(path=shop, name="more", actor="root")
    assert gone == {"name": "more", "was": more["commit"]}
