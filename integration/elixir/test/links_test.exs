defmodule GitPort.LinksTest do
  # Not async: what is killed here serves all ports.
  use GitPort.Case

  test "without the heir of its callers a port ends, and tells them before" do
    port = start_port(name: __MODULE__)
    os_pid = os_pid(port)
    stop(os_pid)
    caller = Task.async(fn -> GitPort.ping(port, timeout: :infinity) end)
    eventually(fn -> outstanding(port) == 1 end)
    Process.exit(Process.whereis(GitPort.Links), :kill)
    assert {:error, %Error{code: :unavailable}} = Task.await(caller, 20_000)
    signal(os_pid, :CONT)
    eventually(fn -> GitPort.ping(__MODULE__) == {:ok, "pong"} end)
    eventually(fn -> not alive?(os_pid) end)
  end

  test "nothing is kept of a port that has ended" do
    port = start_port()
    assert [{^port, _link}] = :ets.lookup(GitPort.Links, port)
    {:ok, link} = GitPort.Link.fetch(port)
    Process.exit(port, :kill)
    eventually(fn -> :ets.lookup(GitPort.Links, port) == [] end)
    eventually(fn -> :ets.info(link.requests) == :undefined end)
  end
end
