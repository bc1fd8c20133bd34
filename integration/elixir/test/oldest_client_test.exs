defmodule GitPort.OldestClientTest do
  # A client as it was first written: a raw port, one request at a time, no id, no greeting.
  use GitPort.Case, async: true

  alias GitPort.Codec

  @moduletag :tmp_dir

  setup %{tmp_dir: folder} do
    first = [{"app.yaml", "size: 1\n"}, {"notes.txt", "x"}, {"deploy/live.yml", "live: true\n"}]
    remote = repository(Path.join(folder, "remote"), [first, [{"app.yaml", "size: 2\n"}]])

    port =
      Port.open({:spawn_executable, executable()}, [:binary, :exit_status, {:packet, 4}, args: []])

    %{port: port, remote: remote, clone: Path.join(folder, "clone"), folder: folder}
  end

  defp ask(port, request) do
    true = Port.command(port, Codec.encode!(request))
    assert_receive {^port, {:data, reply}}, 20_000
    {:ok, reply} = Codec.decode(reply)
    reply
  end

  test "every request of the first protocol is answered as it was", context do
    %{port: port, remote: remote, clone: clone} = context
    head = git(remote, ["rev-parse", "HEAD"])
    before = git(remote, ["rev-parse", "HEAD~1"])

    sync = %{"op" => "sync", "url" => remote, "branch" => "main", "path" => clone, "depth" => 1}
    assert ask(port, sync) == %{"ok" => head}
    assert ask(port, Map.delete(sync, "depth")) == %{"ok" => head}

    files = %{"op" => "files", "path" => clone, "subpath" => nil}
    assert ask(port, files) == %{"ok" => ["app.yaml"]}
    assert ask(port, %{files | "subpath" => "deploy"}) == %{"ok" => ["live.yml"]}
    assert ask(port, Map.delete(files, "subpath")) == %{"ok" => ["app.yaml"]}

    read = %{"op" => "read", "path" => clone, "file" => "app.yaml"}
    assert ask(port, read) == %{"ok" => Base.encode64("size: 2\n")}

    assert %{"ok" => commit} = ask(port, %{"op" => "head", "path" => clone})
    assert Enum.sort(Map.keys(commit)) == ["author", "email", "message", "sha", "timestamp"]
    assert %{"sha" => ^head, "author" => "Ada Lovelace", "email" => "ada@example.org"} = commit
    assert %{"message" => "a commit\n", "timestamp" => timestamp} = commit
    assert timestamp == remote |> git(["log", "-1", "--format=%ct"]) |> String.to_integer()

    lsremote = %{"op" => "lsremote", "url" => remote, "branch" => "main"}
    assert ask(port, lsremote) == %{"ok" => head}

    checkout = %{"op" => "checkout", "path" => clone, "sha" => before}
    assert ask(port, checkout) == %{"ok" => before}
    assert File.read!(Path.join(clone, "app.yaml")) == "size: 1\n"
    assert git(clone, ["rev-parse", "main"]) == head
  end

  test "a folder that is no repository is listed and read", %{port: port, folder: folder} do
    plain = Path.join(folder, "plain")
    File.mkdir_p!(plain)
    File.write!(Path.join(plain, "one.yaml"), "one: 1\n")

    assert ask(port, %{"op" => "files", "path" => plain, "subpath" => nil}) == %{
             "ok" => ["one.yaml"]
           }

    read = %{"op" => "read", "path" => plain, "file" => "one.yaml"}
    assert ask(port, read) == %{"ok" => Base.encode64("one: 1\n")}
  end

  test "every failure is a plain string", %{port: port, remote: remote, folder: folder} do
    nowhere = Path.join(folder, "nowhere")

    failures = [
      %{
        "op" => "sync",
        "url" => nowhere,
        "branch" => "main",
        "path" => nowhere <> "2",
        "depth" => 1
      },
      %{"op" => "sync", "url" => remote, "branch" => "absent", "path" => nowhere, "depth" => 1},
      %{"op" => "files", "path" => nowhere, "subpath" => nil},
      %{"op" => "read", "path" => remote, "file" => "absent"},
      %{"op" => "read", "path" => remote, "file" => "../outside"},
      %{"op" => "head", "path" => folder},
      %{"op" => "checkout", "path" => remote, "sha" => String.duplicate("0", 40)},
      %{"op" => "lsremote", "url" => remote, "branch" => "absent"},
      %{"op" => "no such operation"},
      %{}
    ]

    for failure <- failures do
      reply = ask(port, failure)
      assert is_binary(reply["err"]) and String.valid?(reply["err"]), inspect(failure)
      refute Map.has_key?(reply, "ok")
      refute Map.has_key?(reply, "id")
    end

    refute File.exists?(nowhere)
  end

  test "requests sent together are answered in their order", %{port: port, remote: remote} do
    read = %{"op" => "read", "path" => remote, "file" => "app.yaml"}
    head = %{"op" => "head", "path" => remote}

    for request <- [read, head, %{"op" => "files", "path" => remote}, read] do
      Port.command(port, Codec.encode!(request))
    end

    content = Base.encode64("size: 2\n")

    assert [%{"ok" => ^content}, %{"ok" => %{}}, %{"ok" => ["app.yaml"]}, %{"ok" => ^content}] =
             for(_reply <- 1..4, do: next(port))
  end

  test "nothing comes that was not asked for", %{port: port, remote: remote, clone: clone} do
    sync = %{"op" => "sync", "url" => remote, "branch" => "main", "path" => clone, "depth" => 1}
    assert %{"ok" => _commit} = ask(port, sync)
    assert %{"ok" => _names} = ask(port, %{"op" => "files", "path" => clone, "subpath" => nil})
    assert mailbox() == []
  end

  test "a reply is as large as the file it is for", %{port: port, folder: folder} do
    content = :rand.bytes(20_000_000)
    File.write!(Path.join(folder, "large"), content)
    reply = ask(port, %{"op" => "read", "path" => folder, "file" => "large"})
    assert reply == %{"ok" => Base.encode64(content)}
  end

  defp next(port) do
    assert_receive {^port, {:data, reply}}, 20_000
    {:ok, reply} = Codec.decode(reply)
    reply
  end
end
