"""Definitions of processes are linted, tested and drawn, and looked at before one is published."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import gitport
from conftest import SECONDS, check_keys, git
from gitport import types
from gitport.types import Draft

SHIP = """\
process_name: ship
process_version: "1.0.0"
steps:
  - step_id: pack
    transitions: [{on: packed, next_step: send}, {on: lost}]
  - step_id: send
tests:
  packed: ["pack:packed", "@send", send, "=done"]
"""
CALLER = """\
process_name: bill
process_version: "1.0.0"
steps:
  - step_id: delivered
    call: ship
"""
TESTS = """\
process_name: ship
tests:
  lost: ["pack:lost", "=done"]
"""
# Only one of both comes to where two are waited for.
STUCK = """\
process_name: stuck
steps:
  - step_id: ask
    transitions: [{on: "yes", next_step: left}, {on: "no", next_step: right}]
  - {step_id: left, next: both}
  - {step_id: right, next: both}
  - {step_id: both, join: all}
"""


def draft(content: types.Text, file: types.Path = "ship.yaml") -> Draft:
    return {"file": file, "content": content}


def test_what_is_wrong_is_said_with_its_place(client: gitport.Client) -> None:
    assert client.process_lint(drafts=[draft(SHIP)]) == {
        "errors": 0,
        "warnings": 0,
        "diagnostics": [],
    }
    wrong = SHIP.replace("next_step: send", "next_step: sned")
    linted = client.process_lint(drafts=[draft(wrong, Path("a") / "ship.yaml")])
    check_keys(linted, types.Linted)
    (missing,) = [it for it in linted["diagnostics"] if it["rule"] == "missing-target"]
    assert missing["severity"] == "error"
    assert (missing["file"], missing["line"]) == ("a/ship.yaml", 5)
    assert missing["process_name"] == "ship"
    assert missing["path"] == "steps[0].transitions[0].next_step"
    severities = [it["severity"] for it in linted["diagnostics"]]
    counts = (linted["errors"], linted["warnings"])
    assert counts == (severities.count("error"), severities.count("warning"))
    twice = client.process_lint(drafts=[draft(SHIP.replace("step_id: send", "step_id: pack"))])
    check_keys(twice, types.Linted)
    (double,) = [it for it in twice["diagnostics"] if it["rule"] == "duplicate-step"]
    assert double["related"][0]["line"] == 4
    odd = client.process_lint(drafts=[draft(b"process_name: caf\xe9\n")])
    assert (odd["errors"], odd["diagnostics"][0]["rule"]) == (1, "yaml")


def test_what_is_wrong_is_rendered(client: gitport.Client) -> None:
    wrong = [draft(SHIP.replace("next_step: send", "next_step: sned"))]
    plain = client.process_lint(drafts=wrong, format="text")["rendered"]
    assert "ship.yaml:5" in plain
    assert "\x1b" not in plain
    assert "\x1b" in client.process_lint(drafts=wrong, format="text", color=True)["rendered"]
    linted = client.process_lint(drafts=wrong, format="json")
    assert json.loads(linted["rendered"]) == linted["diagnostics"]
    sarif = json.loads(client.process_lint(drafts=wrong, format="sarif")["rendered"])
    assert sarif["version"] == "2.1.0"
    assert len(sarif["runs"][0]["results"]) == len(linted["diagnostics"])
    github = client.process_lint(drafts=wrong, format="github")["rendered"]
    assert github.startswith("::error file=ship.yaml,line=5,")


def test_definitions_are_files_of_a_repository(client: gitport.Client, repository: Path) -> None:
    files = ["ship.yaml", "bill.yaml", "ship.test.yaml"]
    for name, text in zip(files, (SHIP, CALLER, TESTS), strict=True):
        (repository / name).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "definitions")
    (repository / "ship.yaml").write_text("a: [")
    linted = [
        client.process_lint(path=repository, files=[Path("bill.yaml"), "ship.yaml"], rev=rev)
        for rev in ("HEAD", None)
    ]
    assert linted[0]["errors"] == 0
    assert linted[1]["errors"] > 0
    report = client.process_test(path=repository, files=files, rev="HEAD")
    assert (report["passed"], report["tests"]) == (True, 2)
    drawn = client.process_graph(path=repository, files=files[:2], rev="HEAD", process_name="bill")
    assert drawn["process_name"] == "bill"
    with pytest.raises(gitport.Invalid) as invalid:
        client.process_graph(path=repository, files=files)
    (fault,) = invalid.value.details["diagnostics"]
    assert set(fault) == {"file", "line", "column", "rule", "path", "message"}
    assert (fault["file"], fault["rule"]) == ("ship.yaml", "yaml")
    with pytest.raises(gitport.BadRequest):
        client.process_lint(path=repository, files=files, drafts=[draft(SHIP)])


def test_tests_are_played_and_what_they_never_came_to_is_told(client: gitport.Client) -> None:
    report = client.process_test(drafts=[draft(SHIP)])
    check_keys(report, types.Report)
    assert (report["passed"], report["tests"], report["failed"]) == (True, 1, 0)
    (tested,) = report["tested"]
    assert (tested["process_name"], tested["process_version"]) == ("ship", "1.0.0")
    assert [(it["name"], it["line"]) for it in tested["tests"]] == [("packed", 8)]
    coverage = tested["coverage"]
    assert (coverage["steps"], coverage["steps_run"]) == (2, 2)
    assert (coverage["transitions"], coverage["transitions_run"]) == (2, 1)
    assert [it["line"] for it in coverage["never"]] == [5]
    both = [draft(SHIP), draft(TESTS, "ship.test.yaml")]
    beside = client.process_test(drafts=both)
    assert beside["tests"] == 2
    assert beside["tested"][0]["coverage"]["never"] == []
    assert client.process_test(drafts=both, only="ship.lost")["tests"] == 1
    junit = client.process_test(drafts=both, format="junit")["rendered"]
    assert len(list(ElementTree.fromstring(junit).iter("testcase"))) == 2


def test_a_test_that_fails_says_how_it_came_to_that(client: gitport.Client) -> None:
    report = client.process_test(drafts=[draft(SHIP.replace("@send", "@pack"))], format="text")
    check_keys(report, types.Report)
    assert (report["passed"], report["failed"], report["diagnostics"]) == (False, 1, [])
    failure = report["tested"][0]["tests"][0]["failure"]
    assert (failure["line"], failure["deed"]) == (8, "@pack")
    assert failure["expected"] in report["rendered"]
    unreadable = client.process_test(drafts=[draft("a: [")])
    assert (unreadable["passed"], unreadable["tested"]) == (False, [])


def test_chance_and_mistakes_are_tried(client: gitport.Client) -> None:
    report = client.process_test(drafts=[draft(SHIP)], interleavings=20, seed=7, mutants=True)
    check_keys(report, types.Report)
    tested = report["tested"][0]
    assert report["seed"] == 7
    assert (tested["interleavings"]["runs"], tested["interleavings"]["seed"]) == (20, 7)
    assert tested["interleavings"]["deeds"] > 0
    mutation = tested["mutation"]
    assert mutation["noticed"] + len(mutation["survivors"]) == mutation["mutants"]
    assert mutation["noticed"] > 0
    again = client.process_test(drafts=[draft(SHIP)], interleavings=20, seed=7, mutants=True)
    assert again == report
    found = client.process_test(drafts=[draft(STUCK)], interleavings=50)
    check_keys(found, types.Report)
    assert not found["passed"]
    assert found["tested"][0]["interleavings"]["found"]["script"]


def test_a_definition_is_drawn(client: gitport.Client) -> None:
    drafts = [draft(CALLER, "bill.yaml"), draft(SHIP)]
    drawn = client.process_graph(drafts=drafts)
    check_keys(drawn, types.Drawn)
    assert drawn["process_name"] == "bill"
    assert ElementTree.fromstring(drawn["picture"]).tag.endswith("svg")
    assert drawn == client.process_graph(drafts=drafts, format="svg")
    marking: types.Marking = {"delivered/pack": {"offered": 2}, "delivered": {"running": 1}}
    marked = client.process_graph(drafts=drafts, marking=marking)
    assert marked["picture"] != drawn["picture"]
    ship = client.process_graph(drafts=drafts, process_name="ship", format="dot")
    assert ship["process_name"] == "ship"
    assert ship["picture"].startswith("digraph")
    assert "flowchart" in client.process_graph(drafts=drafts, format="mermaid")["picture"]
    with pytest.raises(gitport.NotFound):
        client.process_graph(drafts=drafts, process_name="none")


def test_what_is_published_is_looked_at_first(client: gitport.Client, repository: Path) -> None:
    failing = SHIP.replace("@send", "@pack")
    with pytest.raises(gitport.Invalid) as invalid:
        client.process_publish(path=repository, content=failing, file="a/ship.yaml")
    (fault,) = invalid.value.details["diagnostics"]
    assert (fault["file"], fault["line"], fault["path"]) == ("a/ship.yaml", 8, "tests.packed")
    with pytest.raises(gitport.Invalid):
        client.process_publish(path=repository, content=CALLER)
    made = client.process_publish(path=repository, content=CALLER, drafts=[draft(SHIP)])
    assert made["created"]
    (repository / "ship.yaml").write_text(SHIP)
    (repository / "ship.test.yaml").write_text(TESTS)
    (repository / "wrong.test.yaml").write_text(TESTS.replace("pack:lost", "send"))
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "definitions")
    with pytest.raises(gitport.Invalid) as invalid:
        client.process_publish(path=repository, file="ship.yaml", files=["wrong.test.yaml"])
    assert invalid.value.details["diagnostics"][0]["file"] == "wrong.test.yaml"
    made = client.process_publish(path=repository, file="ship.yaml", files=["ship.test.yaml"])
    assert made["created"]


def test_the_same_awaited(program: str) -> None:
    async def use() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:
            linted, report, drawn = await asyncio.gather(
                client.process_lint(drafts=[draft(SHIP)]),
                client.process_test(drafts=[draft(SHIP)]),
                client.process_graph(drafts=[draft(SHIP)]),
            )
            assert linted["diagnostics"] == []
            assert report["passed"]
            assert drawn["process_name"] == "ship"

    asyncio.run(use())
