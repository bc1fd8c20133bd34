defmodule GitPort do
  @moduledoc """
  The client of gitport, a daemon that syncs, lists and reads Git repositories.

  A port is a process that owns one daemon. Put it under a supervisor:

      children = [
        {GitPort, name: MyApp.Git, executable: "/usr/local/bin/gitport"}
      ]

  and ask it from any process:

      {:ok, commit} =
        GitPort.sync(MyApp.Git, url: url, branch: "main", path: "/srv/repositories/site")

      {:ok, names} = GitPort.files(MyApp.Git, "/srv/repositories/site", subpath: "deploy")
      {:ok, content} = GitPort.read(MyApp.Git, "/srv/repositories/site", "deploy/app.yaml")

  Every function returns `{:ok, value}` or `{:error, %GitPort.Error{}}`. Values are what the
  protocol says, with strings as keys.

  ## Content

  `read/4`, and a `read` in `batch/3`, give the bytes of a file as they are. `call/4`, `async/4` and
  `call_many/3` send what they are given and nothing else, so there a `read` gives base64, as the
  protocol says, unless it has `encoding: "binary"`.

  ## Workspaces

  Wherever the path of a repository is taken, `{:workspace, id}` is as well, if the daemon was
  started with a data directory (`args: ["serve", "--data", "/srv/gitport"]`):

      {:ok, _} = GitPort.workspace_create(MyApp.Git, "team/project")
      {:ok, _} = GitPort.log(MyApp.Git, {:workspace, "team/project"})

  ## Options

  The functions of operations take the arguments of the protocol as a keyword list or a map, whose
  keys are atoms or strings, and beside them

    * `:timeout` - how long the caller waits, in milliseconds or `:infinity`. It is told to the
      daemon, which ends what takes longer. If even its answer is missing, the caller gets
      `:timeout` and the request is cancelled; a late reply goes nowhere.

  What can be told to be wrong before anything is sent raises `ArgumentError`.

  A caller that dies has its requests cancelled.

  ## When the daemon exits

  Whoever waits for a reply gets `:unavailable` at once, as nobody knows what became of the
  request. The port starts the daemon again after a pause; new requests wait for it. A daemon that
  exits too often ends the port, and so becomes the business of the supervisor. The port that the
  supervisor then starts is a new one: it knows nothing of earlier subscriptions.

  ## Many requests at once

  Processes do not wait for each other. One process can have several requests outstanding with
  `async/4` and `await/2`, or send a list of them with `call_many/3`.
  """

  alias GitPort.Client
  alias GitPort.Error
  alias GitPort.Many
  alias GitPort.Options
  alias GitPort.Request
  alias GitPort.Server

  @type t :: GenServer.server()
  @type result(value) :: {:ok, value} | {:error, Error.t()}
  @type arguments :: keyword() | %{optional(atom() | String.t()) => GitPort.Codec.value()}

  # What says which remote, and how to get there.
  @remote_arguments ~w(url remote auth known_hosts ca ca_file proxy)

  @typedoc "Where a repository is, or the id of a workspace."
  @type repository :: Path.t() | {:workspace, workspace()}
  @type workspace :: String.t() | integer()

  @typedoc "A file that is in no repository, such as one in an editor: `file` and `content`."
  @type draft :: arguments()

  @typedoc "Where processes are published, if not in a repository."
  @type store :: %{required(atom() | String.t()) => term()}

  @type option ::
          {:executable, Path.t()}
          | {:args, [String.t()]}
          | {:env, [{String.t(), String.t() | nil}]}
          | {:cd, Path.t()}
          | {:name, GenServer.name()}
          | {:timeout, timeout()}
          | {:network_timeout, timeout()}
          | {:max_outstanding, pos_integer()}
          | {:backoff_ms, pos_integer()}
          | {:backoff_ms_max, pos_integer()}
          | {:max_restarts, non_neg_integer()}
          | {:max_seconds, pos_integer()}
          | {:grace_ms, pos_integer()}

  @doc """
  Starts a port and its daemon.

    * `:executable` - the program, `gitport` in the `PATH` by default
    * `:args` - its arguments, `["serve"]` by default
    * `:env`, `:cd` - variables of its environment (`nil` unsets one), and its folder
    * `:name` - as for any `GenServer`
    * `:timeout` - for a request that has no other, 30 seconds by default
    * `:network_timeout` - the same for `sync`, `lsremote` and `push`, 10 minutes by default
    * `:max_outstanding` - how many requests of all callers may wait for a reply, 1024 by default
      or less if the daemon takes less; more of them wait, and are `:busy` at their timeout
    * `:backoff_ms`, `:backoff_ms_max` - the first pause before the daemon is started again, 50 by
      default, which doubles up to the longest one, 5,000 by default
    * `:max_restarts`, `:max_seconds` - when it has exited more than 5 times in 60 seconds, the
      port gives up
    * `:grace_ms` - how long the daemon may finish what it has when the port ends, 5,000 by
      default; after half a second more it is killed
  """
  @spec start_link([option()]) :: GenServer.on_start()
  def start_link(options \\ []) do
    if Process.whereis(GitPort.Links) == nil do
      raise "start the application :gitport first, as Application.ensure_all_started(:gitport) does"
    end

    options |> Options.new!() |> Server.start_link()
  end

  @doc """
  Started again after a crash, but not after `shutdown/2`.
  """
  @spec child_spec([option()]) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: Keyword.get(options, :name, __MODULE__),
      start: {__MODULE__, :start_link, [options]},
      restart: :transient,
      shutdown: Options.new!(options).grace_ms + 2_000
    }
  end

  @doc """
  Brings `:path` to the tip of `:branch` at `:url`; gives the commit id.

  `:depth` is 1 unless given: the newest commit, and tags of that one alone. 0 is all of history
  with its tags. Also `:submodules`, and what remotes take: `:auth`, `:known_hosts`, `:ca`, `:ca_file`,
  `:proxy`.
  """
  @spec sync(t(), arguments()) :: result(String.t())
  def sync(port, options), do: operation(port, "sync", [], options)

  @doc """
  The names in a folder, or with `details: true` its entries.

  `:pattern` is `*.{yaml,yml}` unless given; `"*"` is for every file that is not hidden. Also
  `:subpath`, `:rev`, `:recursive`.
  """
  @spec files(t(), repository(), arguments()) :: result([binary()] | [map()])
  def files(port, path, options \\ []), do: operation(port, "files", at(path), options)

  @doc """
  The content of a file, or of a list of files.

  For a list the value is a list of `{file, {:ok, content} | {:error, error}}` in the same order.
  Also `:rev`, `:offset`, `:length`, and `:encoding` if it should not be `"binary"`.
  """
  @spec read(t(), repository(), binary(), arguments()) :: result(binary())
  @spec read(t(), repository(), [binary()], arguments()) :: result([{binary(), result(binary())}])
  def read(port, path, file_or_files, options \\ [])

  def read(port, path, files, options) when is_list(files) do
    arguments = at(path) ++ [files: files, encoding: "binary"]

    with {:ok, results} <- operation(port, "read", arguments, options) do
      {:ok, Enum.map(results, &read_result/1)}
    end
  end

  def read(port, path, file, options) do
    operation(port, "read", at(path) ++ [file: file, encoding: "binary"], options)
  end

  @doc "The commit of `HEAD`: `sha`, `author`, `email`, `message`, `timestamp`."
  @spec head(t(), repository(), arguments()) :: result(map())
  def head(port, path, options \\ []), do: operation(port, "head", at(path), options)

  @doc "Makes `sha`, any rev that names a commit, the checked-out commit; no branch moves. `:fence`."
  @spec checkout(t(), repository(), String.t(), arguments()) :: result(String.t())
  def checkout(port, path, sha, options \\ []) do
    operation(port, "checkout", at(path) ++ [sha: sha], options)
  end

  @doc "The id that `:branch` has at `url`, or without it a map of every ref there to its id."
  @spec lsremote(t(), String.t(), arguments()) :: result(String.t() | %{binary() => String.t()})
  def lsremote(port, url, options \\ []), do: operation(port, "lsremote", [url: url], options)

  @doc """
  Moves refs of a remote, each a map of `:from`, `:to`, `:force` and `:expect`.

  `:expect` is the id that the ref must have at the remote, `nil` if it must not exist; without the
  key anything will do. All move or none does, unless `atomic: false`: then the `"status"` of each
  says what became of it. It goes to `:url`, or to `:remote`, which is `"origin"` unless given. Also
  what remotes take, as `sync/2`. With `:fence` only while a lock of that remote is held.
  """
  @spec push(t(), repository(), [map()], arguments()) :: result(map())
  def push(port, path, refs, options \\ []) do
    operation(port, "push", at(path) ++ [refs: refs], options)
  end

  @doc "Commits, newest first: `commits` and `next`. `:range`, `:paths`, `:limit`, `:after`."
  @spec log(t(), repository(), arguments()) :: result(map())
  def log(port, path, options \\ []), do: operation(port, "log", at(path), options)

  @doc "What differs. `:range`, `:paths`, `:patch`, `:context`, `:limit`, `:after`."
  @spec diff(t(), repository(), arguments()) :: result(map())
  def diff(port, path, options \\ []), do: operation(port, "diff", at(path), options)

  @doc "The state of the worktree. `:paths`, `:untracked`, `:ignored`, `:limit`, `:after`."
  @spec status(t(), repository(), arguments()) :: result(map())
  def status(port, path, options \\ []), do: operation(port, "status", at(path), options)

  @doc """
  Whether a repository is whole, and who signed its commits. `:range`, `:allowed_signers`,
  `:allowed_signers_file`, `:fsck`, `:limit`, `:after`.
  """
  @spec verify(t(), repository(), arguments()) :: result(map())
  def verify(port, path, options \\ []), do: operation(port, "verify", at(path), options)

  @doc "Housekeeping of a repository. `:full`, `:prune_after_ms`."
  @spec maintain(t(), repository(), arguments()) :: result(map())
  def maintain(port, path, options \\ []), do: operation(port, "maintain", at(path), options)

  @doc "Housekeeping of all workspaces. `:full`, `:prune_after_ms`, `:purge_after_ms`."
  @spec maintain_all(t(), arguments()) :: result(map())
  def maintain_all(port, options \\ []), do: operation(port, "maintain", [], options)

  @doc "Makes an empty repository that is named by an id. `:branch`, `:description`."
  @spec workspace_create(t(), workspace(), arguments()) :: result(map())
  def workspace_create(port, id, options \\ []) do
    operation(port, "workspace.create", [workspace: id], options)
  end

  @doc "The workspaces there are: `workspaces` and `next`. `:limit`, `:after`, `:deleted`."
  @spec workspace_list(t(), arguments()) :: result(map())
  def workspace_list(port, options \\ []), do: operation(port, "workspace.list", [], options)

  @doc "What there is to say about a workspace without reading its history. `:deleted_ms`."
  @spec workspace_info(t(), workspace(), arguments()) :: result(map())
  def workspace_info(port, id, options \\ []) do
    operation(port, "workspace.info", [workspace: id], options)
  end

  @doc "Takes a workspace out of use, so that it can be restored. `:expect`, `:fence`."
  @spec workspace_delete(t(), workspace(), arguments()) :: result(map())
  def workspace_delete(port, id, options \\ []) do
    operation(port, "workspace.delete", [workspace: id], options)
  end

  @doc "Undoes the last deletion of a workspace, or that of a time. `:deleted_ms`."
  @spec workspace_restore(t(), workspace(), arguments()) :: result(map())
  def workspace_restore(port, id, options \\ []) do
    operation(port, "workspace.restore", [workspace: id], options)
  end

  @doc """
  Makes a history of `from`: `%{sqlite: path}`, `%{postgres: url}`, `%{lines: path}`,
  `%{folder: path}` or `%{bundle: path}`. Asked again it goes on where it was.

  Also `:branch`, `:name`, `:author`, `:committer`, `:message`, `:mapping`, `:fence`.
  """
  @spec workspace_import(t(), workspace(), map(), arguments()) :: result(map())
  def workspace_import(port, id, from, options \\ []) do
    operation(port, "workspace.import", [workspace: id, from: from], options)
  end

  @doc "Which commit each state of an import became. `:name`, `:limit`, `:after`."
  @spec workspace_imported(t(), workspace(), arguments()) :: result(map())
  def workspace_imported(port, id, options \\ []) do
    operation(port, "workspace.imported", [workspace: id], options)
  end

  @doc """
  A revision as one file of `format`: `"bundle"`, `"tar.gz"` or `"zip"`.

  It is written to the file `:to`, or comes as it is in `content`. Also `:rev`, `:overwrite`,
  `:prefix`, `:paths`.
  """
  @spec workspace_export(t(), repository(), String.t(), arguments()) :: result(map())
  def workspace_export(port, path, format, options \\ []) do
    arguments = at(path) ++ [format: format, encoding: "binary"]
    operation(port, "workspace.export", arguments, options)
  end

  @doc """
  Makes a commit of `changes`, or with `:all` in their place of all that is different in the worktree.

  A change is a map of `file` and `content`, `delete: true`, `rename` or `mode`. Content is
  committed as the bytes that it is.

      {:ok, %{"commit" => commit}} =
        GitPort.commit(port, path, "say hello", [%{file: "hello.txt", content: "Hello.\n"}])

  Also `:branch`, `:author`, `:committer`, `:message_encoding`, `:expect`, `:empty`, `:durability`;
  with `:key` it happens once, with `:fence` only while a lock is held, and `:sign` says which key
  signs it. The value has `commit` and `tree`.
  """
  @spec commit(t(), repository(), binary(), [arguments()] | :all, arguments()) :: result(map())
  def commit(port, path, message, changes, options \\ [])

  def commit(port, path, message, :all, options) do
    operation(port, "commit", at(path) ++ [message: message, all: true], options)
  end

  def commit(port, path, message, changes, options) do
    changes = Enum.map(changes, &change/1)
    operation(port, "commit", at(path) ++ [message: message, changes: changes], options)
  end

  @doc """
  Makes a branch at `:from` (`HEAD` unless given), or moves it with `:force` or `:expect`.

  `delete: true` removes it, `:rename` gives it another name. Also `:fence`. The value has `branch`,
  `commit` and `was`.
  """
  @spec branch(t(), repository(), binary(), arguments()) :: result(map())
  def branch(port, path, branch, options \\ []) do
    operation(port, "branch", at(path) ++ [branch: branch], options)
  end

  @doc "Branches by name: `branches` and `next`. `:pattern`, `:limit`, `:after`."
  @spec branches(t(), repository(), arguments()) :: result(map())
  def branches(port, path, options \\ []), do: operation(port, "branches", at(path), options)

  @doc """
  Makes a tag of `:target` (`HEAD` unless given), with `:message` an annotated one.

  Also `:tagger`, `:force`, `:expect`, `:sign`, `:fence`, and `delete: true`.
  """
  @spec tag(t(), repository(), binary(), arguments()) :: result(map())
  def tag(port, path, tag, options \\ []) do
    operation(port, "tag", at(path) ++ [tag: tag], options)
  end

  @doc "Tags by name: `tags` and `next`. `:pattern`, `:limit`, `:after`."
  @spec tags(t(), repository(), arguments()) :: result(map())
  def tags(port, path, options \\ []), do: operation(port, "tags", at(path), options)

  @doc """
  What is wrong with definitions of processes, where, and what to do about it.

  They are `:files` of a repository, at `:rev` or as they are on disk; or drafts in its place, each a
  map of `file`, which is what it is called, and `content`.

      {:ok, %{"errors" => 0}} = GitPort.process_lint(port, path, files: ["ship.yaml"], rev: "main")

      {:ok, %{"diagnostics" => diagnostics}} =
        GitPort.process_lint(port, [%{file: "ship.yaml", content: text}])

  With `:format` (`"text"`, `"json"`, `"sarif"` or `"github"`) they come as `rendered`, too, with
  `:color` in colours of a terminal. The value has `errors`, `warnings` and `diagnostics`.
  """
  @spec process_lint(t(), repository() | [draft()], arguments()) :: result(map())
  def process_lint(port, place, options \\ []) do
    operation(port, "process.lint", defined(place), options)
  end

  @doc """
  Plays the tests of definitions, which are in them or in files `*.test.yaml` among the others.

  The definitions are as in `process_lint/3`. `:only` has only some tests played, `:interleavings`
  so many runs by chance, from a `:seed`, and `:mutants` makes mistakes to see whether a test
  notices. With `:format` (`"text"` or `"junit"`) the report comes as `rendered`, too. The value has
  `passed`, `tests`, `failed`, `diagnostics` and `tested`.
  """
  @spec process_test(t(), repository() | [draft()], arguments()) :: result(map())
  def process_test(port, place, options \\ []) do
    operation(port, "process.test", defined(place), options)
  end

  @doc """
  The picture of a definition, the first unless `:process_name` is one.

  The definitions are as in `process_lint/3`. `:format` is `"svg"` unless it is `"dot"` or
  `"mermaid"`; `:marking` says how many threads of a run are where, as
  `%{"pack" => %{running: 1}}`. The value has `process_name` and `picture`.
  """
  @spec process_graph(t(), repository() | [draft()], arguments()) :: result(map())
  def process_graph(port, place, options \\ []) do
    operation(port, "process.graph", defined(place), options)
  end

  @doc """
  Publishes a definition as a version that never changes: `:content`, or `:file` of `:rev`.

  In the repository `path`, or in a store as `%{folder: …}` or `%{s3: %{bucket: …}}`. It is linted
  and tested first, with processes that it calls and with tests that are `:drafts` beside the
  content, or `:files` beside the file; what is wrong then is `diagnostics` of the error. Also
  `:name` and `:version`, which those in the file must be, `:dry_run`, after which nothing is
  published, and of a repository `:tagger`, `:sign`, `:fence`.
  """
  @spec process_publish(t(), repository() | store(), arguments()) :: result(map())
  def process_publish(port, place, options) do
    arguments = stored(place) ++ [encoding: "utf8"]
    operation(port, "process.publish", arguments, drafted(options))
  end

  @doc """
  A published version, checked: the latest unless `:version` is one or a range as `"^1.2"`.

  The place is as in `process_publish/3`. Also `:prerelease`, `:encoding`.
  """
  @spec process_get(t(), repository() | store(), String.t(), arguments()) :: result(map())
  def process_get(port, place, name, options \\ []) do
    operation(port, "process.get", stored(place) ++ [name: name, encoding: "binary"], options)
  end

  @doc "The versions that are published: `processes` and `next`. `:name`, `:limit`, `:after`."
  @spec process_list(t(), repository() | store(), arguments()) :: result(map())
  def process_list(port, place, options \\ []) do
    operation(port, "process.list", stored(place), options)
  end

  @doc """
  Begins a run of `:process`, which is published, in a `:version` or the latest, in the repository
  or a `:store`; or of one that `:files` of `:rev` have, or `:drafts`: a list of `file` and
  `content`.

      {:ok, %{"run" => run}} =
        GitPort.run_start(port, path, process: "ship", input: %{parcel: "p1"})

  `:run` is its id: one that is there already is only told of (`created` is false) if it is the
  same. `:input` is a map, `:attributes` a map of texts that the run is found by. Also
  `:prerelease`, `:actor`. The value has `run`, `process`, `version`, `digest`, `status`, `commit`
  and `created`.
  """
  @spec run_start(t(), repository(), arguments()) :: result(map())
  def run_start(port, path, options),
    do: operation(port, "run.start", at(path), drafted(options))

  @doc """
  How a run stands: its `status`, `data` and `offers`, which can be done or are waited for, and more.

  `status` is `"running"`, `"waiting"`, `"stuck"`, `"suspended"`, `"done"`, `"failed"` or
  `"cancelled"`. With `:seq`, all of it is as it was with the commit of that number. `run` may be a
  process that a run calls, `"<run>/<number>"`, as `children` has them.
  """
  @spec run_get(t(), repository(), String.t(), arguments()) :: result(map())
  def run_get(port, path, run, options \\ []) do
    operation(port, "run.get", at(path) ++ [run: run], options)
  end

  @doc """
  Runs by their ids: `runs` and `next`.

  `:process`, `:version`, `:status`, `:step`, `:actor`, `:attributes`, `:since_ms`, `:until_ms`,
  `:limit`, `:after`.
  """
  @spec run_list(t(), repository(), arguments()) :: result(map())
  def run_list(port, path, options \\ []), do: operation(port, "run.list", at(path), options)

  @doc "What happened to a run, each with its commit: `events` and `next`. `:limit`, `:after`."
  @spec run_history(t(), repository(), String.t(), arguments()) :: result(map())
  def run_history(port, path, run, options \\ []) do
    operation(port, "run.history", at(path) ++ [run: run], options)
  end

  @doc """
  The picture of a run's process with where the run is, or was with the commit `:seq`.

  `:format` is `"svg"` unless it is `"dot"` or `"mermaid"`. The value has `run` and `picture`.
  """
  @spec run_graph(t(), repository(), String.t(), arguments()) :: result(map())
  def run_graph(port, path, run, options \\ []) do
    operation(port, "run.graph", at(path) ++ [run: run], options)
  end

  @doc """
  Whether a run is what its commits say: nobody touched its history, data or definition.

  The value has `run`, `ok`, `commits`, `status`, how many `receipts` there are and how many of them
  are `signed`, and `problems`: what is wrong, as `kind`, `commit` (or nil) and `message`. With
  `:allowed_signers`, or `:allowed_signers_file`, receipts have to be signed by somebody on that
  list.
  """
  @spec run_verify(t(), repository(), String.t(), arguments()) :: result(map())
  def run_verify(port, path, run, options \\ []) do
    operation(port, "run.verify", at(path) ++ [run: run], options)
  end

  @doc """
  Tells a run that the event `name` happened. `:key`, any JSON value but null, `:data`, `:actor`, `:override`.

  The value has `run`, `status` and `commit`.
  """
  @spec run_signal(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def run_signal(port, path, run, name, options \\ []) do
    operation(port, "run.signal", at(path) ++ [run: run, name: name], options)
  end

  @doc """
  What starts runs in a repository: `triggers`, each with `process`, `version`, `trigger`, `kind`,
  `paused`, the last run that it `fired`, `next_ms`, how many runs are `waiting`, and a `problem`.
  """
  @spec trigger_list(t(), repository(), arguments()) :: result(map())
  def trigger_list(port, path, options \\ []),
    do: operation(port, "trigger.list", at(path), options)

  @doc """
  Which triggers a commit would fire, and of the others the first condition that does not hold.

  `:rev`, `:ref` (the branch or tag that it comes to), `:before` (where that was), `:process`,
  `:files`. The value has `commits`, each with its `triggers`.
  """
  @spec trigger_test(t(), repository(), arguments()) :: result(map())
  def trigger_test(port, path, options \\ []),
    do: operation(port, "trigger.test", at(path), options)

  @doc "A trigger starts nothing until it is resumed."
  @spec trigger_pause(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def trigger_pause(port, path, process, trigger, options \\ []) do
    operation(port, "trigger.pause", at(path) ++ [process: process, trigger: trigger], options)
  end

  @doc "A trigger starts what happens from now on."
  @spec trigger_resume(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def trigger_resume(port, path, process, trigger, options \\ []) do
    operation(port, "trigger.resume", at(path) ++ [process: process, trigger: trigger], options)
  end

  @doc "Withdraws all that is left of a run. `:actor`, `:override`."
  @spec run_cancel(t(), repository(), String.t(), arguments()) :: result(map())
  def run_cancel(port, path, run, options \\ []) do
    operation(port, "run.cancel", at(path) ++ [run: run], options)
  end

  @doc """
  Has nothing more of a run started, and no time count, until it is resumed. `:actor`, `:override`.

  What was started may still be completed, and signals are taken.
  """
  @spec run_suspend(t(), repository(), String.t(), arguments()) :: result(map())
  def run_suspend(port, path, run, options \\ []) do
    operation(port, "run.suspend", at(path) ++ [run: run], options)
  end

  @doc "Has a run go on that was suspended. `:actor`, `:override`."
  @spec run_resume(t(), repository(), String.t(), arguments()) :: result(map())
  def run_resume(port, path, run, options \\ []) do
    operation(port, "run.resume", at(path) ++ [run: run], options)
  end

  @doc """
  Has a run that failed, was cancelled or is stuck go on from before what made it end, or from the
  commit `:seq`. `:actor`, `:override`.

  The value has `run`, `status`, `commit` and `again`: the work that does not count any more, as
  `step`, `actor` and `seq`.
  """
  @spec run_retry(t(), repository(), String.t(), arguments()) :: result(map())
  def run_retry(port, path, run, options \\ []) do
    operation(port, "run.retry", at(path) ++ [run: run], options)
  end

  @doc """
  Begins another run, called `:new`, as this one is, or was with the commit `:seq`. `:actor`, `:override`.

  The value is that of `run_retry/4`, with the id of the other one as `run`; `again` is what was
  begun here and is still to be done there.
  """
  @spec run_fork(t(), repository(), String.t(), arguments()) :: result(map())
  def run_fork(port, path, run, options \\ []) do
    operation(port, "run.fork", at(path) ++ [run: run], options)
  end

  @doc """
  Has a run go on by another definition of its process: a published `:version` or the latest, in the
  repository or a `:store`, or one that `:files` of `:rev` have.

  `:steps` is a map of the new names of steps by the old ones. Where something that is under way has
  no place there, it is `:conflict`, with a list of it as `missing` in the details. Also
  `:prerelease`, `:actor`, `:override`.
  """
  @spec run_migrate(t(), repository(), String.t(), arguments()) :: result(map())
  def run_migrate(port, path, run, options \\ []) do
    operation(port, "run.migrate", at(path) ++ [run: run], options)
  end

  @doc """
  Takes away runs that ended: `:runs`, or those that ended more than `:keep_ms` ago, and all but the
  last `:keep` of each process.

      {:ok, %{"runs" => _}} = GitPort.run_prune(port, path, keep: 100, to: "/srv/old.bundle")

  With `:to` they are written to that file first, from which `git fetch` brings them back. Also
  `:process`, `:status`, `:overwrite`, `:limit`, `:dry_run`, `:actor`, `:override`. The value has `runs`, `more`, `file` and
  `bytes`.
  """
  @spec run_prune(t(), repository(), arguments()) :: result(map())
  def run_prune(port, path, options), do: operation(port, "run.prune", at(path), options)

  @doc """
  Gives `worker` up to `:max` tasks (1 unless given) of a `:queue`; without any, it waits `:wait_ms`.

  The value is the list of tasks. Each has a `token`, which whoever does it needs:

      {:ok, [%{"task" => task, "token" => token, "data" => data}]} =
        GitPort.task_claim(port, path, "worker-1", wait_ms: 60_000, timeout: 70_000)

      {:ok, _} = GitPort.task_complete(port, path, task, token, data: %{weight: 12})

  Where it is to wait for long, `:timeout` has to be longer. Tasks of some `:types` or `:roles`
  only, or the `:task` that is named (`:override` is why, where policies forbid it). They are the worker's for `:lease_ms`, 60,000 unless given.
  """
  @spec task_claim(t(), repository(), String.t(), arguments()) :: result([map()])
  def task_claim(port, path, worker, options \\ []) do
    with {:ok, %{"tasks" => tasks}} <-
           operation(port, "task.claim", at(path) ++ [worker: worker], options) do
      {:ok, tasks}
    end
  end

  @doc """
  A claimed task is done, with an `:outcome` that the step names, and `:data`. Also `:worker`, `:override`.

  It is a `:conflict` if the task is not held by this token any more: work counts once. The value has
  `task`, `run`, the `status` of the run and `commit`.
  """
  @spec task_complete(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def task_complete(port, path, task, token, options \\ []) do
    operation(port, "task.complete", held(path, task, token), options)
  end

  @doc "An attempt failed, of a `:type`; with `retry: false` there is no other one. Also `:worker`, `:override`."
  @spec task_fail(t(), repository(), String.t(), String.t(), String.t(), arguments()) ::
          result(map())
  def task_fail(port, path, task, token, message, options \\ []) do
    operation(port, "task.fail", held(path, task, token) ++ [message: message], options)
  end

  @doc "The lease of a task begins anew, of `:lease_ms` or as long as before. Also `:worker`."
  @spec task_heartbeat(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def task_heartbeat(port, path, task, token, options \\ []) do
    operation(port, "task.heartbeat", held(path, task, token), options)
  end

  @doc "Gives a task back: it is offered again at once. `:worker`."
  @spec task_release(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def task_release(port, path, task, token, options \\ []) do
    operation(port, "task.release", held(path, task, token), options)
  end

  @doc """
  Tasks that can be claimed or are held: `tasks` and `next`.

  `:run`, `:queue`, `:types`, `:worker`, `:limit`, `:after`.
  """
  @spec task_list(t(), repository(), arguments()) :: result(map())
  def task_list(port, path, options \\ []), do: operation(port, "task.list", at(path), options)

  @doc """
  What became of tasks: `receipts` and `next`, or `text` where `:format` is `"jsonl"` or `"csv"`.

  `:run`, `:process`, `:version`, `:step`, `:actor`, `:worker`, `:outcome`, `:since_ms`,
  `:until_ms`, `:limit`, `:after`.
  """
  @spec receipt_list(t(), repository(), arguments()) :: result(map())
  def receipt_list(port, path, options \\ []),
    do: operation(port, "receipt.list", at(path), options)

  @doc """
  The receipt of a `:task` (its last one, or that of an `:attempt`) or of a `:commit`.

  The value has `commit`, `receipt`, the `line` that is signed, what the `signature` is worth (or
  nil), `ok`, whether it is `apart` from its run, since that is not here or was pruned, and
  `problems`. `:allowed_signers`, `:allowed_signers_file`.
  """
  @spec receipt_get(t(), repository(), arguments()) :: result(map())
  def receipt_get(port, path, options), do: operation(port, "receipt.get", at(path), options)

  @doc """
  Whether receipts are right, and all there.

  The value has `ok`, how many `runs` and `receipts` were looked at, how many are `signed`, or
  `apart` from their runs, and the `problems` that were `found`. Filters are those of
  `receipt_list/3`; also `:allowed_signers`, `:allowed_signers_file`, `:limit`.
  """
  @spec receipt_verify(t(), repository(), arguments()) :: result(map())
  def receipt_verify(port, path, options \\ []),
    do: operation(port, "receipt.verify", at(path), options)

  @doc """
  Has tasks sent to `worker` as they come, one for each of its `:credits` (1 unless given).

  They come to the calling process, as `{:gitport_event, pid, event}`, `pid` being the port and
  `event` having the id that is the value here as `request`, and `tasks`, as `task_claim/4` gives
  them. `task_credit/4` gives more credits:

      {:ok, id} = GitPort.task_subscribe(port, path, "worker-1", queue: "floor", credits: 3)

      receive do
        {:gitport_event, _pid, %{"event" => "tasks", "request" => ^id, "tasks" => tasks}} ->
          Enum.each(tasks, &MyApp.work/1)
          GitPort.task_credit(port, id, length(tasks))

        {:gitport_ended, _pid, ^id, error} ->
          raise error
      end

  It ends with the calling process, with `call(port, "cancel", request: id)`, with the daemon, or
  after `:timeout`, which is `:infinity` unless given, and then `{:gitport_ended, pid, id, error}`
  comes, also where the daemon refuses what it is asked. It is not renewed when the daemon is started again. Also `:types`,
  `:roles`, `:lease_ms`.
  """
  @spec task_subscribe(t(), repository(), String.t(), arguments()) :: result(integer())
  def task_subscribe(port, path, worker, options \\ []) do
    {timeout, given} = options |> named() |> Map.pop("timeout", :infinity)
    arguments = at(path) ++ [worker: worker]
    Client.follow(port, "task.subscribe", arguments |> named() |> Map.merge(given), timeout)
  end

  @doc "Has the `task_subscribe/4` with this id take so many tasks more; false if it has ended."
  @spec task_credit(t(), integer(), pos_integer(), arguments()) :: result(boolean())
  def task_credit(port, request, credits, options \\ []) do
    operation(port, "task.credit", [request: request, credits: credits], options)
  end

  @doc """
  Has the policy `name` say `policy`, a text or a map, from now on.

      policy = %{"policy" => 1, "four_eyes" => [%{"name" => "two", "steps" => ["enter", "approve"]}]}
      {:ok, %{"commit" => _}} = GitPort.policy_set(port, path, "people", policy, actor: "root")

  The value has `name`, `commit` and `was`. `:actor`, `:expect`, `:sign`; `force: true` where nobody
  shall be left who can change it. What policies do not allow is `:denied`, with the `rule`.
  """
  @spec policy_set(t(), repository(), String.t(), String.t() | map(), arguments()) ::
          result(map())
  def policy_set(port, path, name, policy, options \\ []) do
    operation(port, "policy.set", at(path) ++ [name: name, policy: policy], options)
  end

  @doc """
  The policies that there are, or the one of a `:name`, also as it was with a commit (`:rev`).

  The value is a list; each has `name`, `commit`, `policy` (the text) and `commits`.
  """
  @spec policy_get(t(), repository(), arguments()) :: result([map()])
  def policy_get(port, path, options \\ []) do
    with {:ok, %{"policies" => policies}} <- operation(port, "policy.get", at(path), options) do
      {:ok, policies}
    end
  end

  @doc "A policy is no more. `:actor`, `:expect`, `:force`."
  @spec policy_remove(t(), repository(), String.t(), arguments()) :: result(map())
  def policy_remove(port, path, name, options \\ []) do
    operation(port, "policy.remove", at(path) ++ [name: name], options)
  end

  @doc """
  Whether `actor` may do `action`: `allowed`, `rule`, `overridden` and `why`.

  `:process`, `:step`, `:run`, `:policy`, `:roles`, `:ref`, `:program`, `:git`, `:override`.
  """
  @spec policy_check(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def policy_check(port, path, actor, action, options \\ []) do
    operation(port, "policy.check", at(path) ++ [actor: actor, action: action], options)
  end

  @doc "What policies refused, newest first: `denials` and `next`. `:actor`, `:limit`, `:after`."
  @spec policy_denials(t(), repository(), arguments()) :: result(map())
  def policy_denials(port, path, options \\ []) do
    operation(port, "policy.denials", at(path), options)
  end

  @doc "All refs by name: `refs` and `next`. `:prefix`, `:limit`, `:after`."
  @spec refs(t(), repository(), arguments()) :: result(map())
  def refs(port, path, options \\ []), do: operation(port, "refs", at(path), options)

  @doc """
  Moves many refs, all of them or none.

  `updates` is a list of maps with `ref`, and `to` (without it the ref is removed) and `expect` if
  wanted. Also `:message`, `:fence`. The value is the list of what each is now and was. Where one is elsewhere than expected
  the error has `refs`.
  """
  @spec ref_update(t(), repository(), [arguments()], arguments()) :: result([map()])
  def ref_update(port, path, updates, options \\ []) do
    arguments = at(path) ++ [updates: Enum.map(updates, &named/1)]

    with {:ok, %{"refs" => refs}} <- operation(port, "ref.update", arguments, options) do
      {:ok, refs}
    end
  end

  @doc """
  Brings what `from` has into the branch `:into`, without a worktree.

  The value has `commit`, `tree` and `merged`. A conflict has `files`, with their content as it is.
  Also `:strategy`, `:message`, `:author`, `:committer`, `:expect`, `:favor`, `:unrelated`,
  `:sign`, `:fence`.
  """
  @spec merge(t(), repository(), binary(), arguments()) :: result(map())
  def merge(port, path, from, options \\ []) do
    operation(port, "merge", at(path) ++ [from: from, encoding: "binary"], options)
  end

  @doc """
  Writes a note on `target`. `:namespace`, `:append`, `:expect`, `:author`, `:committer`, `:message`,
  `:durability`, `:fence`.

  Several in one commit are `call(port, "note", path: path, notes: [%{target: …, content: …}])`.
  """
  @spec note(t(), repository(), String.t(), binary(), arguments()) :: result(map())
  def note(port, path, target, content, options \\ []) do
    operation(port, "note", at(path) ++ [target: target, content: {:bin, content}], options)
  end

  @doc "The notes of a `:namespace`, or of one `:target`. `:limit`, `:after`, `:contents`, `:encoding`."
  @spec notes(t(), repository(), arguments()) :: result(map())
  def notes(port, path, options \\ []) do
    operation(port, "notes", at(path) ++ [encoding: "binary"], options)
  end

  @doc "Removes the note of a `:target`, or of `:targets`. `:namespace`, `:missing_ok`, `:expect` and as `note/5`."
  @spec note_remove(t(), repository(), arguments()) :: result(map())
  def note_remove(port, path, options \\ []),
    do: operation(port, "note.remove", at(path), options)

  @doc """
  Holds the lock `name` for `owner`; gives its `token`, `expires_in_ms` and more.

  `:ttl_ms` is 30,000 unless given. Also `:shared`, `:reason`, `:wait_ms`, `:durability`. Where it
  is to wait for long, `:timeout` has to be longer. `with_lock/6` lets go of it by itself.

  With `:remote` (`"origin"`) or `:url` a Git server keeps the lock, for daemons on all machines; also
  what remotes take, as `sync/2`. The same goes for `renew/6`, `unlock/5` and `locks/3`.
  """
  @spec lock(t(), repository(), String.t(), String.t(), arguments()) :: result(map())
  def lock(port, path, name, owner, options \\ []) do
    operation(port, "lock", at(path) ++ [name: name, owner: owner], options)
  end

  @doc "Holds a lock for `ttl_ms` from now."
  @spec renew(t(), repository(), String.t(), pos_integer(), pos_integer(), arguments()) ::
          result(map())
  def renew(port, path, name, token, ttl_ms, options \\ []) do
    operation(port, "renew", at(path) ++ [name: name, token: token, ttl_ms: ttl_ms], options)
  end

  @doc "Lets go of a lock; `:conflict` if it is not held by this token any more."
  @spec unlock(t(), repository(), String.t(), pos_integer(), arguments()) :: result(map())
  def unlock(port, path, name, token, options \\ []) do
    operation(port, "unlock", at(path) ++ [name: name, token: token], options)
  end

  @doc "The locks that are held: `locks` and `next`. `:prefix`, `:limit`, `:after`."
  @spec locks(t(), repository(), arguments()) :: result(map())
  def locks(port, path, options \\ []), do: operation(port, "locks", at(path), options)

  @doc """
  Calls a function while it holds a lock; its value is the function's, as `{:ok, value}`.

  The function gets what `lock/5` gives, which is good as the `fence` of what changes something. What
  the function gives comes as it is: `{:ok, {:error, error}}` where its last call failed. The lock is not renewed: a function that takes longer
  than it is held has the result `:conflict`, as somebody else may have had the lock meanwhile. The
  lock is let go also when the function raises; when the caller is killed, it expires.
  """
  @spec with_lock(t(), repository(), String.t(), String.t(), arguments(), (map() -> value)) ::
          result(value)
        when value: term()
  def with_lock(port, path, name, owner, options \\ [], function) do
    with {:ok, %{"token" => token} = lease} <- lock(port, path, name, owner, options) do
      place = options |> named() |> Map.take(@remote_arguments)

      value =
        try do
          function.(lease)
        catch
          kind, reason ->
            unlock(port, path, name, token, place)
            :erlang.raise(kind, reason, __STACKTRACE__)
        end

      with {:ok, _released} <- unlock(port, path, name, token, place), do: {:ok, value}
    end
  end

  @doc "Who the daemon is: its version, operations and limits."
  @spec hello(t(), arguments()) :: result(map())
  def hello(port, options \\ []), do: operation(port, "hello", [], options)

  @doc "Asks for a sign of life, which is `\"pong\"`."
  @spec ping(t(), arguments()) :: result(String.t())
  def ping(port, options \\ []), do: operation(port, "ping", [], options)

  @doc "What the daemon has done and holds."
  @spec stats(t(), arguments()) :: result(map())
  def stats(port, options \\ []), do: operation(port, "stats", [], options)

  @doc """
  Has the daemon carry out a list of `{op, arguments}` one after the other.

  The value is the list of their results. Content comes as it is, as from `read/4`.
  `stop_on_error: true` ends it at the first that fails. Raises `ArgumentError` if something in the
  list is no request.
  """
  @spec batch(t(), [{String.t() | atom(), arguments()}], arguments()) ::
          result([result(term())])
  def batch(port, requests, options \\ []) do
    requests =
      for {op, arguments} <- requests!(requests) do
        defaults = if op == "read", do: %{"encoding" => "binary"}, else: %{}
        defaults |> Map.merge(named(arguments)) |> Map.put("op", op)
      end

    with {:ok, replies} <- operation(port, "batch", [requests: requests], options) do
      {:ok, Enum.map(replies, &reply/1)}
    end
  end

  @doc """
  Sends events of the given kinds to the calling process from now on.

  An event comes as `{:gitport_event, pid, event}`, `pid` being the port and `event` the map of
  the protocol. Each process has its own list of kinds; a new one replaces it, an empty one ends
  it. It lasts as long as the port does, over restarts of the daemon too. When the port itself has
  ended and its supervisor has started another, subscribe again: a monitor tells.
  """
  @spec subscribe(t(), [atom() | String.t()], keyword()) :: result(map())
  def subscribe(port, kinds, options \\ []) do
    message = {:subscribe, self(), Enum.map(kinds, &to_string/1)}
    Client.owner_call(port, message, options[:timeout])
  end

  @doc "Ends the subscription of the calling process."
  @spec unsubscribe(t(), keyword()) :: result(map())
  def unsubscribe(port, options \\ []), do: subscribe(port, [], options)

  @doc """
  Lets the daemon finish what it has, then ends it and the port.

  With `:grace_ms` what is not finished by then is cancelled. The value tells how many requests
  were `finished` and `cancelled`.
  """
  @spec shutdown(t(), keyword()) :: result(map())
  def shutdown(port, options \\ []) do
    arguments = Keyword.take(options, [:grace_ms])
    Client.owner_call(port, {:shutdown, arguments}, Keyword.get(options, :timeout, :infinity))
  end

  @doc """
  Carries out any operation, with its arguments as the protocol has them.

  Nothing is added to them: `read` gives base64 unless `encoding: "binary"` is among them.

  For `subscribe` and `shutdown`, which concern all callers, use the functions of that name.
  """
  @spec call(t(), String.t() | atom(), arguments(), timeout: timeout()) :: result(term())
  def call(port, op, arguments \\ [], options \\ []) do
    port |> async(op, arguments, options) |> await()
  end

  @doc """
  Sends a request without waiting for its reply.

  It waits only while the daemon does not take it. Whether it was sent or not, the result is for
  `await/2`, which the same process has to call. Its timeout counts from now. As with `call/4`,
  content is base64 unless it is asked for as `"binary"`.
  """
  @spec async(t(), String.t() | atom(), arguments(), timeout: timeout()) :: Request.t()
  def async(port, op, arguments \\ [], options \\ [])

  def async(_port, op, _arguments, _options) when op in [:subscribe, "subscribe"] do
    raise ArgumentError, "use GitPort.subscribe/3, which serves several subscribers"
  end

  def async(_port, op, _arguments, _options) when op in [:shutdown, "shutdown"] do
    raise ArgumentError, "use GitPort.shutdown/2, which ends the port as well"
  end

  def async(port, op, arguments, options) do
    Client.async(port, to_string(op), arguments, options)
  end

  @doc """
  The result of a request of `async/4`.

  It can be had once, by the process that sent the request: anything else raises `ArgumentError`.
  After `timeout`, if that is earlier than the request's own, the request is cancelled.
  """
  @spec await(Request.t(), timeout()) :: result(term())
  def await(request, timeout \\ :infinity), do: Client.await(request, timeout)

  @doc """
  Ends a request of `async/4`, which is then `:cancelled` unless it was finished first.

  The value is whether it still waited. `await/2` has to be called all the same.
  """
  @spec cancel(Request.t(), timeout: timeout()) :: result(boolean())
  def cancel(request, options \\ [])
  def cancel(%Request{id: nil}, _options), do: {:ok, false}

  def cancel(%Request{id: id, port: port}, options) do
    call(port, "cancel", [request: id], options)
  end

  @doc """
  Carries out a list of `{op, arguments}` side by side; gives their results in the same order.

    * `:max_outstanding` - how many wait for a reply at a time, 64 by default
    * `:timeout` - for all of them together

  As with `call/4`, content is base64 unless it is asked for as `"binary"`. Raises `ArgumentError`,
  before anything is sent, if something in the list is no request.
  """
  @spec call_many(t(), [{String.t() | atom(), arguments()}], [
          {:timeout, timeout()} | {:max_outstanding, pos_integer()}
        ]) :: [result(term())]
  def call_many(port, requests, options \\ []) do
    Many.call(port, requests!(requests), options)
  end

  defp operation(port, op, arguments, options) do
    {timeout, given} = options |> named() |> Map.split(["timeout"])
    own = for {"timeout", milliseconds} <- timeout, do: {:timeout, milliseconds}
    call(port, op, arguments |> named() |> Map.merge(given) |> maps() |> fenced(), own)
  end

  # Keywords stand for a map, as arguments do.
  defp maps(arguments) do
    Map.new(arguments, fn
      {name, [_ | _] = value} ->
        {name, if(Keyword.keyword?(value), do: named(value), else: value)}

      argument ->
        argument
    end)
  end

  # What `lock/5` gave says which lock is held.
  defp fenced(%{"fence" => %{"name" => name, "token" => token}} = arguments),
    do: %{arguments | "fence" => %{"lock" => name, "token" => token}}

  defp fenced(arguments), do: arguments

  # Content is no text to the daemon, whatever bytes it has.
  defp change(change) do
    case named(change) do
      %{"content" => content} = change when is_binary(content) ->
        %{change | "content" => {:bin, content}}

      change ->
        change
    end
  end

  defp defined(drafts) when is_list(drafts), do: [drafts: Enum.map(drafts, &change/1)]
  defp defined(path), do: at(path)

  defp drafted(options) do
    case named(options) do
      %{"drafts" => [_ | _] = drafts} = options ->
        %{options | "drafts" => Enum.map(drafts, &change/1)}

      options ->
        options
    end
  end

  defp stored(store) when is_map(store), do: [store: store]
  defp stored(path), do: at(path)

  defp held(path, task, token), do: at(path) ++ [task: task, token: token]

  defp at({:workspace, id}), do: [workspace: id]
  defp at(path), do: [path: path]

  # The same argument may come as an atom and as a string, and must not come twice.
  defp named(arguments), do: Map.new(arguments, fn {key, value} -> {name(key), value} end)

  defp name(key) when is_atom(key), do: Atom.to_string(key)
  defp name(key) when is_binary(key), do: key
  defp name(_key), do: raise(ArgumentError, "a key has to be a binary or an atom")

  defp requests!(requests) do
    for {request, number} <- Enum.with_index(requests, 1), do: request!(request, number)
  end

  defp request!({op, arguments}, number) when is_atom(op) or is_binary(op) do
    if arguments?(arguments) do
      {to_string(op), arguments}
    else
      raise ArgumentError, "the arguments of request #{number} (#{op}) are no keywords and no map"
    end
  end

  # What it is instead is not shown: it may hold a secret.
  defp request!(_other, number) do
    raise ArgumentError, "request #{number} of the list is no {op, arguments}"
  end

  defp arguments?(arguments) when is_list(arguments),
    do: Enum.all?(arguments, &match?({_, _}, &1))

  defp arguments?(arguments), do: is_map(arguments) and not is_struct(arguments)

  defp read_result(%{"file" => file, "content" => content}), do: {file, {:ok, content}}
  defp read_result(%{"file" => file} = failed), do: {file, reply(Map.delete(failed, "file"))}

  defp reply(%{"ok" => value}), do: {:ok, value}
  defp reply(failed), do: {:error, Error.from_reply(failed)}
end
