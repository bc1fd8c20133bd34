defmodule GitPort.OperationsTest do
  use GitPort.Case, async: true

  @moduletag :tmp_dir

  @ship """
  process_name: ship
  process_version: "1.0.0"
  steps:
    - step_id: pack
      transitions: [{on: packed, next_step: send}, {on: lost}]
    - step_id: send
  tests:
    packed: ["pack:packed", "@send", send, "=done"]
  """
  @calls_ship """
  process_name: bill
  process_version: "1.0.0"
  steps:
    - {step_id: delivered, call: ship}
  """
  @tests "process_name: ship\ntests: {lost: ['pack:lost', '=done']}\n"

  setup %{tmp_dir: folder} do
    first = [
      {"README.md", "Hello.\n"},
      {"app.yaml", "size: 1\n"},
      {"deploy/live.yml", "live: true\n"},
      {"image.bin", <<0, 255, 1, 254>>}
    ]

    path = repository(Path.join(folder, "remote"), [first, [{"app.yaml", "size: 2\n"}]])
    %{port: start_port(), remote: path, commit: git(path, ["rev-parse", "HEAD"])}
  end

  test "sync clones, and fetches what came after", %{port: port} = context do
    %{tmp_dir: folder, remote: remote, commit: commit} = context
    path = Path.join(folder, "clone")
    options = [url: remote, branch: "main", path: path]
    assert GitPort.sync(port, options) == {:ok, commit}
    assert File.read!(Path.join(path, "app.yaml")) == "size: 2\n"

    later = commit(remote, [{"app.yaml", "size: 3\n"}])
    assert GitPort.sync(port, options) == {:ok, later}
    assert File.read!(Path.join(path, "app.yaml")) == "size: 3\n"
  end

  test "files lists names, or entries", %{port: port, remote: remote} do
    assert GitPort.files(port, remote) == {:ok, ["app.yaml"]}
    assert GitPort.files(port, remote, subpath: "deploy") == {:ok, ["live.yml"]}
    assert GitPort.files(port, remote, recursive: true) == {:ok, ["app.yaml", "deploy/live.yml"]}

    assert {:ok, [%{"name" => "image.bin", "size" => 4, "type" => "file"}]} =
             GitPort.files(port, remote, pattern: "*.bin", rev: "HEAD", details: true)
  end

  test "read gives the bytes as they are", %{port: port, remote: remote} do
    assert GitPort.read(port, remote, "image.bin") == {:ok, <<0, 255, 1, 254>>}
    assert GitPort.read(port, remote, "image.bin", offset: 1, length: 2) == {:ok, <<255, 1>>}
    assert GitPort.read(port, remote, "app.yaml") == {:ok, "size: 2\n"}
    assert GitPort.read(port, remote, "app.yaml", rev: "HEAD~1") == {:ok, "size: 1\n"}
    assert GitPort.read(port, remote, "app.yaml", encoding: "base64") == {:ok, "c2l6ZTogMgo="}
  end

  test "read of many files tells of each what became of it", %{port: port, remote: remote} do
    assert {:ok, [first, second, third]} =
             GitPort.read(port, remote, ["app.yaml", "absent", "image.bin"], rev: "HEAD")

    assert first == {"app.yaml", {:ok, "size: 2\n"}}
    assert {"absent", {:error, %Error{code: :not_found}}} = second
    assert third == {"image.bin", {:ok, <<0, 255, 1, 254>>}}
  end

  test "notes are those of git", %{port: port, remote: remote, commit: commit} do
    assert {:ok, %{"notes" => [place]}} = GitPort.note(port, remote, "HEAD", "said\n")
    assert git(remote, ["notes", "show"]) == "said"
    assert GitPort.notes(port, remote) == {:ok, %{"notes" => [place], "next" => nil}}
    assert {:ok, %{"content" => "said\n"}} = GitPort.notes(port, remote, target: commit)
    assert {:ok, %{"removed" => 1}} = GitPort.note_remove(port, remote, target: "HEAD")

    assert {:error, %Error{code: :not_found}} = GitPort.notes(port, remote, target: "HEAD")
  end

  test "a name that is no UTF-8 is read and listed", %{port: port, remote: remote} do
    name = "caf\xE9.yaml"
    File.write!(Path.join(remote, name), "latin: 1\n")
    assert GitPort.read(port, remote, name) == {:ok, "latin: 1\n"}
    assert {:ok, names} = GitPort.files(port, remote)
    assert name in names
  end

  test "branches, tags and refs", %{port: port, remote: remote, commit: commit} do
    first = git(remote, ["rev-parse", "HEAD~1"])
    made = %{"branch" => "side", "commit" => first, "was" => nil}
    assert GitPort.branch(port, remote, "side", from: "main~1") == {:ok, made}
    assert {:ok, %{"branches" => branches}} = GitPort.branches(port, remote)
    assert Enum.map(branches, & &1["name"]) == ["main", "side"]
    assert {:ok, %{"target" => ^commit}} = GitPort.tag(port, remote, "v1", message: "one\n")
    assert {:ok, %{"tags" => [%{"message" => "one\n"}]}} = GitPort.tags(port, remote)
    assert {:ok, %{"refs" => refs}} = GitPort.refs(port, remote, prefix: "refs/heads/s")
    assert refs == [%{"name" => "refs/heads/side", "sha" => first}]

    moved = [%{"ref" => "refs/heads/side", "sha" => commit, "was" => first}]
    updates = [[ref: "refs/heads/side", to: "main", expect: first]]
    assert GitPort.ref_update(port, remote, updates) == {:ok, moved}
    assert {:error, %Error{code: :conflict} = stale} = GitPort.ref_update(port, remote, updates)
    assert [%{"expected" => ^first, "actual" => ^commit}] = stale.details["refs"]
  end

  test "processes are published, found and listed", %{port: port, remote: remote} do
    text = fn version ->
      "process_name: ship\nprocess_version: #{version}\nsteps: [{step_id: pack}]\n"
    end

    folder = %{folder: Path.join(Path.dirname(remote), "published")}

    for place <- [remote, folder], version <- ["1.0.0", "1.1.0"] do
      assert {:ok, %{"created" => true}} =
               GitPort.process_publish(port, place, content: text.(version))
    end

    assert {:error, %Error{code: :already_exists}} =
             GitPort.process_publish(port, folder, content: text.("1.0.0") <> "# more\n")

    assert {:ok, %{"content" => content}} =
             GitPort.process_get(port, remote, "ship", version: "^1.0")

    assert content == text.("1.1.0")
    assert {:ok, %{"processes" => [_, _]}} = GitPort.process_list(port, folder, name: "ship")
  end

  test "definitions are linted", %{port: port, remote: remote} do
    nothing = %{"errors" => 0, "warnings" => 0, "diagnostics" => []}
    assert GitPort.process_lint(port, [%{file: "ship.yaml", content: @ship}]) == {:ok, nothing}
    commit(remote, [{"ship.yaml", @ship}, {"bill.yaml", @calls_ship}])
    files = ["bill.yaml", "ship.yaml"]
    assert GitPort.process_lint(port, remote, files: files, rev: "HEAD") == {:ok, nothing}
    assert GitPort.process_lint(port, remote, files: files) == {:ok, nothing}

    wrong = String.replace(@ship, "next_step: send", "next_step: sned")
    drafts = [[file: "ship.yaml", content: wrong], [file: "odd.yaml", content: <<255>>]]
    assert {:ok, linted} = GitPort.process_lint(port, drafts, format: "github")
    found = for it <- linted["diagnostics"], do: {it["file"], it["line"], it["rule"]}
    assert {"ship.yaml", 5, "missing-target"} in found
    assert {"odd.yaml", 1, "yaml"} in found
    assert linted["errors"] >= 2
    assert linted["rendered"] =~ "::error file=ship.yaml,line=5,"
    assert {:error, %Error{code: :bad_request}} = GitPort.process_lint(port, remote)
  end

  test "definitions are tested", %{port: port} do
    drafts = [%{file: "ship.yaml", content: @ship}, %{file: "ship.test.yaml", content: @tests}]
    options = [interleavings: 5, seed: 7, mutants: true, format: "text"]
    assert {:ok, report} = GitPort.process_test(port, drafts, options)
    assert %{"passed" => true, "tests" => 2, "failed" => 0, "diagnostics" => []} = report
    assert [%{"process_name" => "ship"} = tested] = report["tested"]
    assert %{"steps" => 2, "steps_run" => 2, "never" => []} = tested["coverage"]
    assert %{"runs" => 5, "seed" => 7} = tested["interleavings"]
    assert tested["mutation"]["noticed"] > 0
    assert report["rendered"] =~ "ship"
    assert {:ok, %{"tests" => 1}} = GitPort.process_test(port, drafts, only: "ship.lost")

    failing = [%{file: "ship.yaml", content: String.replace(@ship, "@send", "@pack")}]
    assert {:ok, %{"passed" => false} = report} = GitPort.process_test(port, failing)
    assert [%{"tests" => [%{"failure" => failure}]}] = report["tested"]
    assert %{"line" => 8, "deed" => "@pack", "expected" => _, "found" => _} = failure
  end

  test "definitions are drawn", %{port: port} do
    drafts = [%{file: "bill.yaml", content: @calls_ship}, %{file: "ship.yaml", content: @ship}]

    assert {:ok, %{"process_name" => "bill", "picture" => svg}} =
             GitPort.process_graph(port, drafts)

    assert svg =~ "<svg"
    marking = %{"delivered/pack" => %{offered: 1}}
    assert {:ok, %{"picture" => marked}} = GitPort.process_graph(port, drafts, marking: marking)
    assert marked != svg
    options = [process_name: "ship", format: "dot"]
    assert {:ok, %{"picture" => "digraph" <> _}} = GitPort.process_graph(port, drafts, options)

    assert {:error, %Error{code: :not_found}} =
             GitPort.process_graph(port, drafts, process_name: "none")

    assert {:error, %Error{code: :invalid, details: %{"diagnostics" => [%{"line" => 1}]}}} =
             GitPort.process_graph(port, [%{file: "ship.yaml", content: "a: ["}])
  end

  test "what is published is linted and tested first", %{port: port, remote: remote} do
    failing = String.replace(@ship, "@send", "@pack")

    assert {:error, %Error{code: :invalid, details: %{"diagnostics" => [fault]}}} =
             GitPort.process_publish(port, remote, content: failing, file: "a/ship.yaml")

    assert %{"file" => "a/ship.yaml", "line" => 8, "path" => "tests.packed"} = fault
    bill = [content: @calls_ship]
    assert {:error, %Error{code: :invalid}} = GitPort.process_publish(port, remote, bill)

    beside = bill ++ [drafts: [[file: "ship.yaml", content: @ship]]]
    assert {:ok, %{"created" => true}} = GitPort.process_publish(port, remote, beside)

    commit(remote, [{"ship.yaml", @ship}, {"ship.test.yaml", @tests}])
    options = [file: "ship.yaml", files: ["ship.test.yaml"]]
    assert {:ok, %{"created" => true}} = GitPort.process_publish(port, remote, options)
  end

  test "merge, and the sides of a conflict", %{port: port, remote: remote, commit: commit} do
    {:ok, _} = GitPort.branch(port, remote, "side", from: "main~1")
    assert {:ok, merged} = GitPort.merge(port, remote, "main", into: "side")
    assert %{"merged" => "fast_forward", "commit" => ^commit} = merged
    git(remote, ["checkout", "-q", "-b", "other", "main~1"])
    commit(remote, [{"app.yaml", "size: 3\n"}])

    assert {:error, %Error{code: :conflict} = error} =
             GitPort.merge(port, remote, "other", into: "side")

    assert [%{"file" => "app.yaml", "kind" => "content"} = file] = error.details["files"]
    sides = for side <- ["base", "ours", "theirs"], do: file[side]["content"]
    assert sides == ["size: 1\n", "size: 2\n", "size: 3\n"]
  end

  test "head and checkout", %{port: port, remote: remote, commit: commit} do
    assert {:ok, head} = GitPort.head(port, remote)
    assert %{"sha" => ^commit, "author" => "Ada Lovelace", "message" => "a commit\n"} = head
    before = git(remote, ["rev-parse", "HEAD~1"])
    assert GitPort.checkout(port, remote, "HEAD~1") == {:ok, before}
    assert File.read!(Path.join(remote, "app.yaml")) == "size: 1\n"
    assert git(remote, ["rev-parse", "main"]) == commit
  end

  test "push moves what is as expected", %{port: port} = context do
    %{tmp_dir: folder, remote: remote, commit: commit} = context
    path = Path.join(folder, "clone")
    assert {:ok, ^commit} = GitPort.sync(port, url: remote, branch: "main", path: path)
    new = [%{from: "main", to: "new", expect: nil}]

    assert GitPort.push(port, path, new) ==
             {:ok,
              %{
                "refs" => [
                  %{
                    "ref" => "refs/heads/new",
                    "from" => nil,
                    "to" => commit,
                    "status" => "created"
                  }
                ]
              }}

    assert {:error, %Error{code: :conflict} = error} = GitPort.push(port, path, new, url: remote)
    assert %{"expected" => nil, "actual" => ^commit, "reason" => "expected"} = error.details
    assert git(remote, ["rev-parse", "new"]) == commit
    later = commit(path, [{"app.yaml", "size: 3\n"}])
    refs = [%{from: "main", to: "new", expect: commit}, %{to: "absent"}]
    assert {:ok, %{"refs" => [one, other]}} = GitPort.push(port, path, refs, atomic: false)
    assert %{"status" => "updated", "to" => ^later} = one
    assert %{"status" => "rejected", "reason" => "not_found"} = other
  end

  test "lsremote tells one ref or all", %{port: port, remote: remote, commit: commit} do
    assert GitPort.lsremote(port, remote, branch: "main") == {:ok, commit}
    assert {:ok, %{"refs/heads/main" => ^commit}} = GitPort.lsremote(port, remote)
  end

  test "a lock is held while a function runs", %{port: port, remote: remote} do
    assert {:ok, :done} =
             GitPort.with_lock(port, remote, "release", "ada", [reason: "why"], fn lease ->
               assert %{"token" => 1, "owner" => "ada"} = lease

               assert {:error, %Error{code: :locked}} =
                        GitPort.lock(port, remote, "release", "bob", wait_ms: 10)

               assert {:ok, %{"expires_in_ms" => 60_000}} =
                        GitPort.renew(port, remote, "release", 1, 60_000)

               assert {:ok, %{"locks" => [%{"name" => "release"}]}} = GitPort.locks(port, remote)
               :done
             end)

    assert {:ok, %{"locks" => []}} = GitPort.locks(port, remote)
  end

  test "a lock is let go by a function that raises, and missed by one that lost it",
       %{port: port, remote: remote} do
    assert_raise RuntimeError, fn ->
      GitPort.with_lock(port, remote, "a", "ada", fn _lease -> raise "no" end)
    end

    assert {:ok, %{"locks" => []}} = GitPort.locks(port, remote)

    assert {:error, %Error{code: :conflict}} =
             GitPort.with_lock(port, remote, "a", "ada", fn %{"token" => token} ->
               GitPort.unlock(port, remote, "a", token)
             end)
  end

  test "log, diff and status", %{port: port, remote: remote, commit: commit} do
    assert {:ok, %{"commits" => [newest], "next" => next}} = GitPort.log(port, remote, limit: 1)
    assert %{"sha" => ^commit} = newest
    assert next == commit

    assert {:ok, diff} = GitPort.diff(port, remote, range: "HEAD~1..HEAD", patch: true)
    assert [%{"file" => "app.yaml", "status" => "modified"}] = diff["entries"]
    assert diff["patch"] =~ "+size: 2"

    File.write!(Path.join(remote, "new"), "")
    assert {:ok, %{"branch" => "main", "entries" => [entry]}} = GitPort.status(port, remote)
    assert %{"file" => "new", "worktree" => "untracked"} = entry
  end

  test "batch gives the results in order", %{port: port, remote: remote} do
    requests = [
      {"read", path: remote, file: "image.bin"},
      {:read, path: remote, file: "absent"},
      {"head", %{"path" => remote}}
    ]

    assert {:ok, [read, absent, head]} = GitPort.batch(port, requests)
    assert read == {:ok, <<0, 255, 1, 254>>}
    assert {:error, %Error{code: :not_found}} = absent
    assert {:ok, %{"sha" => _sha}} = head

    assert {:ok, [_absent, {:error, %Error{code: :cancelled}}]} =
             GitPort.batch(port, tl(requests), stop_on_error: true)
  end

  test "what is no request raises and is named, in a batch and among many", context do
    %{port: port, remote: remote} = context
    good = {"head", path: remote}

    for bad <- ["ping", {"ping"}, {"sync", remote, []}, nil, {1, []}] do
      assert_raise ArgumentError, ~r/request 2 of the list/, fn ->
        GitPort.batch(port, [good, bad])
      end

      assert_raise ArgumentError, ~r/request 2 of the list/, fn ->
        GitPort.call_many(port, [good, bad, good])
      end
    end

    for bad <- [remote, nil, [:path], 1..2] do
      assert_raise ArgumentError, ~r/request 1 \(head\)/, fn ->
        GitPort.batch(port, [{:head, bad}])
      end

      assert_raise ArgumentError, ~r/request 1 \(head\)/, fn ->
        GitPort.call_many(port, [{:head, bad}])
      end
    end

    assert outstanding(port) == 0
    assert mailbox() == []
  end

  test "arguments and the timeout may have strings as keys", %{port: port, remote: remote} do
    options = %{"encoding" => "base64", "timeout" => 20_000}
    assert GitPort.read(port, remote, "app.yaml", options) == {:ok, "c2l6ZTogMgo="}
    assert GitPort.files(port, remote, %{"pattern" => "*.bin"}) == {:ok, ["image.bin"]}

    read = {"read", %{"path" => remote, "file" => "app.yaml", "encoding" => "base64"}}
    assert GitPort.call_many(port, [read]) == [{:ok, "c2l6ZTogMgo="}]
    assert GitPort.batch(port, [read], %{"timeout" => 20_000}) == {:ok, [{:ok, "c2l6ZTogMgo="}]}

    assert_raise ArgumentError, ~r/a timeout is/, fn ->
      GitPort.ping(port, %{"timeout" => "soon"})
    end

    assert_raise ArgumentError, ~r/a key has/, fn -> GitPort.files(port, remote, %{1 => 2}) end
  end

  test "read and batch give bytes, what takes any operation gives base64", context do
    %{port: port, remote: remote} = context
    arguments = [path: remote, file: "app.yaml"]
    assert GitPort.read(port, remote, "app.yaml") == {:ok, "size: 2\n"}
    assert GitPort.batch(port, [{"read", arguments}]) == {:ok, [{:ok, "size: 2\n"}]}
    assert GitPort.call(port, "read", arguments) == {:ok, "c2l6ZTogMgo="}
    assert GitPort.call_many(port, [{"read", arguments}]) == [{:ok, "c2l6ZTogMgo="}]

    arguments = [{:encoding, "binary"} | arguments]
    assert GitPort.call(port, "read", arguments) == {:ok, "size: 2\n"}
    assert GitPort.call_many(port, [{"read", arguments}]) == [{:ok, "size: 2\n"}]
  end

  test "hello, ping and stats", %{port: port} do
    assert {:ok, %{"protocol" => 1, "limits" => %{"request_bytes" => _}}} = GitPort.hello(port)
    assert GitPort.ping(port) == {:ok, "pong"}
    assert {:ok, %{"uptime_ms" => _}} = GitPort.stats(port)
  end

  test "each operation of the daemon is a function", %{port: port} do
    assert {:ok, %{"operations" => operations}} = GitPort.hello(port)
    names = for {name, _arity} <- GitPort.__info__(:functions), do: to_string(name)
    # One is there for suites alone.
    assert Enum.map(operations -- ["fault"], &String.replace(&1, ".", "_")) -- names == []
  end

  test "errors have their code and details", %{port: port, remote: remote} do
    assert {:error, error} = GitPort.call(port, "raed", path: remote)
    assert %Error{code: :unknown_operation, details: %{"nearest" => "read"}} = error
    assert Exception.message(error) =~ "unknown_operation"

    assert {:error, error} = GitPort.call(port, "head", paht: remote)
    assert %Error{code: :bad_request, details: %{"field" => "paht"}} = error

    assert {:error, %Error{code: :denied}} = GitPort.read(port, remote, "../secret")
  end

  test "an argument that is no argument raises before anything is sent", %{port: port} do
    assert_raise ArgumentError, fn -> GitPort.call(port, "ping", id: 1) end
    assert_raise ArgumentError, fn -> GitPort.call(port, "ping", %{"timeout_ms" => 1}) end
    assert_raise ArgumentError, fn -> GitPort.call(port, "head", path: {:secret}) end
    assert_raise ArgumentError, fn -> GitPort.call(port, "subscribe", events: []) end
    assert_raise ArgumentError, fn -> GitPort.call(port, "shutdown") end
    assert GitPort.ping(port) == {:ok, "pong"}
    assert mailbox() == []
  end

  test "a request beyond the daemon's limit is refused here", %{port: port} do
    {:ok, %{"limits" => %{"request_bytes" => limit}}} = GitPort.hello(port)
    message = :binary.copy("a", limit)
    assert {:error, %Error{code: :too_large} = error} = GitPort.call(port, "head", path: message)
    assert %{"limit" => ^limit, "sent" => false} = error.details
    assert GitPort.ping(port) == {:ok, "pong"}
    assert outstanding(port) == 0
  end

  test "the limit is the one the daemon tells" do
    port = start_port([args: ["serve", "--request-bytes-max", "1000"]], :limited)
    path = :binary.copy("a", 1000)
    assert {:error, %Error{code: :too_large}} = GitPort.call(port, "head", path: path)

    # One that just fits gets as far as the daemon, which knows no such folder.
    path = "/" <> :binary.copy("a", 900)
    assert {:error, %Error{code: code}} = GitPort.call(port, "head", path: path)
    assert code != :too_large
    assert GitPort.ping(port) == {:ok, "pong"}
  end
end
