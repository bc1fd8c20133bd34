"""The operations of the contract as methods to be awaited; `_operations` has them for threads."""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Literal, cast, overload

from ._operations import contents, outcomes
from ._protocol import PROTOCOL
from .errors import Error
from .types import (
    Auth,
    Branches,
    BranchMoved,
    Committed,
    Created,
    Deleted,
    Diff,
    Draft,
    Drained,
    Drawn,
    Durability,
    Entry,
    Exported,
    Fence,
    FileChange,
    Head,
    Hello,
    Id,
    ImportedStates,
    ImportReport,
    Lease,
    Linted,
    Locks,
    Log,
    Marking,
    Merged,
    Noted,
    Path,
    Policy,
    PolicyChecked,
    PolicyDenials,
    PolicyRemoved,
    PolicySet,
    Process,
    Processes,
    Pruned,
    Published,
    Pushed,
    PushRef,
    Receipts,
    ReceiptShown,
    ReceiptsVerified,
    ReceiptText,
    RefMoved,
    Refs,
    RefUpdate,
    Released,
    Removed,
    Report,
    Repository,
    RunDrawn,
    RunHistory,
    RunMoved,
    RunRewound,
    Runs,
    RunStarted,
    RunState,
    RunStatus,
    RunVerified,
    Sign,
    Status,
    Store,
    TagMoved,
    Tags,
    Task,
    TaskEnded,
    TaskHeld,
    Tasks,
    TestedCommit,
    Text,
    Trigger,
    TriggerPaused,
    Who,
    WorkspaceInfo,
    Workspaces,
)


class AsyncOperations(ABC):
    """A method for each operation. What is None is left to the daemon.

    `timeout` is in seconds; None is the client's own, `math.inf` is none. After it the request is
    cancelled and `Timeout` raised. An `id`, any text, names a request in events and for `cancel`.
    """

    @abstractmethod
    async def call(
        self,
        op: str,
        /,
        *,
        id: str | None = None,
        timeout: float | None = None,
        **arguments: Any,
    ) -> Any:
        """Sends any operation and waits for the value of its reply."""

    @abstractmethod
    async def _follow(
        self, op: str, /, *, id: str, timeout: float | None = None, **arguments: Any
    ) -> AsyncIterator[Any]:
        """Sends a request for tasks; gives them as they come, until it is answered."""

    async def sync(
        self,
        *,
        url: Text,
        branch: Text,
        path: Path,
        depth: int | None = None,
        submodules: bool | None = None,
        notes: bool | Sequence[Text] | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Brings `path` to the tip of `branch` at `url`; the commit id."""
        commit = await self.call(
            "sync",
            url=url,
            branch=branch,
            path=path,
            depth=depth,
            submodules=submodules,
            notes=notes,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            id=id,
            timeout=timeout,
        )
        return cast(str, commit)

    @overload
    async def lsremote(
        self,
        *,
        url: Text,
        branch: Text,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> str: ...

    @overload
    async def lsremote(
        self,
        *,
        url: Text,
        branch: None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> dict[Text, str]: ...

    async def lsremote(
        self,
        *,
        url: Text,
        branch: Text | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The id that `branch` has at `url`, or every ref with its id."""
        return await self.call(
            "lsremote",
            url=url,
            branch=branch,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            id=id,
            timeout=timeout,
        )

    async def push(
        self,
        *,
        path: Repository,
        refs: Sequence[PushRef],
        url: Text | None = None,
        remote: Text | None = None,
        atomic: bool | None = None,
        fence: Fence | Lease | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> list[Pushed]:
        """Moves refs of a remote; what became of each. All or none, unless `atomic` is False.

        An `expect` of None says that the ref must not exist there; without the key anything
        will do.
        """
        reply = await self.call(
            "push",
            path=path,
            refs=refs,
            url=url,
            remote=remote,
            atomic=atomic,
            fence=fence,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            id=id,
            timeout=timeout,
        )
        return cast(list[Pushed], reply["refs"])

    @overload
    async def files(
        self,
        *,
        path: Repository,
        subpath: Path | None = None,
        rev: Text | None = None,
        pattern: Text | None = None,
        recursive: bool | None = None,
        details: Literal[False] | None = None,
        timeout: float | None = None,
    ) -> list[Text]: ...

    @overload
    async def files(
        self,
        *,
        path: Repository,
        subpath: Path | None = None,
        rev: Text | None = None,
        pattern: Text | None = None,
        recursive: bool | None = None,
        details: Literal[True],
        timeout: float | None = None,
    ) -> list[Entry]: ...

    async def files(
        self,
        *,
        path: Repository,
        subpath: Path | None = None,
        rev: Text | None = None,
        pattern: Text | None = None,
        recursive: bool | None = None,
        details: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The names in a folder that match `pattern`, in byte order, or with `details` entries."""
        return await self.call(
            "files",
            path=path,
            subpath=subpath,
            rev=rev,
            pattern=pattern,
            recursive=recursive,
            details=details,
            timeout=timeout,
        )

    @overload
    async def read(
        self,
        *,
        path: Repository,
        file: Path,
        rev: Text | None = None,
        offset: int | None = None,
        length: int | None = None,
        timeout: float | None = None,
    ) -> bytes: ...

    @overload
    async def read(
        self,
        *,
        path: Repository,
        files: Sequence[Path],
        rev: Text | None = None,
        offset: int | None = None,
        length: int | None = None,
        timeout: float | None = None,
    ) -> list[bytes | Error]: ...

    async def read(
        self,
        *,
        path: Repository,
        file: Path | None = None,
        files: Sequence[Path] | None = None,
        rev: Text | None = None,
        offset: int | None = None,
        length: int | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The bytes of one `file`, or of each of `files`: an error stands for the one it is of."""
        value = await self.call(
            "read",
            path=path,
            file=file,
            files=files,
            rev=rev,
            encoding="binary",
            offset=offset,
            length=length,
            timeout=timeout,
        )
        return contents(value)

    async def head(self, *, path: Repository, timeout: float | None = None) -> Head:
        """The commit of `HEAD`."""
        return cast(Head, await self.call("head", path=path, timeout=timeout))

    async def checkout(
        self,
        *,
        path: Repository,
        sha: Text,
        fence: Fence | Lease | None = None,
        timeout: float | None = None,
    ) -> str:
        """Makes `sha`, any rev of a commit, the checked-out commit; its id. No branch moves."""
        checked_out = await self.call("checkout", path=path, sha=sha, fence=fence, timeout=timeout)
        return cast(str, checked_out)

    async def commit(
        self,
        *,
        path: Repository,
        message: Text,
        changes: Sequence[FileChange] | None = None,
        all: bool | None = None,
        branch: Text | None = None,
        author: Who | None = None,
        committer: Who | None = None,
        message_encoding: str | None = None,
        expect: str | None = None,
        empty: bool | None = None,
        key: str | None = None,
        fence: Fence | Lease | None = None,
        sign: Sign | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> Committed:
        """Makes a commit of `changes`, or of `all` that is different in the worktree.

        The content of a change is bytes, or text that is committed as UTF-8. With a `key` it
        happens once, however often it is asked for.
        """
        committed = await self.call(
            "commit",
            path=path,
            message=message,
            changes=changes,
            all=all,
            encoding="utf8",
            branch=branch,
            author=author,
            committer=committer,
            message_encoding=message_encoding,
            expect=expect,
            empty=empty,
            key=key,
            fence=fence,
            sign=sign,
            durability=durability,
            timeout=timeout,
        )
        return cast(Committed, committed)

    async def log(
        self,
        *,
        path: Repository,
        range: Text | None = None,
        paths: Sequence[Path] | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Log:
        """Commits, newest first; `next` is what `after` is for the following ones."""
        page = await self.call(
            "log",
            path=path,
            range=range,
            paths=paths,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Log, page)

    async def diff(
        self,
        *,
        path: Repository,
        range: Text | None = None,
        paths: Sequence[Path] | None = None,
        patch: bool | None = None,
        context: int | None = None,
        limit: int | None = None,
        after: Text | None = None,
        timeout: float | None = None,
    ) -> Diff:
        """What differs between two commits, or between one and the worktree."""
        page = await self.call(
            "diff",
            path=path,
            range=range,
            paths=paths,
            patch=patch,
            context=context,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Diff, page)

    async def status(
        self,
        *,
        path: Repository,
        paths: Sequence[Path] | None = None,
        untracked: bool | None = None,
        ignored: bool | None = None,
        limit: int | None = None,
        after: Text | None = None,
        timeout: float | None = None,
    ) -> Status:
        """What differs between `HEAD`, the index and the worktree."""
        page = await self.call(
            "status",
            path=path,
            paths=paths,
            untracked=untracked,
            ignored=ignored,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Status, page)

    async def verify(
        self,
        *,
        path: Repository,
        range: Text | None = None,
        allowed_signers: str | None = None,
        allowed_signers_file: Path | None = None,
        fsck: bool | None = None,
        limit: int | None = None,
        after: Text | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Whether a repository is whole, and who signed the commits of a range."""
        verified = await self.call(
            "verify",
            path=path,
            range=range,
            allowed_signers=allowed_signers,
            allowed_signers_file=allowed_signers_file,
            fsck=fsck,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast("dict[str, Any]", verified)

    async def maintain(
        self,
        *,
        path: Repository | None = None,
        full: bool | None = None,
        prune_after_ms: int | None = None,
        purge_after_ms: int | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Housekeeping of a repository, or of all workspaces; tells what was done."""
        upkept = await self.call(
            "maintain",
            path=path,
            full=full,
            prune_after_ms=prune_after_ms,
            purge_after_ms=purge_after_ms,
            timeout=timeout,
        )
        return cast("dict[str, Any]", upkept)

    async def workspace_create(
        self,
        *,
        workspace: Id,
        branch: Text | None = None,
        description: Text | None = None,
        timeout: float | None = None,
    ) -> Created:
        """Makes an empty repository that is named by an id from now on."""
        created = await self.call(
            "workspace.create",
            workspace=workspace,
            branch=branch,
            description=description,
            timeout=timeout,
        )
        return cast(Created, created)

    async def workspace_import(
        self,
        *,
        workspace: Id,
        from_: Mapping[str, Any],
        branch: Text | None = None,
        name: str | None = None,
        author: Mapping[str, str] | None = None,
        committer: Mapping[str, str] | None = None,
        message: str | None = None,
        mapping: Path | None = None,
        fence: Fence | Lease | None = None,
        timeout: float | None = None,
    ) -> ImportReport:
        """Makes a history of a database of snapshots, a folder or a bundle (`from` on the wire).

        Asked again it goes on where it was.
        """
        report = await self.call(
            "workspace.import",
            **cast("dict[str, Any]", {"from": from_}),
            workspace=workspace,
            branch=branch,
            name=name,
            author=author,
            committer=committer,
            message=message,
            mapping=mapping,
            fence=fence,
            timeout=timeout,
        )
        return cast(ImportReport, report)

    async def workspace_imported(
        self,
        *,
        workspace: Id,
        name: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> ImportedStates:
        """Which commit each state of an import became; `next` is what `after` is for."""
        page = await self.call(
            "workspace.imported",
            workspace=workspace,
            name=name,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(ImportedStates, page)

    async def workspace_list(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        deleted: bool | None = None,
        timeout: float | None = None,
    ) -> Workspaces:
        """The workspaces there are, or those that were deleted; `next` is what `after` is for."""
        page = await self.call(
            "workspace.list", limit=limit, after=after, deleted=deleted, timeout=timeout
        )
        return cast(Workspaces, page)

    async def workspace_info(
        self, *, workspace: Id, deleted_ms: int | None = None, timeout: float | None = None
    ) -> WorkspaceInfo:
        """What there is to say about a workspace without reading its history."""
        info = await self.call(
            "workspace.info", workspace=workspace, deleted_ms=deleted_ms, timeout=timeout
        )
        return cast(WorkspaceInfo, info)

    async def workspace_delete(
        self,
        *,
        workspace: Id,
        expect: str | None = None,
        fence: Fence | Lease | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Takes a workspace out of use, so that it can be restored."""
        deleted = await self.call(
            "workspace.delete", workspace=workspace, expect=expect, fence=fence, timeout=timeout
        )
        return cast(Deleted, deleted)

    async def workspace_restore(
        self, *, workspace: Id, deleted_ms: int | None = None, timeout: float | None = None
    ) -> Deleted:
        """Undoes the last deletion of a workspace, or that of a time."""
        restored = await self.call(
            "workspace.restore", workspace=workspace, deleted_ms=deleted_ms, timeout=timeout
        )
        return cast(Deleted, restored)

    async def workspace_export(
        self,
        *,
        path: Repository,
        format: Literal["bundle", "tar.gz", "zip"],
        rev: Text | None = None,
        to: Path | None = None,
        overwrite: bool | None = None,
        prefix: Path | None = None,
        paths: Sequence[Path] | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> Exported:
        """A revision as one file: at `to`, or as the bytes in `content`."""
        exported = await self.call(
            "workspace.export",
            path=path,
            format=format,
            rev=rev,
            to=to,
            overwrite=overwrite,
            prefix=prefix,
            paths=paths,
            encoding="binary",
            id=id,
            timeout=timeout,
        )
        return cast(Exported, exported)

    async def branch(
        self,
        *,
        path: Repository,
        branch: Text,
        from_: Text | None = None,
        expect: str | None = None,
        force: bool | None = None,
        delete: bool | None = None,
        rename: Text | None = None,
        fence: Fence | Lease | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> BranchMoved:
        """Makes `branch` at the commit of `from_`, moves it there, renames or removes it."""
        named: dict[str, Any] = {"from": from_}
        value = await self.call(
            "branch",
            path=path,
            branch=branch,
            expect=expect,
            force=force,
            delete=delete,
            rename=rename,
            fence=fence,
            durability=durability,
            timeout=timeout,
            **named,
        )
        return cast(BranchMoved, value)

    async def branches(
        self,
        *,
        path: Repository,
        pattern: Text | None = None,
        limit: int | None = None,
        after: Text | None = None,
        timeout: float | None = None,
    ) -> Branches:
        """Branches by name; `next` is what `after` is for the following ones."""
        value = await self.call(
            "branches",
            path=path,
            pattern=pattern,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Branches, value)

    async def tag(
        self,
        *,
        path: Repository,
        tag: Text,
        target: Text | None = None,
        message: Text | None = None,
        tagger: Who | None = None,
        expect: str | None = None,
        force: bool | None = None,
        delete: bool | None = None,
        fence: Fence | Lease | None = None,
        sign: Sign | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> TagMoved:
        """Makes `tag` name `target`, with a `message` or without, or removes it."""
        value = await self.call(
            "tag",
            path=path,
            tag=tag,
            target=target,
            message=message,
            tagger=tagger,
            expect=expect,
            force=force,
            delete=delete,
            fence=fence,
            sign=sign,
            durability=durability,
            timeout=timeout,
        )
        return cast(TagMoved, value)

    async def tags(
        self,
        *,
        path: Repository,
        pattern: Text | None = None,
        limit: int | None = None,
        after: Text | None = None,
        timeout: float | None = None,
    ) -> Tags:
        """Tags by name; `next` is what `after` is for the following ones."""
        value = await self.call(
            "tags",
            path=path,
            pattern=pattern,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Tags, value)

    async def process_lint(
        self,
        *,
        path: Repository | None = None,
        files: Sequence[Path] | None = None,
        rev: Text | None = None,
        drafts: Sequence[Draft] | None = None,
        format: Literal["text", "json", "sarif", "github"] | None = None,
        color: bool | None = None,
        timeout: float | None = None,
    ) -> Linted:
        """What is wrong with definitions: `files` of a repository, or `drafts` that are in none."""
        value = await self.call(
            "process.lint",
            path=path,
            files=files,
            rev=rev,
            drafts=drafts,
            encoding="utf8",
            format=format,
            color=color,
            timeout=timeout,
        )
        return cast(Linted, value)

    async def process_test(
        self,
        *,
        path: Repository | None = None,
        files: Sequence[Path] | None = None,
        rev: Text | None = None,
        drafts: Sequence[Draft] | None = None,
        only: Text | None = None,
        interleavings: int | None = None,
        seed: int | None = None,
        mutants: bool | None = None,
        format: Literal["text", "junit"] | None = None,
        timeout: float | None = None,
    ) -> Report:
        """Plays the tests of definitions; also runs by chance, and mistakes made on purpose."""
        value = await self.call(
            "process.test",
            path=path,
            files=files,
            rev=rev,
            drafts=drafts,
            encoding="utf8",
            only=only,
            interleavings=interleavings,
            seed=seed,
            mutants=mutants,
            format=format,
            timeout=timeout,
        )
        return cast(Report, value)

    async def process_graph(
        self,
        *,
        path: Repository | None = None,
        files: Sequence[Path] | None = None,
        rev: Text | None = None,
        drafts: Sequence[Draft] | None = None,
        process_name: Text | None = None,
        format: Literal["svg", "dot", "mermaid"] | None = None,
        marking: Marking | None = None,
        timeout: float | None = None,
    ) -> Drawn:
        """The picture of a definition; `marking` says how many threads of a run are where."""
        value = await self.call(
            "process.graph",
            path=path,
            files=files,
            rev=rev,
            drafts=drafts,
            encoding="utf8",
            process_name=process_name,
            format=format,
            marking=marking,
            timeout=timeout,
        )
        return cast(Drawn, value)

    async def process_publish(
        self,
        *,
        path: Repository | None = None,
        content: Text | None = None,
        file: Path | None = None,
        rev: Text | None = None,
        files: Sequence[Path] | None = None,
        drafts: Sequence[Draft] | None = None,
        name: str | None = None,
        version: str | None = None,
        store: Store | None = None,
        tagger: Who | None = None,
        sign: Sign | None = None,
        fence: Fence | Lease | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Published:
        """Publishes `content`, or a `file` of a revision, as a version that never changes.

        It is linted and tested first, with the `drafts` or `files` beside it. With `dry_run` that
        is all that happens.
        """
        value = await self.call(
            "process.publish",
            path=path,
            content=content,
            encoding="utf8",
            file=file,
            rev=rev,
            files=files,
            drafts=drafts,
            name=name,
            version=version,
            store=store,
            tagger=tagger,
            sign=sign,
            fence=fence,
            dry_run=dry_run,
            timeout=timeout,
        )
        return cast(Published, value)

    async def process_get(
        self,
        *,
        path: Repository | None = None,
        name: str,
        version: str | None = None,
        prerelease: bool | None = None,
        store: Store | None = None,
        timeout: float | None = None,
    ) -> Process:
        """A published version, a range or `latest`, checked; its `content` is bytes."""
        value = await self.call(
            "process.get",
            path=path,
            name=name,
            version=version,
            prerelease=prerelease,
            store=store,
            encoding="binary",
            timeout=timeout,
        )
        return cast(Process, value)

    async def process_list(
        self,
        *,
        path: Repository | None = None,
        name: str | None = None,
        store: Store | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Processes:
        """The versions that are published; `next` is what `after` is for the following ones."""
        value = await self.call(
            "process.list",
            path=path,
            name=name,
            store=store,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Processes, value)

    async def run_start(
        self,
        *,
        path: Repository,
        process: str | None = None,
        files: Sequence[Path] | None = None,
        run: str | None = None,
        version: str | None = None,
        prerelease: bool | None = None,
        store: Store | None = None,
        rev: Text | None = None,
        drafts: Sequence[Draft] | None = None,
        input: Mapping[str, Any] | None = None,
        attributes: Mapping[str, str] | None = None,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunStarted:
        """Begins a run of a `process` that is published, or of one that `files` of a `rev` have.

        Or `drafts`, which are in no repository. A `run` that is there already is only told of, if
        it is the same.
        """
        value = await self.call(
            "run.start",
            path=path,
            process=process,
            files=files,
            run=run,
            version=version,
            prerelease=prerelease,
            store=store,
            rev=rev,
            drafts=drafts,
            encoding=None if drafts is None else "utf8",
            input=input,
            attributes=attributes,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunStarted, value)

    async def run_get(
        self,
        *,
        path: Repository,
        run: str,
        seq: int | None = None,
        timeout: float | None = None,
    ) -> RunState:
        """How a run stands, with its data and what can be done in it.

        With `seq`, how it stood with the commit of that number. What it calls (`<run>/<number>`)
        has the keys of `types.CalledState` instead.
        """
        value = await self.call(
            "run.get",
            path=path,
            run=run,
            seq=seq,
            timeout=timeout,
        )
        return cast(RunState, value)

    async def run_list(
        self,
        *,
        path: Repository,
        process: str | None = None,
        version: str | None = None,
        status: RunStatus | None = None,
        step: str | None = None,
        actor: Text | None = None,
        attributes: Mapping[str, str] | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Runs:
        """Runs by their ids; `next` is what `after` is for the following ones."""
        value = await self.call(
            "run.list",
            path=path,
            process=process,
            version=version,
            status=status,
            step=step,
            actor=actor,
            attributes=attributes,
            since_ms=since_ms,
            until_ms=until_ms,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Runs, value)

    async def run_history(
        self,
        *,
        path: Repository,
        run: str,
        limit: int | None = None,
        after: int | None = None,
        timeout: float | None = None,
    ) -> RunHistory:
        """What happened to a run; `next` is what `after` is for the following events."""
        value = await self.call(
            "run.history",
            path=path,
            run=run,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(RunHistory, value)

    async def run_graph(
        self,
        *,
        path: Repository,
        run: str,
        format: Literal["svg", "dot", "mermaid"] | None = None,
        seq: int | None = None,
        timeout: float | None = None,
    ) -> RunDrawn:
        """The picture of a run's process with where the run is, or was with a commit (`seq`)."""
        value = await self.call(
            "run.graph",
            path=path,
            run=run,
            format=format,
            seq=seq,
            timeout=timeout,
        )
        return cast(RunDrawn, value)

    async def run_verify(
        self,
        *,
        path: Repository,
        run: str,
        allowed_signers: str | None = None,
        allowed_signers_file: Path | None = None,
        timeout: float | None = None,
    ) -> RunVerified:
        """Whether a run is what its commits say; what is wrong otherwise is in `problems`."""
        value = await self.call(
            "run.verify",
            path=path,
            run=run,
            allowed_signers=allowed_signers,
            allowed_signers_file=allowed_signers_file,
            timeout=timeout,
        )
        return cast(RunVerified, value)

    async def run_signal(
        self,
        *,
        path: Repository,
        run: str,
        name: str,
        key: Any = None,
        data: Mapping[str, Any] | None = None,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunMoved:
        """Tells a run that an event happened; a `key` is any JSON value but null."""
        value = await self.call(
            "run.signal",
            path=path,
            run=run,
            name=name,
            key=key,
            data=data,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunMoved, value)

    async def run_cancel(
        self,
        *,
        path: Repository,
        run: str,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunMoved:
        """Withdraws all that is left of a run."""
        value = await self.call(
            "run.cancel",
            path=path,
            run=run,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunMoved, value)

    async def run_suspend(
        self,
        *,
        path: Repository,
        run: str,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunMoved:
        """Has nothing more of a run started, and no time count, until it is resumed."""
        value = await self.call(
            "run.suspend",
            path=path,
            run=run,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunMoved, value)

    async def run_resume(
        self,
        *,
        path: Repository,
        run: str,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunMoved:
        """Has a run go on that was suspended."""
        value = await self.call(
            "run.resume",
            path=path,
            run=run,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunMoved, value)

    async def run_retry(
        self,
        *,
        path: Repository,
        run: str,
        seq: int | None = None,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunRewound:
        """Has a run that failed, was cancelled or is stuck go on from before what made it end.

        With `seq`, it goes on from the commit of that number. What is done anew is in `again`.
        """
        value = await self.call(
            "run.retry",
            path=path,
            run=run,
            seq=seq,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunRewound, value)

    async def run_fork(
        self,
        *,
        path: Repository,
        run: str,
        seq: int | None = None,
        new: str | None = None,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunRewound:
        """Begins another run, called `new`, as this one is, or was with the commit `seq`.

        What was begun here and is still to be done there is in `again`.
        """
        value = await self.call(
            "run.fork",
            path=path,
            run=run,
            seq=seq,
            new=new,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunRewound, value)

    async def run_migrate(
        self,
        *,
        path: Repository,
        run: str,
        version: str | None = None,
        files: Sequence[Path] | None = None,
        prerelease: bool | None = None,
        store: Store | None = None,
        rev: Text | None = None,
        steps: Mapping[str, str] | None = None,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> RunMoved:
        """Has a run go on by another definition: a published `version`, or `files` of a `rev`.

        `steps` has the new names of steps by the old ones. A `Conflict` has what has no place there
        in the detail `missing`.
        """
        value = await self.call(
            "run.migrate",
            path=path,
            run=run,
            version=version,
            files=files,
            prerelease=prerelease,
            store=store,
            rev=rev,
            steps=steps,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(RunMoved, value)

    async def run_prune(
        self,
        *,
        path: Repository,
        runs: Sequence[str] | None = None,
        keep_ms: int | None = None,
        keep: int | None = None,
        process: str | None = None,
        status: Literal["done", "failed", "cancelled"] | None = None,
        to: Path | None = None,
        overwrite: bool | None = None,
        limit: int | None = None,
        dry_run: bool | None = None,
        actor: Text | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> Pruned:
        """Takes away runs that ended: `runs`, or those beyond `keep_ms` or `keep`.

        With `to` they are written to that file first, from which `git fetch` brings them back.
        """
        value = await self.call(
            "run.prune",
            path=path,
            runs=runs,
            keep_ms=keep_ms,
            keep=keep,
            process=process,
            status=status,
            to=to,
            overwrite=overwrite,
            limit=limit,
            dry_run=dry_run,
            actor=actor,
            override=override,
            timeout=timeout,
        )
        return cast(Pruned, value)

    async def policy_set(
        self,
        *,
        path: Repository,
        name: str,
        policy: Text | Mapping[str, Any],
        actor: Text | None = None,
        expect: str | None = None,
        sign: Sign | None = None,
        force: bool | None = None,
        timeout: float | None = None,
    ) -> PolicySet:
        """Has a policy say something else from now on; what none allows is `Denied`."""
        value = await self.call(
            "policy.set",
            path=path,
            name=name,
            policy=policy,
            actor=actor,
            expect=expect,
            sign=sign,
            force=force,
            timeout=timeout,
        )
        return cast(PolicySet, value)

    async def policy_get(
        self,
        *,
        path: Repository,
        name: str | None = None,
        rev: str | None = None,
        timeout: float | None = None,
    ) -> list[Policy]:
        """The policies that there are, or one, also as it was with a commit (`rev`)."""
        value = await self.call(
            "policy.get",
            path=path,
            name=name,
            rev=rev,
            timeout=timeout,
        )
        return cast("list[Policy]", value["policies"])

    async def policy_remove(
        self,
        *,
        path: Repository,
        name: str,
        actor: Text | None = None,
        expect: str | None = None,
        force: bool | None = None,
        timeout: float | None = None,
    ) -> PolicyRemoved:
        """A policy is no more."""
        value = await self.call(
            "policy.remove",
            path=path,
            name=name,
            actor=actor,
            expect=expect,
            force=force,
            timeout=timeout,
        )
        return cast(PolicyRemoved, value)

    async def policy_check(
        self,
        *,
        path: Repository,
        actor: Text,
        action: str,
        process: str | None = None,
        step: str | None = None,
        run: str | None = None,
        policy: str | None = None,
        roles: Sequence[str] | None = None,
        ref: str | None = None,
        program: str | None = None,
        git: str | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> PolicyChecked:
        """Whether somebody may do something, and why."""
        value = await self.call(
            "policy.check",
            path=path,
            actor=actor,
            action=action,
            process=process,
            step=step,
            run=run,
            policy=policy,
            roles=roles,
            ref=ref,
            program=program,
            git=git,
            override=override,
            timeout=timeout,
        )
        return cast(PolicyChecked, value)

    async def policy_denials(
        self,
        *,
        path: Repository,
        actor: Text | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> PolicyDenials:
        """What policies refused, newest first."""
        value = await self.call(
            "policy.denials",
            path=path,
            actor=actor,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(PolicyDenials, value)

    async def task_claim(
        self,
        *,
        path: Repository,
        worker: Text,
        task: str | None = None,
        queue: str | None = None,
        types: Sequence[str] | None = None,
        roles: Sequence[str] | None = None,
        max: int | None = None,
        lease_ms: int | None = None,
        wait_ms: int | None = None,
        override: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> list[Task]:
        """Gives a worker up to `max` tasks, or one that is named; without any it waits `wait_ms`.

        A `timeout` that is shorter ends the waiting with `Timeout`.
        """
        value = await self.call(
            "task.claim",
            path=path,
            worker=worker,
            task=task,
            queue=queue,
            types=types,
            roles=roles,
            max=max,
            lease_ms=lease_ms,
            wait_ms=wait_ms,
            override=override,
            id=id,
            timeout=timeout,
        )
        return cast("list[Task]", value["tasks"])

    async def task_complete(
        self,
        *,
        path: Repository,
        task: str,
        token: str,
        worker: Text | None = None,
        outcome: str | None = None,
        data: Mapping[str, Any] | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> TaskEnded:
        """A claimed task is done; `Conflict` if it is not held by this token any more."""
        value = await self.call(
            "task.complete",
            path=path,
            task=task,
            token=token,
            worker=worker,
            outcome=outcome,
            data=data,
            override=override,
            timeout=timeout,
        )
        return cast(TaskEnded, value)

    async def task_fail(
        self,
        *,
        path: Repository,
        task: str,
        token: str,
        message: str,
        worker: Text | None = None,
        type: str | None = None,
        retry: bool | None = None,
        override: str | None = None,
        timeout: float | None = None,
    ) -> TaskEnded:
        """An attempt failed; with `retry` false there is no other one."""
        value = await self.call(
            "task.fail",
            path=path,
            task=task,
            token=token,
            message=message,
            worker=worker,
            type=type,
            retry=retry,
            override=override,
            timeout=timeout,
        )
        return cast(TaskEnded, value)

    async def task_heartbeat(
        self,
        *,
        path: Repository,
        task: str,
        token: str,
        worker: Text | None = None,
        lease_ms: int | None = None,
        timeout: float | None = None,
    ) -> TaskHeld:
        """The lease of a task begins anew, of `lease_ms` or as long as before."""
        value = await self.call(
            "task.heartbeat",
            path=path,
            task=task,
            token=token,
            worker=worker,
            lease_ms=lease_ms,
            timeout=timeout,
        )
        return cast(TaskHeld, value)

    async def task_release(
        self,
        *,
        path: Repository,
        task: str,
        token: str,
        worker: Text | None = None,
        timeout: float | None = None,
    ) -> TaskEnded:
        """Gives a task back: it is offered again at once."""
        value = await self.call(
            "task.release",
            path=path,
            task=task,
            token=token,
            worker=worker,
            timeout=timeout,
        )
        return cast(TaskEnded, value)

    async def task_list(
        self,
        *,
        path: Repository,
        run: str | None = None,
        queue: str | None = None,
        types: Sequence[str] | None = None,
        worker: Text | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Tasks:
        """Tasks that can be claimed or are held; `next` is what `after` is for more of them."""
        value = await self.call(
            "task.list",
            path=path,
            run=run,
            queue=queue,
            types=types,
            worker=worker,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Tasks, value)

    @overload
    async def receipt_list(
        self,
        *,
        path: Repository,
        run: str | None = None,
        process: str | None = None,
        version: str | None = None,
        step: str | None = None,
        actor: Text | None = None,
        worker: Text | None = None,
        outcome: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        format: Literal["records"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Receipts: ...

    @overload
    async def receipt_list(
        self,
        *,
        path: Repository,
        run: str | None = None,
        process: str | None = None,
        version: str | None = None,
        step: str | None = None,
        actor: Text | None = None,
        worker: Text | None = None,
        outcome: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        format: Literal["jsonl", "csv"],
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> ReceiptText: ...

    async def receipt_list(
        self,
        *,
        path: Repository,
        run: str | None = None,
        process: str | None = None,
        version: str | None = None,
        step: str | None = None,
        actor: Text | None = None,
        worker: Text | None = None,
        outcome: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        format: Literal["records", "jsonl", "csv"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Receipts | ReceiptText:
        """What became of tasks, as maps or as text; `next` is what `after` is for more of it."""
        value = await self.call(
            "receipt.list",
            path=path,
            run=run,
            process=process,
            version=version,
            step=step,
            actor=actor,
            worker=worker,
            outcome=outcome,
            since_ms=since_ms,
            until_ms=until_ms,
            format=format,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast("Receipts | ReceiptText", value)

    async def receipt_get(
        self,
        *,
        path: Repository,
        commit: str | None = None,
        task: str | None = None,
        attempt: int | None = None,
        allowed_signers: str | None = None,
        allowed_signers_file: Path | None = None,
        timeout: float | None = None,
    ) -> ReceiptShown:
        """What became of a task, or was noted on a commit, and whether that is true."""
        value = await self.call(
            "receipt.get",
            path=path,
            commit=commit,
            task=task,
            attempt=attempt,
            allowed_signers=allowed_signers,
            allowed_signers_file=allowed_signers_file,
            timeout=timeout,
        )
        return cast(ReceiptShown, value)

    async def receipt_verify(
        self,
        *,
        path: Repository,
        run: str | None = None,
        process: str | None = None,
        version: str | None = None,
        step: str | None = None,
        actor: Text | None = None,
        worker: Text | None = None,
        outcome: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        allowed_signers: str | None = None,
        allowed_signers_file: Path | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> ReceiptsVerified:
        """Whether receipts are right, and all there; what is wrong is in `problems`."""
        value = await self.call(
            "receipt.verify",
            path=path,
            run=run,
            process=process,
            version=version,
            step=step,
            actor=actor,
            worker=worker,
            outcome=outcome,
            since_ms=since_ms,
            until_ms=until_ms,
            allowed_signers=allowed_signers,
            allowed_signers_file=allowed_signers_file,
            limit=limit,
            timeout=timeout,
        )
        return cast(ReceiptsVerified, value)

    async def task_subscribe(
        self,
        *,
        id: str,
        path: Repository,
        worker: Text,
        queue: str | None = None,
        types: Sequence[str] | None = None,
        roles: Sequence[str] | None = None,
        credits: int | None = None,
        lease_ms: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Task]:
        """Tasks as they come, for a worker that is sent one for each of its `credits`.

        `task_credit` with the same `id` gives more of these. It ends when `cancel` is called with
        the `id`, when the iterator is closed and when the client is. None as the `timeout` is no
        end here. What is wrong with the request is raised where the first task is asked for.
        """
        tasks = await self._follow(
            "task.subscribe",
            path=path,
            worker=worker,
            queue=queue,
            types=types,
            roles=roles,
            credits=credits,
            lease_ms=lease_ms,
            id=id,
            timeout=timeout,
        )
        return cast("AsyncIterator[Task]", tasks)

    async def task_credit(self, *, request: Id, credits: int, timeout: float | None = None) -> bool:
        """Has the `task_subscribe` of this `id` take so many more. False if it is there no more."""
        value = await self.call("task.credit", request=request, credits=credits, timeout=timeout)
        return cast(bool, value)

    async def refs(
        self,
        *,
        path: Repository,
        prefix: Text | None = None,
        limit: int | None = None,
        after: Text | None = None,
        timeout: float | None = None,
    ) -> Refs:
        """Refs by name; `next` is what `after` is for the following ones."""
        value = await self.call(
            "refs",
            path=path,
            prefix=prefix,
            limit=limit,
            after=after,
            timeout=timeout,
        )
        return cast(Refs, value)

    async def ref_update(
        self,
        *,
        path: Repository,
        updates: Sequence[RefUpdate],
        message: Text | None = None,
        fence: Fence | Lease | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> list[RefMoved]:
        """Moves many refs, all of them or none; where each is now, and where it was."""
        value = await self.call(
            "ref.update",
            path=path,
            updates=updates,
            message=message,
            fence=fence,
            durability=durability,
            timeout=timeout,
        )
        return cast("list[RefMoved]", value["refs"])

    async def merge(
        self,
        *,
        path: Repository,
        into: Text | None = None,
        from_: Text,
        message: Text | None = None,
        strategy: Literal["auto", "ff_only", "no_ff", "squash"] | None = None,
        author: Who | None = None,
        committer: Who | None = None,
        expect: str | None = None,
        favor: Literal["ours", "theirs", "union"] | None = None,
        unrelated: bool | None = None,
        fence: Fence | Lease | None = None,
        sign: Sign | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> Merged:
        """Brings what `from_` has into a branch. A `Conflict` has the `files`, content as bytes."""
        named: dict[str, Any] = {"from": from_}
        value = await self.call(
            "merge",
            path=path,
            into=into,
            message=message,
            strategy=strategy,
            author=author,
            committer=committer,
            expect=expect,
            favor=favor,
            unrelated=unrelated,
            fence=fence,
            sign=sign,
            durability=durability,
            encoding="binary",
            timeout=timeout,
            **named,
        )
        return cast(Merged, value)

    async def note(
        self,
        *,
        path: Repository,
        target: Text | None = None,
        content: Text | None = None,
        notes: Sequence[Mapping[str, Any]] | None = None,
        namespace: Text | None = None,
        append: bool | None = None,
        expect: str | None = None,
        author: Who | None = None,
        committer: Who | None = None,
        message: Text | None = None,
        fence: Fence | Lease | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> Noted:
        """Writes a note, or several in one commit. Text is noted as UTF-8, bytes as they are."""
        noted = await self.call(
            "note",
            path=path,
            target=target,
            content=content,
            notes=notes,
            namespace=namespace,
            append=append,
            encoding="utf8",
            expect=expect,
            author=author,
            committer=committer,
            message=message,
            fence=fence,
            durability=durability,
            timeout=timeout,
        )
        return cast(Noted, noted)

    async def note_remove(
        self,
        *,
        path: Repository,
        target: Text | None = None,
        targets: Sequence[Text] | None = None,
        namespace: Text | None = None,
        missing_ok: bool | None = None,
        expect: str | None = None,
        author: Who | None = None,
        committer: Who | None = None,
        message: Text | None = None,
        fence: Fence | Lease | None = None,
        durability: Durability | None = None,
        timeout: float | None = None,
    ) -> Removed:
        """Removes the note of a target, or of several."""
        removed = await self.call(
            "note.remove",
            path=path,
            target=target,
            targets=targets,
            namespace=namespace,
            missing_ok=missing_ok,
            expect=expect,
            author=author,
            committer=committer,
            message=message,
            fence=fence,
            durability=durability,
            timeout=timeout,
        )
        return cast(Removed, removed)

    async def notes(
        self,
        *,
        path: Repository,
        namespace: Text | None = None,
        target: Text | None = None,
        limit: int | None = None,
        after: str | None = None,
        contents: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The note of a target, or a page of all notes: `notes` and `next`."""
        return await self.call(
            "notes",
            path=path,
            namespace=namespace,
            target=target,
            limit=limit,
            after=after,
            contents=contents,
            encoding="binary",
            timeout=timeout,
        )

    async def lock(
        self,
        *,
        path: Repository,
        name: Text,
        owner: Text,
        shared: bool | None = None,
        reason: Text | None = None,
        ttl_ms: int | None = None,
        wait_ms: int | None = None,
        durability: Durability | None = None,
        url: Text | None = None,
        remote: Text | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> Lease:
        """Holds a lock until `unlock`, or for `ttl_ms`; `holding` lets go of it by itself.

        With `remote` or `url` a Git server keeps it, for daemons on all machines.
        """
        lease = await self.call(
            "lock",
            path=path,
            name=name,
            owner=owner,
            shared=shared,
            reason=reason,
            ttl_ms=ttl_ms,
            wait_ms=wait_ms,
            durability=durability,
            url=url,
            remote=remote,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            id=id,
            timeout=timeout,
        )
        return cast(Lease, lease)

    @contextlib.asynccontextmanager
    async def holding(
        self,
        *,
        path: Repository,
        name: Text,
        owner: Text,
        shared: bool | None = None,
        reason: Text | None = None,
        ttl_ms: int | None = None,
        wait_ms: int | None = None,
        durability: Durability | None = None,
        url: Text | None = None,
        remote: Text | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        id: str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Lease]:
        """Holds a lock in a `with` block. It is not renewed: a block that takes longer than the
        lock is held ends with `Conflict`, and changes with its `fence` are refused from then on.
        """
        lease = await self.lock(
            path=path,
            name=name,
            owner=owner,
            shared=shared,
            reason=reason,
            ttl_ms=ttl_ms,
            wait_ms=wait_ms,
            durability=durability,
            url=url,
            remote=remote,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            id=id,
            timeout=timeout,
        )
        let_go = functools.partial(
            self.unlock,
            path=path,
            name=name,
            token=lease["token"],
            durability=durability,
            url=url,
            remote=remote,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
        )
        try:
            yield lease
        except BaseException:
            # What went wrong in the block is what the caller has to hear of.
            with contextlib.suppress(Error):
                await let_go()
            raise
        await let_go()

    async def renew(
        self,
        *,
        path: Repository,
        name: Text,
        token: int,
        ttl_ms: int,
        durability: Durability | None = None,
        url: Text | None = None,
        remote: Text | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        timeout: float | None = None,
    ) -> Lease:
        """Holds a lock for `ttl_ms` from now."""
        lease = await self.call(
            "renew",
            path=path,
            name=name,
            token=token,
            ttl_ms=ttl_ms,
            durability=durability,
            url=url,
            remote=remote,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            timeout=timeout,
        )
        return cast(Lease, lease)

    async def unlock(
        self,
        *,
        path: Repository,
        name: Text,
        token: int,
        durability: Durability | None = None,
        url: Text | None = None,
        remote: Text | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        timeout: float | None = None,
    ) -> Released:
        """Lets go of a lock."""
        released = await self.call(
            "unlock",
            path=path,
            name=name,
            token=token,
            durability=durability,
            url=url,
            remote=remote,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            timeout=timeout,
        )
        return cast(Released, released)

    async def locks(
        self,
        *,
        path: Repository,
        prefix: Text | None = None,
        limit: int | None = None,
        after: Text | None = None,
        url: Text | None = None,
        remote: Text | None = None,
        auth: Auth | None = None,
        known_hosts: Text | None = None,
        ca: Text | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        timeout: float | None = None,
    ) -> Locks:
        """The locks that are held, and who holds them."""
        page = await self.call(
            "locks",
            path=path,
            prefix=prefix,
            limit=limit,
            after=after,
            url=url,
            remote=remote,
            auth=auth,
            known_hosts=known_hosts,
            ca=ca,
            ca_file=ca_file,
            proxy=proxy,
            timeout=timeout,
        )
        return cast(Locks, page)

    async def trigger_list(
        self,
        *,
        path: Repository,
        timeout: float | None = None,
    ) -> list[Trigger]:
        """What starts runs in a repository, when each last did, and when it does next."""
        value = await self.call(
            "trigger.list",
            path=path,
            timeout=timeout,
        )
        return cast(list[Trigger], value["triggers"])

    async def trigger_test(
        self,
        *,
        path: Repository,
        rev: str | None = None,
        ref: str | None = None,
        before: str | None = None,
        process: str | None = None,
        files: Sequence[Path] | None = None,
        timeout: float | None = None,
    ) -> list[TestedCommit]:
        """Which triggers a commit would fire that comes to a branch or tag, and why others not."""
        value = await self.call(
            "trigger.test",
            path=path,
            rev=rev,
            ref=ref,
            before=before,
            process=process,
            files=files,
            timeout=timeout,
        )
        return cast(list[TestedCommit], value["commits"])

    async def trigger_pause(
        self,
        *,
        path: Repository,
        process: str,
        trigger: str,
        timeout: float | None = None,
    ) -> TriggerPaused:
        """A trigger starts nothing until it is resumed."""
        value = await self.call(
            "trigger.pause",
            path=path,
            process=process,
            trigger=trigger,
            timeout=timeout,
        )
        return cast(TriggerPaused, value)

    async def trigger_resume(
        self,
        *,
        path: Repository,
        process: str,
        trigger: str,
        timeout: float | None = None,
    ) -> TriggerPaused:
        """A trigger starts what happens from now on."""
        value = await self.call(
            "trigger.resume",
            path=path,
            process=process,
            trigger=trigger,
            timeout=timeout,
        )
        return cast(TriggerPaused, value)

    async def hello(
        self,
        *,
        protocol: int | None = PROTOCOL,
        client: Text | None = None,
        timeout: float | None = None,
    ) -> Hello:
        """Who is there. The client has asked already; `limits` has part of what it was told."""
        return cast(
            Hello, await self.call("hello", protocol=protocol, client=client, timeout=timeout)
        )

    async def ping(self, *, timeout: float | None = None) -> str:
        """`pong`."""
        return cast(str, await self.call("ping", timeout=timeout))

    async def stats(self, *, timeout: float | None = None) -> dict[str, Any]:
        """What the daemon counts."""
        return cast("dict[str, Any]", await self.call("stats", timeout=timeout))

    async def subscribe(
        self, *, events: Iterable[str] = ("progress",), timeout: float | None = None
    ) -> list[str]:
        """Asks for events of these kinds, and no others, from now on; `events` has them."""
        value = await self.call("subscribe", events=list(events), timeout=timeout)
        return cast("list[str]", value["events"])

    async def cancel(self, *, request: Id, timeout: float | None = None) -> bool:
        """Ends the request that was given this `id`. False if it was not waiting any more."""
        return cast(bool, await self.call("cancel", request=request, timeout=timeout))

    async def batch(
        self,
        *,
        requests: Sequence[Mapping[str, Any]],
        stop_on_error: bool | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Carries out `requests` in their order: the value of each, or an error where it failed."""
        replies = await self.call(
            "batch", requests=requests, stop_on_error=stop_on_error, timeout=timeout
        )
        return outcomes(replies)

    async def shutdown(
        self, *, grace_ms: int | None = None, timeout: float | None = None
    ) -> Drained:
        """Ends the daemon when it has finished what it has. Leaving the client does this, too."""
        return cast(Drained, await self.call("shutdown", grace_ms=grace_ms, timeout=timeout))
