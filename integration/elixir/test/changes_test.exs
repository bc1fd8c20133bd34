defmodule GitPort.ChangesTest do
  use GitPort.Case, async: true

  @moduletag :tmp_dir

  @ada %{name: "Ada Lovelace", email: "ada@example.org", time: 1_700_000_000, offset: 60}

  setup %{tmp_dir: folder} do
    port = start_port(args: ["serve", "--data", Path.join(folder, "data")])
    path = repository(Path.join(folder, "repository"), [[{"app.yaml", "size: 1\n"}]])
    %{port: port, path: path, first: git(path, ["rev-parse", "HEAD"])}
  end

  test "a commit has the bytes that it is given", %{port: port, path: path, first: first} do
    changes = [
      %{file: "image.bin", content: <<0, 255>>},
      %{"file" => "run", "content" => "grüße\n", "mode" => "100755"},
      [file: "app.yaml", rename: "renamed.yaml"]
    ]

    options = [author: @ada, committer: @ada, expect: first, branch: "main"]

    assert {:ok, %{"commit" => commit, "tree" => tree}} =
             GitPort.commit(port, path, "changed\n", changes, options)

    assert git(path, ["rev-parse", "main", "main^{tree}", "main~1"]) ==
             Enum.join([commit, tree, first], "\n")

    assert GitPort.read(port, path, "image.bin", rev: "HEAD") == {:ok, <<0, 255>>}
    assert File.read!(Path.join(path, "run")) == "grüße\n"
    assert git(path, ["status", "--porcelain"]) == ""

    assert {:error, %Error{code: :conflict, details: %{"actual" => ^commit}}} =
             GitPort.commit(port, path, "again", [%{file: "a", content: ""}], expect: first)
  end

  test "a commit of all that is different", %{port: port, path: path} do
    File.write!(Path.join(path, "new.txt"), "new\n")

    assert {:ok, %{"durability" => "relaxed"}} =
             GitPort.commit(port, path, "all of it", :all, durability: "relaxed")

    assert git(path, ["show", "main:new.txt"]) == "new"
    assert {:error, %Error{code: :conflict}} = GitPort.commit(port, path, "nothing", :all)
    assert {:ok, _} = GitPort.commit(port, path, "nothing", [], empty: true)
  end

  test "a commit with a key happens once", %{port: port, path: path} do
    commit = fn content ->
      GitPort.commit(port, path, "once", [%{file: "a", content: content}], key: "order 7")
    end

    assert {:ok, %{"commit" => once}} = commit.("1\n")
    assert {:ok, %{"commit" => ^once}} = commit.("1\n")
    assert git(path, ["rev-list", "--count", "main"]) == "2"
    assert {:error, %Error{code: :conflict}} = commit.("2\n")
  end

  test "a fence bars every change of one that lost its lock", %{port: port, path: path} do
    changes = fn fence ->
      [
        GitPort.commit(port, path, "x", [], empty: true, fence: fence),
        GitPort.branch(port, path, "side", from: "main~1", fence: fence),
        GitPort.tag(port, path, "v1", fence: fence),
        GitPort.ref_update(port, path, [%{ref: "refs/odd/x", to: "main"}], fence: fence),
        GitPort.merge(port, path, "main", into: "side", fence: fence),
        GitPort.note(port, path, "main", "said", fence: fence),
        GitPort.note_remove(port, path, target: "main", fence: fence)
      ]
    end

    assert {:ok, fence} =
             GitPort.with_lock(port, path, "release", "ada", fn %{"token" => token} = lease ->
               assert {:ok, _} = GitPort.commit(port, path, "x", [], empty: true, fence: lease)
               fence = %{lock: "release", token: token}
               for result <- changes.(fence), do: assert({:ok, _} = result)
               fence
             end)

    before = git(path, ["for-each-ref"])
    for result <- changes.(fence), do: assert({:error, %Error{code: :conflict}} = result)
    assert git(path, ["for-each-ref"]) == before
  end

  test "a remote keeps a lock, and takes what is pushed under it", %{port: port, path: path} do
    remote = path <> ".git"
    git(path, ["clone", "--quiet", "--bare", ".", remote])
    git(path, ["remote", "add", "origin", remote])
    refs = [%{from: "main", to: "fenced"}]

    assert {:ok, fence} =
             GitPort.with_lock(port, path, "release", "ada", [remote: "origin"], fn lease ->
               fence = %{lock: "release", token: lease["token"]}
               assert {:ok, _} = GitPort.push(port, path, refs, fence: fence)
               assert {:ok, _} = GitPort.renew(port, path, "release", 1, 9_000, url: remote)
               assert {:ok, %{"locks" => [held]}} = GitPort.locks(port, path, remote: "origin")
               assert %{"name" => "release", "holders" => [%{"owner" => "ada"}]} = held
               assert {:ok, %{"locks" => []}} = GitPort.locks(port, path)
               fence
             end)

    assert {:ok, %{"locks" => []}} = GitPort.locks(port, path, remote: "origin")

    assert {:error, %Error{code: :conflict}} = GitPort.push(port, path, refs, fence: fence)
  end

  test "what is signed is accepted by git", %{port: port, path: path, tmp_dir: folder} do
    file = Path.join(Path.expand(folder), "key")
    make = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]
    assert {_, 0} = System.cmd("ssh-keygen", make)
    allowed = Path.join(folder, "allowed") |> Path.expand()
    File.write!(allowed, "ada@example.org " <> File.read!(file <> ".pub"))
    git(path, ["config", "gpg.format", "ssh"])
    git(path, ["config", "gpg.ssh.allowedSignersFile", allowed])

    assert {:ok, %{"commit" => commit}} =
             GitPort.commit(port, path, "signed", [], empty: true, sign: [key_file: file])

    git(path, ["verify-commit", commit])
    sign = %{key: File.read!(file)}
    assert {:ok, _} = GitPort.tag(port, path, "v1", message: "v1\n", sign: sign)
    git(path, ["verify-tag", "v1"])

    assert {:error, %Error{code: :unauthorized}} =
             GitPort.commit(port, path, "x", [], empty: true, sign: %{key: "no key"})
  end

  test "a workspace stands where a path does in every change", %{port: port} do
    assert {:ok, _} = GitPort.workspace_create(port, "one")
    place = {:workspace, "one"}

    assert {:ok, %{"commit" => commit}} =
             GitPort.commit(port, place, "first", [%{file: "a", content: "1\n"}])

    assert {:ok, %{"commit" => ^commit}} = GitPort.branch(port, place, "side")
    assert {:ok, %{"target" => ^commit}} = GitPort.tag(port, place, "v1")

    assert {:ok, [%{"sha" => ^commit}]} =
             GitPort.ref_update(port, place, [%{ref: "refs/odd/x", to: "main"}])

    assert {:ok, %{"merged" => "up_to_date"}} = GitPort.merge(port, place, "side")
    assert {:ok, _} = GitPort.note(port, place, "main", "said")
    assert {:ok, %{"content" => "said"}} = GitPort.notes(port, place, %{target: "main"})
    assert {:ok, %{"removed" => 1}} = GitPort.note_remove(port, place, target: "main")
    assert {:ok, %{"branches" => [_, _]}} = GitPort.branches(port, place)
    assert {:ok, %{"tags" => [_]}} = GitPort.tags(port, place)
    assert {:ok, %{"refs" => [_]}} = GitPort.refs(port, place, prefix: "refs/odd/")

    assert {:ok, %{"locks" => [_]}} =
             GitPort.with_lock(port, place, "release", "ada", fn _ ->
               {:ok, held} = GitPort.locks(port, place)
               held
             end)
  end
end
