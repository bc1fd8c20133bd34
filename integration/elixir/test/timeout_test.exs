defmodule GitPort.TimeoutTest do
  use GitPort.Case, async: true

  # A daemon that is stopped answers nothing, and what it was sent is answered after it goes on.
  defp stopped(_context) do
    port = start_port()
    assert GitPort.ping(port) == {:ok, "pong"}
    os_pid = os_pid(port)
    stop(os_pid)
    %{port: port, os_pid: os_pid}
  end

  test "a timeout that is none raises before anything is sent" do
    port = start_port()

    for timeout <- ["x", -1, 1.5, nil, :soon] do
      calls = [
        fn -> GitPort.ping(port, timeout: timeout) end,
        fn -> GitPort.call(port, "ping", [], timeout: timeout) end,
        fn -> GitPort.call_many(port, [{"ping", []}], timeout: timeout) end,
        fn -> GitPort.start_link(executable: executable(), timeout: timeout) end
      ]

      for call <- calls, do: assert_raise(ArgumentError, ~r/a timeout is/, call)
    end

    assert_raise ArgumentError, ~r/a timeout is/, fn ->
      GitPort.subscribe(port, [:progress], timeout: "x")
    end

    request = GitPort.async(port, "ping")
    assert_raise ArgumentError, ~r/a timeout is/, fn -> GitPort.await(request, "x") end
    assert GitPort.await(request) == {:ok, "pong"}
    assert outstanding(port) == 0
    assert mailbox() == []
  end

  describe "with a daemon that does not answer" do
    setup :stopped

    test "a late reply reaches nobody", %{port: port, os_pid: os_pid} do
      assert {:error, %Error{code: :timeout} = error} = GitPort.ping(port, timeout: 50)
      assert error.details["sent"]
      assert outstanding(port) > 0
      signal(os_pid, :CONT)
      assert GitPort.ping(port) == {:ok, "pong"}
      eventually(fn -> outstanding(port) == 0 end)
      assert mailbox() == []
    end

    test "many requests time out together", %{port: port, os_pid: os_pid} do
      requests = List.duplicate({"ping", []}, 10)
      results = GitPort.call_many(port, requests, timeout: 50, max_outstanding: 4)
      assert Enum.count(results, &match?({:error, %Error{code: :timeout}}, &1)) == 10
      sent = Enum.map(results, fn {:error, error} -> error.details["sent"] end)
      assert sent == List.duplicate(true, 4) ++ List.duplicate(false, 6)
      signal(os_pid, :CONT)
      eventually(fn -> outstanding(port) == 0 end)
      assert mailbox() == []
    end

    test "await can be shorter than the request", %{port: port, os_pid: os_pid} do
      request = GitPort.async(port, "ping", [], timeout: :infinity)
      assert {:error, %Error{code: :timeout}} = GitPort.await(request, 20)
      signal(os_pid, :CONT)
      eventually(fn -> outstanding(port) == 0 end)
      assert mailbox() == []
    end

    test "what may be outstanding is bounded, and more is busy" do
      port = start_port([max_outstanding: 2], :bounded)
      assert GitPort.ping(port) == {:ok, "pong"}
      os_pid = os_pid(port)
      stop(os_pid)
      requests = for _request <- 1..2, do: GitPort.async(port, "ping")
      assert {:error, %Error{code: :busy} = error} = GitPort.ping(port, timeout: 50)
      refute error.details["sent"]
      signal(os_pid, :CONT)
      assert Enum.map(requests, &GitPort.await/1) == [{:ok, "pong"}, {:ok, "pong"}]
      assert GitPort.ping(port) == {:ok, "pong"}
    end
  end

  describe "with work that takes long" do
    @describetag skip: GitPort.Case.missing("fault")

    setup do
      %{port: start_port(args: ["serve", "--workers", "2"])}
    end

    test "the time is up for the daemon as well", %{port: port} do
      arguments = [kind: "child_stall", ms: 60_000]

      assert {:error, %Error{code: :timeout}} =
               GitPort.call(port, "fault", arguments, timeout: 100)

      eventually(fn -> outstanding(port) == 0 end)
      assert mailbox() == []
    end

    test "a request can be cancelled", %{port: port} do
      request = GitPort.async(port, "fault", kind: "child_stall", ms: 60_000)
      assert GitPort.cancel(request) == {:ok, true}
      assert {:error, %Error{code: :cancelled}} = GitPort.await(request)
      assert GitPort.cancel(request) == {:ok, false}
    end

    test "a caller that dies has its request cancelled", %{port: port} do
      test = self()

      {caller, monitor} =
        spawn_monitor(fn ->
          request =
            GitPort.async(port, "fault", [kind: "child_stall", ms: 60_000], timeout: :infinity)

          send(test, {:sent, request.id})
          GitPort.await(request)
        end)

      assert_receive {:sent, _id}, 5_000
      assert outstanding(port) == 1
      Process.exit(caller, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^caller, :killed}, 5_000
      eventually(fn -> outstanding(port) == 0 end)
    end

    test "a slow request holds nobody up", %{port: port} do
      request = GitPort.async(port, "fault", kind: "stall", ms: 2_000)
      assert GitPort.ping(port) == {:ok, "pong"}
      assert GitPort.await(request) == {:ok, true}
    end
  end
end
