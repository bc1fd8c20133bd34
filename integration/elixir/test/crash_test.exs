defmodule GitPort.CrashTest do
  use GitPort.Case, async: true

  test "a killed daemon answers all its callers, and the next one serves the next calls" do
    port = start_port()
    assert GitPort.ping(port) == {:ok, "pong"}
    os_pid = os_pid(port)

    # Stopped first, so that nothing is answered before it is killed.
    stop(os_pid)

    callers =
      for _caller <- 1..20 do
        Task.async(fn -> {GitPort.ping(port, timeout: :infinity), mailbox()} end)
      end

    many =
      Task.async(fn ->
        GitPort.call_many(port, List.duplicate({"ping", []}, 30), max_outstanding: 10)
      end)

    eventually(fn -> outstanding(port) >= 30 end)
    signal(os_pid, :KILL)

    for {result, mailbox} <- Task.await_many(callers, 20_000) do
      assert {:error, %Error{code: :unavailable} = error} = result

      assert error.message ==
               "the daemon exited with status 137; the outcome of this request is unknown"

      assert error.details == %{"sent" => true, "status" => 137}
      assert mailbox == []
    end

    # Those that had not been sent were not lost: they waited for the next daemon.
    results = Task.await(many, 20_000)
    assert Enum.count(results, &match?({:error, %Error{code: :unavailable}}, &1)) == 10
    assert Enum.count(results, &(&1 == {:ok, "pong"})) == 20

    assert GitPort.ping(port) == {:ok, "pong"}
    assert os_pid(port) != os_pid
    assert outstanding(port) == 0
  end

  test "requests go on while the daemon is killed again and again" do
    port = start_port(max_restarts: 1_000)

    callers =
      for _caller <- 1..4 do
        Task.async(fn ->
          results = for _call <- 1..300, do: GitPort.ping(port)
          assert mailbox() == []
          results
        end)
      end

    for _kill <- 1..5 do
      before = os_pid(port)
      if before && alive?(before), do: signal(before, :KILL)
      eventually(fn -> os_pid(port) not in [nil, before] end)
    end

    for result <- callers |> Task.await_many(60_000) |> Enum.concat() do
      assert match?({:ok, "pong"}, result) or match?({:error, %Error{code: :unavailable}}, result)
    end

    assert GitPort.ping(port) == {:ok, "pong"}
    assert outstanding(port) == 0
  end

  test "a call that comes while there is no daemon waits for the next" do
    port = start_port(backoff_ms: 300)
    assert GitPort.ping(port) == {:ok, "pong"}
    signal(os_pid(port), :KILL)
    eventually(fn -> match?({:ok, %{port: nil}}, GitPort.Link.fetch(port)) end)
    assert {:error, %Error{code: :unavailable} = error} = GitPort.ping(port, timeout: 10)
    refute error.details["sent"]
    assert GitPort.ping(port) == {:ok, "pong"}
    assert mailbox() == []
  end

  test "a daemon that exits too often ends the port" do
    Process.flag(:trap_exit, true)

    {:ok, port} =
      GitPort.start_link(
        executable: executable(),
        args: ["serve", "--no-such-flag"],
        backoff_ms: 1,
        max_restarts: 3
      )

    monitor = Process.monitor(port)
    # None of these may hang, whatever the port is doing at the moment.
    results = for _call <- 1..3, do: GitPort.ping(port, timeout: 200)
    assert Enum.all?(results, &match?({:error, %Error{code: :unavailable}}, &1))
    assert_receive {:DOWN, ^monitor, _, _, {:daemon_exits_too_often, {:status, _status}}}, 20_000
    assert {:error, %Error{code: :unavailable}} = GitPort.ping(port)
  end

  test "a supervisor replaces a port that was killed, and waiting callers are told" do
    port = start_port(name: __MODULE__)
    assert GitPort.ping(__MODULE__) == {:ok, "pong"}
    os_pid = os_pid(port)
    stop(os_pid)
    caller = Task.async(fn -> GitPort.ping(__MODULE__, timeout: :infinity) end)
    eventually(fn -> outstanding(port) == 1 end)
    Process.exit(port, :kill)
    assert {:error, %Error{code: :unavailable} = error} = Task.await(caller, 20_000)
    assert error.details["sent"]
    signal(os_pid, :CONT)
    eventually(fn -> Process.whereis(__MODULE__) not in [nil, port] end)
    eventually(fn -> GitPort.ping(__MODULE__) == {:ok, "pong"} end)
    eventually(fn -> not alive?(os_pid) end)
  end

  test "a program that is not there is told at the start" do
    Process.flag(:trap_exit, true)

    failed = fn options ->
      assert {:error, %Error{code: :unavailable} = error} = GitPort.start_link(options)
      error.message
    end

    at = "/no/such/gitport"
    assert failed.(executable: at) == "cannot start gitport: there is no program at #{at}"
    name = "no-such-gitport"
    assert failed.(executable: name) == "cannot start gitport: there is no #{name} in the PATH"
    assert failed.(executable: "/etc/passwd") =~ "/etc/passwd may not be executed"
  end

  @tag skip: GitPort.Case.missing("fault")
  test "a bug in the daemon costs one request" do
    port = start_port()
    os_pid = os_pid(port)
    other = GitPort.async(port, "fault", kind: "stall", ms: 200)
    assert {:error, %Error{code: :internal}} = GitPort.call(port, "fault", kind: "panic")
    assert {:error, %Error{code: :internal}} = GitPort.call(port, "fault", kind: "child_crash")
    assert GitPort.call(port, "fault", kind: "print") == {:ok, true}
    assert GitPort.await(other) == {:ok, true}
    assert os_pid(port) == os_pid
  end
end
