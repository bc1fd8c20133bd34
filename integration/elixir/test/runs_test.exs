defmodule GitPort.RunsTest do
  use GitPort.Case, async: true

  @moduletag :tmp_dir

  @ship """
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

  setup %{tmp_dir: folder} do
    port = start_port()
    path = repository(Path.join(folder, "runs"), [[{"ship.yaml", @ship}]])
    {:ok, _} = GitPort.process_publish(port, path, content: @ship)
    %{port: port, path: path}
  end

  test "two workers bring a run to its end", %{port: port, path: path} do
    options = [process: "ship", version: "^1", run: "order-7", input: %{parcel: "p1"}]
    options = options ++ [attributes: %{"customer" => "c1"}, actor: "shop"]
    assert {:ok, %{"created" => true} = begun} = GitPort.run_start(port, path, options)
    assert %{"run" => "order-7", "version" => "1.0.0", "status" => "running"} = begun
    assert GitPort.run_start(port, path, options) == {:ok, %{begun | "created" => false}}

    assert {:error, %Error{code: :conflict}} =
             GitPort.run_start(port, path, process: "ship", run: "order-7", input: %{})

    assert GitPort.task_claim(port, path, "ann") == {:ok, []}
    assert {:ok, [pack]} = GitPort.task_claim(port, path, "ann", queue: "floor")
    assert %{"step" => "pack", "title" => "Pack it", "data" => %{"parcel" => "p1"}} = pack
    %{"task" => task, "token" => token} = pack
    assert {:ok, %{"tasks" => [listed]}} = GitPort.task_list(port, path, worker: "ann")
    assert %{"task" => ^task, "worker" => "ann"} = listed
    refute Map.has_key?(listed, "token")

    assert GitPort.task_heartbeat(port, path, task, token, lease_ms: 5_000) ==
             {:ok, %{"task" => task, "lease_ms" => 5_000}}

    assert {:error, %Error{code: :invalid, message: message}} =
             GitPort.task_complete(port, path, task, token, outcome: "eaten")

    assert message =~ "packed"
    packed = [outcome: "packed", data: %{parcels: 2}]

    assert {:error, %Error{code: :conflict}} =
             GitPort.task_complete(port, path, task, token, packed ++ [worker: "bob"])

    assert {:ok, %{"run" => "order-7", "status" => "running", "commit" => _}} =
             GitPort.task_complete(port, path, task, token, packed ++ [worker: "ann"])

    # It counts once.
    assert {:error, %Error{code: :conflict}} =
             GitPort.task_complete(port, path, task, token, packed)

    assert {:ok, [%{"step" => "send", "data" => %{"parcels" => 2}} = send]} =
             GitPort.task_claim(port, path, "bob", roles: ["driver"], wait_ms: 5_000)

    assert {:ok, %{"status" => "waiting"}} =
             GitPort.task_complete(port, path, send["task"], send["token"])

    assert {:ok, %{"offers" => [offer]}} = GitPort.run_get(port, path, "order-7")
    assert %{"path" => "arrive", "status" => "awaiting"} = offer

    assert {:ok, %{"status" => "waiting"}} =
             GitPort.run_signal(port, path, "order-7", "arrived", key: "p2")

    assert {:ok, %{"run" => "order-7", "status" => "done"}} =
             GitPort.run_signal(port, path, "order-7", "arrived",
               key: "p1",
               data: [at: "dock"],
               actor: "van"
             )

    assert {:ok, %{"status" => "done", "final_status" => "delivered"} = done} =
             GitPort.run_get(port, path, "order-7")

    assert done["data"] == %{"parcels" => 2, "parcel" => "p1", "at" => "dock"}
    assert {:ok, %{"events" => events}} = GitPort.run_history(port, path, "order-7")
    assert [%{"event" => "begin", "actor" => "shop", "seq" => 1} | _] = events
    assert for(who <- ~w(ann bob van), who not in Enum.map(events, & &1["actor"]), do: who) == []
    commits = for event <- events, do: event["commit"]
    assert List.last(commits) == done["commit"]
    drawn = git(path, ["rev-list", "refs/workflow/executions/order-7"]) |> String.split()
    assert Enum.sort(drawn) == Enum.sort(commits)

    assert {:ok, %{"events" => [%{"seq" => 2}], "next" => 2}} =
             GitPort.run_history(port, path, "order-7", limit: 1, after: 1)
  end

  test "a run is drawn as it is and as it was", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    assert {:ok, %{"run" => "a", "picture" => svg}} = GitPort.run_graph(port, path, "a")
    assert svg =~ "<svg"

    {:ok, [%{"task" => task, "token" => token}]} =
      GitPort.task_claim(port, path, "ann", queue: "floor")

    {:ok, %{"seq" => held}} = GitPort.run_get(port, path, "a")
    {:ok, _} = GitPort.task_complete(port, path, task, token, outcome: "lost")
    assert {:ok, %{"picture" => ^svg}} = GitPort.run_graph(port, path, "a", seq: 1)
    mermaid = [format: "mermaid"]
    assert {:ok, %{"picture" => now}} = GitPort.run_graph(port, path, "a", mermaid)
    assert {now =~ "done", now =~ "running"} == {true, false}

    assert {:ok, %{"picture" => past}} =
             GitPort.run_graph(port, path, "a", mermaid ++ [seq: held])

    assert {past =~ "done", past =~ "running"} == {false, true}

    assert {:ok, %{"picture" => "digraph" <> _}} =
             GitPort.run_graph(port, path, "a", format: "dot")

    assert {:ok, %{"status" => "running", "seq" => ^held, "offers" => [%{"worker" => "ann"}]}} =
             GitPort.run_get(port, path, "a", seq: held)

    assert GitPort.run_get(port, path, "a", seq: 1000) == GitPort.run_get(port, path, "a")

    assert {:error, %Error{code: :bad_request, details: %{"field" => "seq"}}} =
             GitPort.run_get(port, path, "a", seq: 0)

    assert {:error, %Error{code: :not_found}} = GitPort.run_graph(port, path, "b")
  end

  test "a run is what its commits say", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")

    assert GitPort.run_verify(port, path, "a") ==
             {:ok,
              %{
                "run" => "a",
                "ok" => true,
                "commits" => 1,
                "status" => "running",
                "problems" => []
              }}

    # A ref of a run at what is none.
    git(path, ["update-ref", "refs/workflow/executions/b", "main"])
    assert {:ok, verified} = GitPort.run_verify(port, path, "b")
    assert %{"ok" => false, "status" => nil, "problems" => [%{"message" => _}]} = verified
    assert {:error, %Error{code: :not_found}} = GitPort.run_verify(port, path, "c")
  end

  test "runs are of files too, found and cancelled", %{port: port, path: path} do
    for {run, customer} <- [{"a", "c1"}, {"b", "c2"}, {"c", "c1"}] do
      options = [files: ["ship.yaml"], rev: "main", run: run, attributes: [customer: customer]]
      assert {:ok, %{"process" => "ship"}} = GitPort.run_start(port, path, options)
    end

    options = [attributes: %{customer: "c1"}, limit: 1]

    assert {:ok, %{"runs" => [%{"run" => "a"}], "next" => "a"}} =
             GitPort.run_list(port, path, options)

    assert {:ok, %{"runs" => [%{"run" => "c"}], "next" => nil}} =
             GitPort.run_list(port, path, options ++ [after: "a"])

    assert {:ok, %{"status" => "cancelled"}} = GitPort.run_cancel(port, path, "b", actor: "shop")

    assert {:ok, %{"runs" => runs}} =
             GitPort.run_list(port, path, status: "running", step: "pack")

    assert for(run <- runs, do: run["run"]) == ["a", "c"]
    assert {:error, %Error{code: :conflict}} = GitPort.run_signal(port, path, "b", "arrived")
    assert {:error, %Error{code: :not_found}} = GitPort.run_get(port, path, "z")
    assert {:error, %Error{code: :bad_request}} = GitPort.run_start(port, path, [])
  end

  test "what is given back or failed is offered again", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    claim = fn worker, options -> GitPort.task_claim(port, path, worker, options) end
    assert {:ok, [%{"task" => task, "token" => first}]} = claim.("ann", queue: "floor")
    assert {:ok, %{"task" => ^task}} = GitPort.task_release(port, path, task, first)
    assert {:ok, [%{"task" => ^task, "token" => second}]} = claim.("bob", queue: "floor")
    assert second != first

    assert {:error, %Error{code: :conflict}} =
             GitPort.task_complete(port, path, task, first, outcome: "packed")

    assert {:ok, _} = GitPort.task_complete(port, path, task, second, outcome: "packed")
    drivers = [roles: ["driver"], wait_ms: 10_000]
    assert {:ok, [%{"attempt" => 1} = send]} = claim.("bob", drivers)
    %{"task" => task, "token" => token} = send

    assert {:ok, %{"status" => "running"}} =
             GitPort.task_fail(port, path, task, token, "no van", type: "van")

    assert {:ok, [%{"task" => ^task, "attempt" => 2, "token" => token}]} = claim.("bob", drivers)

    assert {:ok, %{"status" => "failed"}} =
             GitPort.task_fail(port, path, task, token, "no road", retry: false)

    assert {:ok, %{"problem" => %{"message" => message}}} = GitPort.run_get(port, path, "a")
    assert message =~ "no road"
  end

  test "a task is claimed by its name", %{port: port, path: path} do
    for run <- ["a", "b"], do: {:ok, _} = GitPort.run_start(port, path, process: "ship", run: run)
    assert {:ok, %{"tasks" => [_, %{"task" => task}]}} = GitPort.task_list(port, path)
    assert {:ok, [%{"run" => "b"}]} = GitPort.task_claim(port, path, "ann", task: task)

    assert {:error, %Error{code: :conflict}} = GitPort.task_claim(port, path, "bob", task: task)
  end

  test "a claim waits for the first task", %{port: port, path: path} do
    assert GitPort.task_claim(port, path, "ann", wait_ms: 50) == {:ok, []}
    arguments = [path: path, worker: "ann", queue: "floor", wait_ms: 60_000]
    waiting = GitPort.async(port, "task.claim", arguments, timeout: 20_000)
    # When what came after it is answered, the claim waits.
    assert {:ok, %{"tasks" => []}} = GitPort.task_list(port, path)
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    assert {:ok, %{"tasks" => [%{"run" => "a", "step" => "pack"}]}} = GitPort.await(waiting)

    assert {:error, %Error{code: :timeout}} =
             GitPort.task_claim(port, path, "ann", wait_ms: 60_000, timeout: 100)
  end
end
