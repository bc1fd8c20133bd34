"""What replies look like.

Texts that come from repositories are `str` where they are UTF-8 and `bytes` where they are not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

Text = str | bytes
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Id = int | str


@dataclass(frozen=True)
class Workspace:
    """A repository by its id; it stands wherever the path of a repository does."""

    id: Id


Repository = Path | Workspace


class Token(TypedDict):
    """For https."""

    token: str


class Login(TypedDict):
    """For http, https and ssh."""

    user: str
    password: str


class _Key(TypedDict, total=False):
    passphrase: str
    user: str


class KeyFile(_Key):
    """An ssh private key in a file."""

    key_file: str


class Key(_Key):
    """An ssh private key as text."""

    key: str


class _AgentUser(TypedDict, total=False):
    user: str


class Agent(_AgentUser):
    """The ssh agent."""

    agent: Literal[True]


Auth = Token | Login | KeyFile | Key | Agent


#: What is wanted of one ref of a remote: `from`, `to`, `force`, `expect`.
PushRef = TypedDict(
    "PushRef",
    {"from": Text | None, "to": Text, "force": bool, "expect": str | None},
    total=False,
)

_Pushed = TypedDict(
    "_Pushed",
    {
        "ref": str,
        "from": str | None,
        "to": str | None,
        "status": Literal["created", "updated", "forced", "deleted", "up_to_date", "rejected"],
    },
)


class Pushed(_Pushed, total=False):
    """`reason` is there for a rejected one, `words` where it is the remote that refused."""

    reason: Literal[
        "expected",
        "non_fast_forward",
        "already_exists",
        "not_found",
        "locked",
        "remote",
        "atomic",
    ]
    words: str


class Head(TypedDict):
    sha: str
    author: Text
    email: Text
    message: Text
    timestamp: int


class _Entry(TypedDict):
    name: Text
    type: Literal["file", "folder", "link", "submodule"]
    size: int
    mode: str


class Entry(_Entry, total=False):
    sha: str


class Person(TypedDict):
    name: Text
    email: Text
    time: int
    offset: int


class Commit(TypedDict):
    sha: str
    tree: str
    parents: list[str]
    author: Person
    committer: Person
    message: Text


class Log(TypedDict):
    commits: list[Commit]
    next: str | None


class _Difference(TypedDict):
    status: Literal["added", "deleted", "modified", "renamed", "copied", "type_changed"]
    file: Text
    old_mode: str
    mode: str
    old_sha: str | None
    sha: str | None
    insertions: int
    deletions: int
    binary: bool


class Difference(_Difference, total=False):
    old_file: Text


class _Diff(TypedDict):
    entries: list[Difference]
    insertions: int
    deletions: int
    next: Text | None


class Diff(_Diff, total=False):
    patch: Text


class NotePlace(TypedDict):
    target: str
    note: str


class Noted(TypedDict):
    commit: str | None
    notes: list[NotePlace]


class Removed(TypedDict):
    commit: str | None
    removed: int


class Change(TypedDict):
    file: Text
    index: str | None
    worktree: str | None


class Status(TypedDict):
    branch: Text | None
    head: str | None
    entries: list[Change]
    next: Text | None


#: When a change is answered: when it is on disk, or when everybody sees it.
Durability = Literal["durable", "relaxed"]


class Fence(TypedDict):
    """A change is done only while the lock is held by whoever has this token."""

    lock: Text
    token: int


class _Passphrase(TypedDict, total=False):
    passphrase: str


class SignKeyFile(_Passphrase):
    """An ssh private key in a file."""

    key_file: str


class SignKey(_Passphrase):
    """An ssh private key as text."""

    key: str


class _SignAgent(TypedDict, total=False):
    public_key: str
    socket: str


class SignAgent(_SignAgent):
    """A key of the ssh agent."""

    agent: Literal[True]


Sign = SignKeyFile | SignKey | SignAgent


class _FileChange(TypedDict):
    file: Path


class FileChange(_FileChange, total=False):
    """One of `content`, `delete` and `rename`, or a `mode` alone."""

    content: Text
    delete: bool
    rename: Path
    mode: Literal["100644", "100755", "120000"]


class _Committed(TypedDict):
    commit: str
    tree: str


class Committed(_Committed, total=False):
    durability: Literal["relaxed"]


class Lease(TypedDict):
    """A lock that is held; its time counts from before it was asked for."""

    name: str
    token: int
    owner: str
    shared: bool
    expires_in_ms: int


class Released(TypedDict):
    name: str
    token: int
    owner: str


class Holder(TypedDict):
    token: int
    owner: str
    reason: str | None
    age_ms: int
    ttl_ms: int
    renewals: int
    expires_in_ms: int


class Lock(TypedDict):
    name: str
    shared: bool
    holders: list[Holder]
    waiting: int


class Locks(TypedDict):
    locks: list[Lock]
    next: str | None


class Limits(TypedDict):
    request_bytes: int
    reply_bytes: int
    depth: int
    waiting: int
    waiting_network: int
    batch: int
    network_timeout_ms: int


class Hello(TypedDict):
    protocol: int
    program: str
    version: str
    libgit2: str
    operations: list[str]
    events: list[str]
    features: list[str]
    limits: Limits


class Drained(TypedDict):
    """What became of the requests that were left at a shutdown."""

    finished: int
    cancelled: int


class Event(TypedDict):
    """Progress of a `sync`. `dropped` events before this one were left out."""

    event: str
    seq: int
    dropped: int
    request: Id | None
    op: str
    stage: Literal["connecting", "receiving", "resolving", "checkout", "sending"]
    done: int
    total: int
    bytes: int


class Created(TypedDict):
    workspace: str
    path: Text
    branch: str
    created_ms: int


class Deleted(TypedDict):
    workspace: str
    deleted_ms: int


class _Listed(TypedDict):
    workspace: str


class Listed(_Listed, total=False):
    deleted_ms: int


class Workspaces(TypedDict):
    workspaces: list[Listed]
    next: str | None


class WorkspaceInfo(TypedDict):
    workspace: str
    path: Text
    branch: Text | None
    head: str | None
    branches: int
    tags: int
    bytes: int
    packs: int
    description: Text | None
    created_ms: int | None
    deleted_ms: int | None


class _ImportReport(TypedDict):
    workspace: str
    path: Text
    #: Whether the workspace was not there before.
    created: bool
    head: str | None
    bytes_before: int
    bytes_after: int
    took_ms: int


class ImportReport(_ImportReport, total=False):
    #: Of a database or a folder.
    states: int
    #: Those of the states that this request made.
    commits: int
    files: int
    reading_ms: int
    #: Of a bundle.
    branches: int
    tags: int


class ImportedState(TypedDict):
    state: str
    commit: str


class ImportedStates(TypedDict):
    workspace: str
    states: list[ImportedState]
    next: str | None


class _Exported(TypedDict):
    bytes: int
    sha: str
    format: Literal["bundle", "tar.gz", "zip"]


class Exported(_Exported, total=False):
    file: Text
    #: Where nothing was written to a file.
    content: bytearray


class _Who(TypedDict):
    name: Text
    email: Text


class Who(_Who, total=False):
    """An author, committer or tagger; now unless `time` is given."""

    time: int
    offset: int


class BranchMoved(TypedDict):
    branch: str
    commit: str | None
    was: str | None


class Branch(TypedDict):
    name: Text
    commit: str
    head: bool
    upstream: Text | None


class Branches(TypedDict):
    branches: list[Branch]
    next: Text | None


class _TagMoved(TypedDict):
    tag: str
    target: str | None
    was: str | None


class TagMoved(_TagMoved, total=False):
    object: str


class _Tag(TypedDict):
    name: Text
    target: str
    annotated: bool


class Tag(_Tag, total=False):
    object: str
    message: Text
    tagger: Person


class Tags(TypedDict):
    tags: list[Tag]
    next: Text | None


class Draft(TypedDict):
    """A file that is in no repository, such as one in an editor."""

    file: Path
    content: Text


class Spot(TypedDict):
    """A place in a file; lines and columns begin with 1."""

    file: Text
    line: int
    column: int
    end_column: int


class Related(Spot):
    message: str


class _Diagnostic(Spot):
    rule: str
    severity: Literal["error", "warning"]
    message: str


class Diagnostic(_Diagnostic, total=False):
    """What is wrong with a definition; `path` is such as `steps[3].transitions[0].when`."""

    help: str
    process_name: str
    path: str
    related: list[Related]


class _Linted(TypedDict):
    errors: int
    warnings: int
    diagnostics: list[Diagnostic]


class Linted(_Linted, total=False):
    #: Where a `format` was given.
    rendered: str


class Failure(Spot):
    """The line that a test failed at, and how it came to that."""

    deed: str
    expected: str
    found: str
    trace: list[str]


class _Played(Spot):
    name: str


class Played(_Played, total=False):
    """A test; `failure` is there if it failed."""

    failure: Failure


class Never(TypedDict):
    what: str
    line: int


class Coverage(TypedDict):
    steps: int
    steps_run: int
    transitions: int
    transitions_run: int
    #: What no test came to.
    never: list[Never]


class Found(TypedDict):
    """A run by chance that went wrong, and a script that shows it."""

    run: int
    message: str
    given: dict[str, Any]
    script: list[str]
    trace: list[str]


class _Interleavings(TypedDict):
    runs: int
    seed: int
    deeds: int


class Interleavings(_Interleavings, total=False):
    found: Found


class Survivor(TypedDict):
    """A mistake that no test noticed."""

    path: str
    line: int
    change: str


class Mutation(TypedDict):
    mutants: int
    noticed: int
    survivors: list[Survivor]


class _Tested(TypedDict):
    file: Text
    process_name: str
    tests: list[Played]
    coverage: Coverage


class Tested(_Tested, total=False):
    """What came of the tests of a definition."""

    process_version: str
    #: Where runs by chance, or `mutants`, were asked for.
    interleavings: Interleavings
    mutation: Mutation


class _Report(TypedDict):
    passed: bool
    tests: int
    failed: int
    seed: int
    diagnostics: list[Diagnostic]
    tested: list[Tested]


class Report(_Report, total=False):
    #: Where a `format` was given.
    rendered: str


#: How many threads of a run are in which state of a step, by its path.
Marking = Mapping[str, Mapping[Literal["stuck", "running", "offered", "waiting", "done"], int]]


class Drawn(TypedDict):
    process_name: str
    picture: str


class FolderStore(TypedDict):
    folder: Path


class _Bucket(TypedDict):
    bucket: str


class Bucket(_Bucket, total=False):
    endpoint: str
    region: str
    prefix: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    ca: str
    ca_file: Path


class S3Store(TypedDict):
    s3: Bucket


# Where processes are published, if not in the repository of the request.
Store = FolderStore | S3Store


class _Version(TypedDict):
    name: str
    version: str
    digest: str
    sha256: str


class Published(_Version):
    created: bool


class Process(_Version):
    file: str
    content: bytes


class ProcessVersion(TypedDict):
    name: str
    version: str


class Processes(TypedDict):
    processes: list[ProcessVersion]
    next: str | None


#: `running`: something can be done, or is; `waiting`: for an event or a time; `stuck`: nothing can
#: move what is left; `suspended`: until it is resumed.
RunStatus = Literal["running", "waiting", "stuck", "suspended", "done", "failed", "cancelled"]


class RunStarted(TypedDict):
    run: str
    process: str
    version: str | None
    digest: str
    status: RunStatus
    commit: str
    #: False where this very run was there before.
    created: bool


class Run(TypedDict):
    run: str
    process: str
    version: str | None
    digest: str
    #: The digest of what it was started with.
    input: str
    status: RunStatus
    actor: str
    began_ms: int
    commit: str
    seq: int
    attributes: dict[str, str]
    #: `<run>@<seq>` of one that began as another one was.
    forked: str | None


class Runs(TypedDict):
    runs: list[Run]
    next: str | None


class Problem(TypedDict):
    type: str
    message: str


class _Offer(TypedDict):
    task: str
    item: int
    path: str
    status: Literal["offered", "open", "started", "backoff", "awaiting"]
    worker: str | None
    round: int
    attempt: int
    overdue: bool
    priority: int


class Offer(_Offer, total=False):
    """Something that is offered, under way or waited for."""

    step_type: str
    queue: str
    assignee: str
    roles: list[str]
    due_ms: int
    instance: Any


class RunChild(TypedDict):
    """A process that a run calls or has called."""

    #: `<run>/<number>`, which `run_get` takes.
    run: str
    step: str
    process: str
    status: RunStatus
    commit: str


class CalledState(RunChild):
    """How a process stands that a run calls."""

    #: The run that calls it.
    parent: str
    #: Empty where it is not under way, as are `offers`.
    data: dict[str, Any]
    offers: list[Offer]


class RunState(Run):
    """How a run stands."""

    final_status: str | None
    problem: Problem | None
    updated_ms: int
    due_ms: int | None
    data: dict[str, Any]
    offers: list[Offer]
    #: What it has reached, by name: the commits with which it did.
    milestones: dict[str, str]
    children: list[RunChild]


class Given(TypedDict):
    """Which daemon gave a task to a worker, and for how long."""

    by: str
    lease_ms: int


class _Cause(TypedDict):
    actor: str
    at_ms: int
    event: str


class Cause(_Cause, total=False):
    """What was done from outside."""

    item: int
    given: Given
    outcome: str
    data: dict[str, Any]
    problem: Problem
    chance: int
    last: bool
    name: str
    key: Any
    #: Of one that is tried again or forked: the commit that it goes on from.
    seq: int
    #: Of a fork: the run that it began as.
    run: str
    #: Of one that goes on by another definition.
    digest: str
    version: str
    steps: dict[str, str]


class _RunEvent(TypedDict):
    seq: int
    commit: str
    parents: list[str]
    event: str
    step: str | None
    outcome: str | None
    actor: str
    at_ms: int | None
    subject: str


class RunEvent(_RunEvent, total=False):
    """A commit of a run; one without a `cause` follows from the one before."""

    cause: Cause


class RunHistory(TypedDict):
    events: list[RunEvent]
    next: int | None


class RunDrawn(TypedDict):
    run: str
    picture: str


class _Problem(TypedDict):
    #: `commit`, or as in `ReceiptProblem`.
    kind: str
    #: The first commit that is not as it should be, where it is one.
    commit: str | None
    message: str


class RunProblem(_Problem, total=False):
    #: Where it is about a receipt.
    run: str
    task: str


class RunVerified(TypedDict):
    run: str
    ok: bool
    commits: int
    #: None where the commits are not as they should be.
    status: RunStatus | None
    receipts: int
    #: How many of the receipts are signed.
    signed: int
    problems: list[RunProblem]


class RunMoved(TypedDict):
    run: str
    status: RunStatus
    commit: str


class Again(TypedDict):
    """Work that does not count any more, and who was at it."""

    step: str
    actor: str
    seq: int


class RunRewound(RunMoved):
    """A run that goes on from one of its commits."""

    again: list[Again]


class PrunedRun(TypedDict):
    run: str
    process: str
    status: Literal["done", "failed", "cancelled"]
    commit: str


class Pruned(TypedDict):
    #: Those that went, or would, the first to end first.
    runs: list[PrunedRun]
    #: Whether there are others.
    more: bool
    #: Where they were written.
    file: Text | None
    bytes: int | None


class TriggerFired(TypedDict):
    run: str
    at_ms: int


class TriggerProblem(TriggerFired):
    message: str


class Trigger(TypedDict):
    process: str
    version: str | None
    trigger: str
    description: str | None
    kind: Literal["commit", "time", "both"]
    paused: bool
    fired: TriggerFired | None
    next_ms: int | None
    waiting: int
    problem: TriggerProblem | None


class Unmet(TypedDict):
    condition: str
    why: str


class TriggerTested(TypedDict):
    process: str
    version: str | None
    trigger: str
    fires: bool
    run: str | None
    unmet: Unmet | None


class TestedCommit(TypedDict):
    commit: str
    ref: str
    triggers: list[TriggerTested]


class TriggerPaused(TypedDict):
    process: str
    trigger: str
    paused: bool


class PolicySet(TypedDict):
    name: str
    commit: str
    was: str | None


class PolicyCommit(TypedDict):
    commit: str
    actor: str
    at_ms: int


class _Policy(TypedDict):
    name: str
    commit: str | None
    #: The text.
    policy: str | None
    commits: list[PolicyCommit]


class Policy(_Policy, total=False):
    #: Why it cannot be read, and nothing is allowed that it could be about.
    problem: str


class PolicyRemoved(TypedDict):
    name: str
    was: str


class PolicyReason(TypedDict):
    rule: str
    verdict: Literal["allows", "denies", "forbids", "passes", "elsewhere", "overrides"]
    #: What the rule says, in words that follow its name.
    says: str


class PolicyChecked(TypedDict):
    allowed: bool
    rule: str | None
    overridden: list[str]
    why: list[PolicyReason]


class _Denial(TypedDict):
    commit: str
    actor: str
    action: str
    rule: str
    at_ms: int
    count: int


class Denial(_Denial, total=False):
    """Something that a policy refused."""

    run: str
    process: str
    step: str
    ref: str
    policy: str


class PolicyDenials(TypedDict):
    denials: list[Denial]
    next: str | None


class _Work(TypedDict):
    task: str
    run: str
    step: str
    process: str
    version: str | None
    type: str | None
    queue: str
    priority: int
    assignee: str | None
    roles: list[str]
    attempt: int
    round: int
    title: str | None
    description: str | None
    configuration: dict[str, Any]
    data: dict[str, Any]
    overdue: bool


class _WorkOfMany(_Work, total=False):
    #: Of an instance of `each`: which one, and what it is about.
    index: int
    item: Any
    due_ms: int


class Task(_WorkOfMany):
    """A task that was claimed; whoever has the `token` may complete it."""

    token: str
    worker: str
    lease_ms: int


class ListedTask(_WorkOfMany, total=False):
    #: Where somebody has it.
    worker: str


class Tasks(TypedDict):
    tasks: list[ListedTask]
    next: str | None


class TaskHeld(TypedDict):
    task: str
    lease_ms: int


class TaskEnded(TypedDict):
    """What became of a task, and how its run stands now."""

    task: str
    run: str
    status: RunStatus
    commit: str


class _Receipt(TypedDict):
    receipt: int
    run: str
    process: str
    definition: str
    step: str
    actor: str
    outcome: str
    output: str
    finished_ms: int
    commit: str
    seq: int


class Receipt(_Receipt, total=False):
    """What became of a task; what it has not is not there."""

    version: str
    task: str
    attempt: int
    round: int
    worker: str
    problem: str
    again: bool
    input: str
    offered_ms: int
    claimed_ms: int
    signature: str


class Receipts(TypedDict):
    receipts: list[Receipt]
    next: str | None


class ReceiptText(TypedDict):
    text: str
    next: str | None


class _ReceiptProblem(TypedDict):
    kind: Literal[
        "signature", "signer", "unsigned", "record", "digest", "missing", "misplaced", "run"
    ]
    commit: str | None
    message: str


class ReceiptProblem(_ReceiptProblem, total=False):
    run: str
    task: str


class ReceiptShown(TypedDict):
    commit: str
    receipt: Receipt | None
    line: str
    signature: dict[str, Any] | None
    ok: bool
    #: Whether its run is not here, or not any more: only its form and signature are checked then.
    apart: bool
    problems: list[ReceiptProblem]


class ReceiptsVerified(TypedDict):
    ok: bool
    runs: int
    receipts: int
    #: How many of the receipts are signed.
    signed: int
    #: How many are of runs that are not in the repository.
    apart: int
    found: int
    problems: list[ReceiptProblem]


class _Ref(TypedDict):
    name: Text
    sha: str


class Ref(_Ref, total=False):
    peeled: str
    symbolic: Text


class Refs(TypedDict):
    refs: list[Ref]
    next: Text | None


class _RefUpdate(TypedDict):
    ref: Text


class RefUpdate(_RefUpdate, total=False):
    to: Text
    expect: str


class RefMoved(TypedDict):
    ref: str
    sha: str | None
    was: str | None


class Merged(TypedDict):
    commit: str
    tree: str
    merged: Literal["up_to_date", "fast_forward", "merge", "squash"]
