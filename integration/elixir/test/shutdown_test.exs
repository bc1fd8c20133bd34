defmodule GitPort.ShutdownTest do
  use GitPort.Case, async: true

  test "shutdown ends the daemon and the port, and no supervisor starts them again" do
    port = start_port(name: __MODULE__)
    os_pid = os_pid(port)
    monitor = Process.monitor(port)
    assert {:ok, %{"finished" => _, "cancelled" => 0}} = GitPort.shutdown(port)
    assert_receive {:DOWN, ^monitor, :process, ^port, :normal}, 5_000
    refute alive?(os_pid)
    assert {:error, %Error{code: :unavailable}} = GitPort.ping(__MODULE__)
  end

  test "a port that is stopped takes its daemon with it" do
    port = start_port()
    os_pid = os_pid(port)
    stop_supervised!(GitPort)
    refute Process.alive?(port)
    eventually(fn -> not alive?(os_pid) end)
  end

  @tag skip: GitPort.Case.missing("fault")
  test "a port that is stopped lets the daemon finish, and hands on its replies" do
    port = start_port()
    caller = Task.async(fn -> GitPort.call(port, "fault", kind: "stall", ms: 500) end)
    eventually(fn -> outstanding(port) == 1 end)
    stop_supervised!(GitPort)
    assert Task.await(caller, 20_000) == {:ok, true}
  end

  @tag skip: GitPort.Case.missing("fault")
  test "what is not finished within the grace time is cancelled, and its caller told" do
    port = start_port(grace_ms: 100)

    caller = Task.async(fn -> GitPort.call(port, "fault", kind: "child_stall", ms: 60_000) end)

    eventually(fn -> outstanding(port) == 1 end)
    stop_supervised!(GitPort)
    assert {:error, %Error{code: :cancelled}} = Task.await(caller, 20_000)
  end

  @tag skip: GitPort.Case.missing("fault")
  test "while it shuts down the daemon takes nothing new" do
    port = start_port()
    slow = GitPort.async(port, "fault", kind: "stall", ms: 500)
    shutdown = Task.async(fn -> GitPort.shutdown(port) end)
    eventually(fn -> :sys.get_state(port).closing != nil end)
    eventually(fn -> match?({:error, %Error{code: :unavailable}}, GitPort.ping(port)) end)
    assert {:error, %Error{code: :unavailable}} = GitPort.shutdown(port)
    assert GitPort.await(slow) == {:ok, true}
    assert {:ok, %{"finished" => _}} = Task.await(shutdown, 20_000)
  end
end
