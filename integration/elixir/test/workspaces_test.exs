defmodule GitPort.WorkspacesTest do
  use GitPort.Case, async: true

  @moduletag :tmp_dir

  setup %{tmp_dir: folder} do
    port = start_port(args: ["serve", "--data", Path.join(folder, "data")])
    %{port: port, remote: repository(Path.join(folder, "remote"), [[{"app.yaml", "size: 1\n"}]])}
  end

  test "a workspace stands where a path does", %{port: port, remote: remote} do
    assert {:ok, %{"path" => path}} = GitPort.workspace_create(port, "team/one")
    git(remote, ["push", "-q", path, "main"])
    commit = git(remote, ["rev-parse", "HEAD"])
    place = {:workspace, "team/one"}
    assert {:ok, %{"sha" => ^commit}} = GitPort.head(port, place)
    assert GitPort.files(port, place) == {:ok, ["app.yaml"]}
    assert GitPort.read(port, place, "app.yaml") == {:ok, "size: 1\n"}
    assert {:ok, [{"app.yaml", {:ok, "size: 1\n"}}]} = GitPort.read(port, place, ["app.yaml"])
    assert {:ok, %{"commits" => [_one]}} = GitPort.log(port, place)
    assert {:ok, %{"head" => ^commit}} = GitPort.workspace_info(port, "team/one")
    assert {:error, %Error{code: :not_found}} = GitPort.head(port, {:workspace, 7})
    assert {:error, %Error{code: :unsupported}} = GitPort.checkout(port, place, "HEAD")
  end

  test "a repository is verified and maintained", %{port: port, remote: remote} do
    assert {:ok, %{"ok" => true, "problems" => []}} = GitPort.verify(port, remote)
    assert {:ok, %{"repacked" => true}} = GitPort.maintain(port, remote, full: true)
    assert {:ok, _} = GitPort.workspace_create(port, 7)
    assert {:ok, %{"workspaces" => 1, "failed" => []}} = GitPort.maintain_all(port)
  end

  test "what is deleted can be restored", %{port: port} do
    assert {:ok, %{"branch" => "trunk"}} = GitPort.workspace_create(port, 7, branch: "trunk")
    assert {:error, %Error{code: :already_exists}} = GitPort.workspace_create(port, "7")
    assert {:ok, deleted} = GitPort.workspace_delete(port, 7)
    assert {:ok, %{"workspaces" => []}} = GitPort.workspace_list(port)
    assert {:ok, %{"workspaces" => [^deleted]}} = GitPort.workspace_list(port, deleted: true)
    assert GitPort.workspace_restore(port, 7) == {:ok, deleted}
    assert {:ok, %{"workspaces" => [%{"workspace" => "7"}]}} = GitPort.workspace_list(port)
  end

  test "an export is bytes or a file", %{port: port, remote: remote, tmp_dir: folder} do
    assert {:ok, %{"content" => content, "bytes" => bytes}} =
             GitPort.workspace_export(port, remote, "zip")

    assert byte_size(content) == bytes
    assert {:ok, [{~c"app.yaml", "size: 1\n"}]} = :zip.unzip(content, [:memory])
    file = Path.join(folder, "x.bundle")
    assert {:ok, %{"sha" => sha}} = GitPort.workspace_export(port, remote, "bundle", to: file)
    git(folder, ["clone", "-q", file, "clone"])
    assert git(Path.join(folder, "clone"), ["rev-parse", "HEAD"]) == sha
  end

  test "states become commits", %{port: port, tmp_dir: folder} do
    file = Path.join(folder, "it.jsonl")

    File.write!(file, """
    {"state": 1, "files": [{"path": "a", "content": "1"}]}
    {"state": 2, "files": [{"path": "a", "content": "2"}]}
    """)

    assert {:ok, %{"states" => 2, "commits" => 2, "head" => head}} =
             GitPort.workspace_import(port, "old", %{lines: file})

    assert {:ok, %{"commits" => 0, "head" => ^head}} =
             GitPort.workspace_import(port, "old", %{lines: file})

    assert {:ok, %{"states" => [%{"state" => "2", "commit" => ^head}], "next" => nil}} =
             GitPort.workspace_imported(port, "old", after: "1")
  end
end
