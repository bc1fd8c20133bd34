defmodule GitPort.BusyTest do
  use GitPort.Case, async: true

  # Stands for a daemon that has stopped reading.
  setup do
    %{port: start_port(executable: "/bin/sleep", args: ["600"], grace_ms: 1)}
  end

  defp fill(port) do
    path = :binary.copy("a", 100_000)
    Stream.repeatedly(fn -> GitPort.call(port, "head", [path: path], timeout: 1) end)
  end

  test "a daemon that does not read makes requests busy, never hang", %{port: port} do
    results = fill(port) |> Enum.take(20)

    assert Enum.all?(
             results,
             &match?({:error, %Error{code: code}} when code in [:timeout, :busy], &1)
           )

    assert {:error, %Error{code: :busy} = error} = GitPort.ping(port, timeout: 50)
    assert error.message == "the daemon does not read its requests"
    refute error.details["sent"]

    assert [{:error, %Error{code: :busy}} | _] =
             GitPort.call_many(port, List.duplicate({"ping", []}, 3), timeout: 50)

    request = GitPort.async(port, "ping", [], timeout: 20)
    assert {:error, %Error{code: :busy}} = GitPort.await(request)
    assert {:error, %Error{code: :timeout}} = GitPort.subscribe(port, [:progress], timeout: 20)
    assert mailbox() == []
  end

  test "a busy port answers its owner's other tasks", %{port: port} do
    fill(port) |> Enum.take(20)
    caller = spawn(fn -> GitPort.ping(port, timeout: :infinity) end)
    Process.exit(caller, :kill)
    # The owner has taken all its messages, so it is not stuck in the port.
    assert %{link: _link} = :sys.get_state(port)
  end

  test "it is killed when the port ends, as it would never notice", %{port: port} do
    os_pid = os_pid(port)
    assert alive?(os_pid)
    stop_supervised!(GitPort)
    eventually(fn -> not alive?(os_pid) end)
  end
end
