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

    for ask <- [&GitPort.run_get/4, &GitPort.run_graph/4] do
      assert {:error, %Error{code: :bad_request, details: %{"field" => "seq"}}} =
               ask.(port, path, "a", seq: 1000)
    end

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
                "receipts" => 0,
                "signed" => 0,
                "problems" => []
              }}

    # A ref of a run at what is none.
    git(path, ["update-ref", "refs/workflow/executions/b", "main"])
    assert {:ok, verified} = GitPort.run_verify(port, path, "b")
    assert %{"ok" => false, "status" => nil, "problems" => [%{"message" => _}]} = verified
    assert {:error, %Error{code: :not_found}} = GitPort.run_verify(port, path, "c")
  end

  test "receipts tell what became of tasks", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")

    {:ok, [%{"task" => task, "token" => token}]} =
      GitPort.task_claim(port, path, "ann", queue: "floor")

    {:ok, %{"commit" => commit}} =
      GitPort.task_complete(port, path, task, token, outcome: "packed")

    assert {:ok, %{"receipts" => [receipt], "next" => nil}} =
             GitPort.receipt_list(port, path, worker: "ann")

    assert %{"commit" => ^commit, "task" => ^task, "outcome" => "packed"} = receipt

    assert {:ok, %{"text" => "receipt,run," <> _}} =
             GitPort.receipt_list(port, path, format: "csv")

    assert {:ok, %{"receipts" => []}} = GitPort.receipt_list(port, path, actor: "bob")

    assert {:ok, %{"receipt" => ^receipt, "ok" => true, "signature" => nil}} =
             GitPort.receipt_get(port, path, task: task)

    assert {:error, %Error{code: :not_found}} = GitPort.receipt_get(port, path, task: "a/99")
    assert {:ok, %{"ok" => true, "receipts" => 1}} = GitPort.receipt_verify(port, path)

    assert {:ok, %{"ok" => false, "problems" => [%{"kind" => "unsigned"}]}} =
             GitPort.receipt_verify(port, path, run: "a", allowed_signers: "")
  end

  test "runs are of files too, found and cancelled", %{port: port, path: path} do
    for {run, customer} <- [{"a", "c1"}, {"b", "c2"}, {"c", "c1"}] do
      options = [files: ["ship.yaml"], rev: "main", run: run, attributes: [customer: customer]]
      assert {:ok, %{"process" => "ship"}} = GitPort.run_start(port, path, options)
    end

    draft = [file: "draft.yaml", content: "process_name: draft\nsteps: [{step_id: look}]\n"]
    options = [drafts: [draft], run: "drafted"]
    assert {:ok, %{"process" => "draft"}} = GitPort.run_start(port, path, options)
    assert {:ok, _} = GitPort.run_cancel(port, path, "drafted")

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

  test "a run is held up and goes on", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")

    {:ok, [%{"task" => task, "token" => token}]} =
      GitPort.task_claim(port, path, "ann", queue: "floor")

    assert {:ok, %{"run" => "a", "status" => "suspended", "commit" => _}} =
             GitPort.run_suspend(port, path, "a", actor: "shop")

    # What was started counts; what comes after it is for later.
    {:ok, _} = GitPort.task_complete(port, path, task, token, outcome: "packed")
    assert GitPort.task_claim(port, path, "bob", roles: ["driver"]) == {:ok, []}

    assert {:ok, %{"runs" => [%{"run" => "a", "forked" => nil}]}} =
             GitPort.run_list(port, path, status: "suspended")

    assert {:error, %Error{code: :conflict}} = GitPort.run_suspend(port, path, "a")

    assert {:ok, %{"status" => "running"}} = GitPort.run_resume(port, path, "a", actor: "shop")
    assert {:ok, [%{"step" => "send"}]} = GitPort.task_claim(port, path, "bob", roles: ["driver"])
    assert {:error, %Error{code: :conflict}} = GitPort.run_resume(port, path, "a")
  end

  test "a run that failed is tried again and forked", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    assert {:error, %Error{code: :conflict}} = GitPort.run_retry(port, path, "a")

    {:ok, [%{"task" => task, "token" => token}]} =
      GitPort.task_claim(port, path, "ann", queue: "floor")

    {:ok, %{"status" => "failed"}} = GitPort.task_fail(port, path, task, token, "no box")

    assert {:ok, %{"run" => "a", "status" => "running", "again" => again}} =
             GitPort.run_retry(port, path, "a", actor: "shop")

    assert [%{"step" => "pack", "actor" => "ann", "seq" => _}] = again

    assert {:error, %Error{code: :conflict}} =
             GitPort.task_complete(port, path, task, token, outcome: "packed")

    options = [new: "b", seq: 1, actor: "eve"]
    assert {:ok, %{"run" => "b"} = forked} = GitPort.run_fork(port, path, "a", options)
    assert GitPort.run_fork(port, path, "a", options) == {:ok, forked}

    assert {:ok, %{"forked" => "a@1", "actor" => "eve", "status" => "running"}} =
             GitPort.run_get(port, path, "b")

    {:ok, given} = GitPort.task_claim(port, path, "bob", queue: "floor", max: 9)
    assert given |> Enum.map(& &1["run"]) |> Enum.sort() == ["a", "b"]
    {:ok, _} = GitPort.run_cancel(port, path, "a")
    assert {:ok, %{"status" => "running"}} = GitPort.run_retry(port, path, "a", seq: 1)

    for run <- ["a", "b"],
        do: assert({:ok, %{"ok" => true}} = GitPort.run_verify(port, path, run))

    assert {:error, %Error{code: :conflict}} = GitPort.run_fork(port, path, "a", new: "b", seq: 2)
    assert {:ok, %{"run" => "b"}} = GitPort.run_fork(port, path, "a", new: "b")
    assert {:ok, %{"run" => _}} = GitPort.run_fork(port, path, "a")
  end

  test "a run goes on by another definition", %{port: port, path: path} do
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    {:ok, [_]} = GitPort.task_claim(port, path, "ann", queue: "floor")

    wrapping =
      @ship
      |> String.replace("1.0.0", "2.0.0")
      |> String.replace("step_id: pack", "step_id: wrap")

    {:ok, _} = GitPort.process_publish(port, path, content: wrapping)

    assert {:error, %Error{code: :conflict, details: %{"missing" => [missing | _]}}} =
             GitPort.run_migrate(port, path, "a")

    assert missing =~ "pack"
    options = [version: "^2", steps: %{pack: "wrap"}, actor: "shop"]
    assert {:ok, %{"status" => "running"}} = GitPort.run_migrate(port, path, "a", options)

    assert {:ok, %{"version" => "2.0.0", "offers" => [%{"path" => "wrap", "worker" => "ann"}]}} =
             GitPort.run_get(port, path, "a")

    options = [files: ["ship.yaml"], rev: "main", steps: [wrap: "pack"]]
    assert {:ok, _} = GitPort.run_migrate(port, path, "a", options)
    assert {:ok, %{"version" => "1.0.0"}} = GitPort.run_get(port, path, "a")
  end

  @sell """
  process_name: sell
  steps:
    - {step_id: order, step_type: route, milestone: ordered, next: send}
    - {step_id: send, call: go}
  ---
  process_name: go
  steps: [{step_id: walk}]
  """

  test "what a run calls and reaches is told, and goes with it", %{port: port, path: path} do
    commit(path, [{"sell.yaml", @sell}])

    for run <- ["a", "b"],
        do: {:ok, _} = GitPort.run_start(port, path, files: ["sell.yaml"], run: run)

    assert {:ok, %{"milestones" => %{"ordered" => reached}, "children" => [child]}} =
             GitPort.run_get(port, path, "a")

    assert %{"run" => called, "process" => "go", "status" => "running"} = child

    assert {:ok, %{"parent" => "a", "step" => "send", "offers" => [%{"path" => "send/walk"}]}} =
             GitPort.run_get(port, path, called)

    tag = "refs/tags/milestone/a/ordered"
    eventually(fn -> git(path, ["for-each-ref", tag]) =~ reached end)
    {:ok, [%{"run" => "a"} = walk]} = GitPort.task_claim(port, path, "ann")
    {:ok, _} = GitPort.task_complete(port, path, walk["task"], walk["token"])
    assert {:ok, %{"status" => "done"}} = GitPort.run_get(port, path, called)

    assert {:error, %Error{code: :bad_request}} = GitPort.run_prune(port, path, [])
    assert {:error, %Error{code: :conflict}} = GitPort.run_prune(port, path, runs: ["a", "b"])
    file = Path.join(Path.dirname(path), "old.bundle")

    assert {:ok, %{"runs" => [%{"run" => "a"}], "more" => false, "file" => nil}} =
             GitPort.run_prune(port, path, keep: 0, dry_run: true)

    assert {:ok, %{"runs" => [%{"run" => "a", "status" => "done"}], "bytes" => bytes}} =
             GitPort.run_prune(port, path, keep: 0, to: Path.expand(file))

    assert bytes == File.stat!(file).size
    assert {:ok, %{"runs" => [%{"run" => "b"}]}} = GitPort.run_list(port, path)
    eventually(fn -> git(path, ["for-each-ref", tag]) == "" end)
    git(path, ["fetch", "-q", Path.expand(file), "refs/*:refs/*"])
    eventually(fn -> match?({:ok, %{"ok" => true}}, GitPort.run_verify(port, path, "a")) end)
  end

  test "triggers are told, tried and paused", %{port: port, path: path} do
    starts =
      "process_name: starts\nprocess_version: 1.0.0\n" <>
        "triggers: [{name: pushed, push: main}]\nsteps: [{step_id: a}]\n"

    {:ok, _} = GitPort.process_publish(port, path, content: starts)

    assert {:ok, %{"triggers" => [%{"trigger" => "pushed", "kind" => "commit", "fired" => nil}]}} =
             GitPort.trigger_list(port, path)

    assert {:ok, %{"commits" => [%{"ref" => "refs/heads/main", "triggers" => [tested]}]}} =
             GitPort.trigger_test(port, path, rev: "main")

    assert %{"fires" => true, "run" => "starts.pushed." <> _} = tested

    assert {:ok, %{"commits" => [%{"triggers" => [%{"unmet" => %{"condition" => "push"}}]}]}} =
             GitPort.trigger_test(port, path, rev: "main", ref: "dev", process: "starts")

    assert {:ok, %{"paused" => true}} = GitPort.trigger_pause(port, path, "starts", "pushed")
    assert {:ok, %{"paused" => false}} = GitPort.trigger_resume(port, path, "starts", "pushed")

    assert {:error, %Error{code: :not_found}} = GitPort.trigger_pause(port, path, "starts", "x")
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

  # The tasks of the next events, of which there are so many.
  defp sent(port, id, count) do
    assert_receive {:gitport_event, ^port, %{"event" => "tasks", "request" => ^id} = event},
                   10_000

    assert %{"seq" => _, "dropped" => 0, "op" => "task.subscribe", "tasks" => tasks} = event
    if length(tasks) < count, do: tasks ++ sent(port, id, count - length(tasks)), else: tasks
  end

  test "a worker is sent tasks for its credits", %{port: port, path: path} do
    options = [queue: "floor", credits: 2, types: ["human_in_the_loop"]]
    assert {:ok, id} = GitPort.task_subscribe(port, path, "ann", options)
    runs = ["a", "b", "c"]
    for run <- runs, do: {:ok, _} = GitPort.run_start(port, path, process: "ship", run: run)
    assert [%{"run" => "a", "worker" => "ann"} = task, %{"run" => "b"}] = sent(port, id, 2)
    %{"task" => name, "token" => token} = task
    assert {:ok, _} = GitPort.task_complete(port, path, name, token, outcome: "packed")
    {:ok, %{"tasks" => tasks}} = GitPort.task_list(port, path, queue: "floor")
    assert [%{"worker" => "ann"}, %{"run" => "c"} = left] = tasks
    refute Map.has_key?(left, "worker")
    assert GitPort.task_credit(port, id, 1) == {:ok, true}
    assert [%{"run" => "c"}] = sent(port, id, 1)
    assert GitPort.call(port, "cancel", request: id) == {:ok, true}
    assert_receive {:gitport_ended, ^port, ^id, %Error{code: :cancelled}}, 10_000
    assert GitPort.task_credit(port, id, 1) == {:ok, false}
    assert mailbox() == []
  end

  test "tasks are sent until it ends, and its end is told", %{port: port, path: path} do
    {:ok, id} = GitPort.task_subscribe(port, path, "ann", credits: 0)
    assert_receive {:gitport_ended, ^port, ^id, %Error{code: :bad_request}}, 10_000
    {:ok, id} = GitPort.task_subscribe(port, path, "ann", timeout: 50)
    assert_receive {:gitport_ended, ^port, ^id, %Error{code: :timeout}}, 10_000

    # With the process that asked.
    worker = Task.async(fn -> GitPort.task_subscribe(port, path, "ann", queue: "floor") end)
    assert {:ok, _id} = Task.await(worker)
    eventually(fn -> outstanding(port) == 0 end)
    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    assert {:ok, %{"tasks" => [task]}} = GitPort.task_list(port, path)
    refute Map.has_key?(task, "worker")

    {:ok, id} = GitPort.task_subscribe(port, path, "bob", roles: ["driver"])
    signal(os_pid(port), :KILL)
    assert_receive {:gitport_ended, ^port, ^id, %Error{code: :unavailable}}, 10_000
    {:ok, id} = GitPort.task_subscribe(port, path, "ann", queue: "floor")
    assert [%{"run" => "a"}] = sent(port, id, 1)
    stop_supervised!(GitPort)
    assert_receive {:gitport_ended, ^port, ^id, %Error{code: :cancelled}}, 10_000

    assert {:error, %Error{code: :unavailable}} = GitPort.task_subscribe(port, path, "ann")
    assert mailbox() == []
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

  @people """
  policy: 1
  rules:
    - {name: packers, on: [claim, complete], process: ship, step: pack, allow: [ann]}
    - {name: policies, on: [policy], allow: [root]}
  override: [{name: boss, on: [complete, claim], allow: [bob]}]
  """

  test "policies say who may do what", %{port: port, path: path} do
    assert {:ok, %{"commit" => commit, "was" => nil}} =
             GitPort.policy_set(port, path, "people", @people, actor: "root")

    assert {:ok, %{"was" => nil}} =
             GitPort.policy_set(port, path, "more", %{"policy" => 1}, actor: "root")

    {:ok, _} = GitPort.run_start(port, path, process: "ship", run: "a")
    assert GitPort.task_claim(port, path, "bob", queue: "floor") == {:ok, []}
    assert {:ok, %{"tasks" => [%{"task" => task}]}} = GitPort.task_list(port, path)

    assert {:error, %Error{code: :denied, details: %{"rule" => "people/packers"}}} =
             GitPort.task_claim(port, path, "bob", task: task)

    assert {:ok, [%{"token" => token}]} =
             GitPort.task_claim(port, path, "bob", task: task, override: "ann is ill")

    assert {:ok, %{"allowed" => false, "rule" => "people/packers", "why" => [_ | _]}} =
             GitPort.policy_check(port, path, "bob", "complete", run: "a", step: "pack")

    done = [outcome: "lost", override: "ann is ill"]
    assert {:ok, _} = GitPort.task_complete(port, path, task, token, done)

    assert {:ok, %{"denials" => [%{"action" => "claim", "actor" => "bob"}]}} =
             GitPort.policy_denials(port, path)

    assert {:ok, [%{"policy" => @people, "commit" => ^commit}]} =
             GitPort.policy_get(port, path, name: "people")

    assert {:ok, %{"name" => "more"}} = GitPort.policy_remove(port, path, "more", actor: "root")
  end
end
