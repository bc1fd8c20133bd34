"""The client has what the contract has, and the two clients have the same."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

import gitport
from conftest import PROTOCOL
from gitport import errors
from gitport._async_operations import AsyncOperations
from gitport._operations import Operations


def section(title: str) -> str:
    text = (PROTOCOL / "README.md").read_text()
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found
    return found[1]


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| `([\w.]+)` \|", text, re.M))


def operations() -> set[str]:
    return first_cells(section("Operations").split("### Remote arguments")[0])


def method(operation: str) -> str:
    return operation.replace(".", "_")


def test_each_operation_is_a_method() -> None:
    assert len(operations()) > 20
    for operation in operations():
        assert callable(getattr(gitport.Client, method(operation)))
        assert inspect.iscoroutinefunction(getattr(gitport.AsyncClient, method(operation)))


def test_each_operation_has_its_vectors() -> None:
    files = {file.stem for file in (PROTOCOL / "vectors").glob("*.txt")}
    assert operations() <= files


def test_each_argument_of_the_contract_is_one_of_the_method() -> None:
    table = section("Operations")
    remote = {"auth", "known_hosts", "ca", "ca_file", "proxy"}
    for operation, cell in re.findall(r"^\| `([\w.]+)` \| ([^|]*) \|", table, re.M):
        if operation not in operations():
            continue
        words = set(re.findall(r"[a-z_]+(?=[?=,]|$| or)", re.sub(r"=`[^`]*`|=\w+", "=", cell)))
        named = {word for word in words if word not in ("or", "none", "arguments")}
        named |= {"path"} if re.match(r"R\b", cell) else set()
        named |= remote if "remote arguments" in cell else set()
        # Content is bytes here, whatever way it travels.
        named -= {"encoding"}
        # What is a word of the language already has another name.
        named = {{"from": "from_"}.get(word, word) for word in named}
        parameters = set(inspect.signature(getattr(gitport.Client, method(operation))).parameters)
        assert parameters - {"self", "timeout", "id"} == named, operation


def test_both_clients_have_the_same_methods() -> None:
    for name, method in inspect.getmembers(Operations, inspect.isfunction):
        twin = getattr(AsyncOperations, name)
        signatures = inspect.signature(twin), inspect.signature(method)
        assert signatures[0].parameters == signatures[1].parameters, name
        # A block is entered in two ways.
        results = [str(it.return_annotation).removeprefix("Async") for it in signatures]
        assert results[0] == results[1], name
        assert inspect.getdoc(twin) == inspect.getdoc(method), name


def test_each_code_of_the_contract_is_an_exception() -> None:
    assert first_cells(section("Errors")) == set(errors.BY_CODE)
    for code, kind in errors.BY_CODE.items():
        error = errors.error_of({"err": "why", "code": code, "id": 7, "field": "path"})
        assert type(error) is kind
        assert kind.code == code
        assert (error.code, error.message) == (code, "why")
        assert error.details == {"field": "path"}
        assert getattr(gitport, kind.__name__) is kind


def test_what_the_contract_says_to_retry_is_retryable() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", section("Errors"), re.M)
    again = {"later", "yes", "once", "with more time"}
    assert {code for code, retry in rows if retry in again} == {
        kind.code for kind in errors.BY_CODE.values() if kind.retryable
    }


def test_a_code_nobody_knows_is_a_plain_error() -> None:
    error = errors.error_of({"err": "why", "code": "from_tomorrow", "x": 1})
    assert type(error) is gitport.Error
    assert (error.code, error.details) == ("from_tomorrow", {"x": 1})
    assert error.retryable == gitport.Internal("why").retryable


@pytest.mark.parametrize(
    "error",
    [
        gitport.NotFound("why", {"field": "x"}),
        gitport.Error("why", {}, "odd"),
        gitport.DaemonExited("gone", -9, "last words"),
    ],
)
def test_an_exception_survives_pickling(error: gitport.Error) -> None:
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)


def test_an_exited_daemon_is_an_unavailable_one() -> None:
    assert issubclass(gitport.DaemonExited, gitport.Unavailable)
    assert gitport.DaemonExited("gone", 1).retryable
