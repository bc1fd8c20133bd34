defmodule GitPort.EventsTest do
  use GitPort.Case, async: true

  @moduletag :tmp_dir

  setup %{tmp_dir: folder} do
    %{port: start_port(), remote: repository(Path.join(folder, "remote")), tmp_dir: folder}
  end

  defp sync(%{port: port, remote: remote, tmp_dir: folder}, name) do
    options = [url: remote, branch: "main", path: Path.join(folder, name)]
    request = GitPort.async(port, "sync", options)
    assert {:ok, _commit} = GitPort.await(request)
    request.id
  end

  defp subscriber(port) do
    test = self()

    Task.async(fn ->
      assert {:ok, _events} = GitPort.subscribe(port, [:progress])
      send(test, :subscribed)

      receive do
        {:gitport_event, ^port, event} -> event
      end
    end)
  end

  test "every subscriber gets the events, nobody else does", %{port: port} = context do
    subscribers = for _subscriber <- 1..3, do: subscriber(port)
    for _subscriber <- subscribers, do: assert_receive(:subscribed, 5_000)
    id = sync(context, "clone")

    for event <- Task.await_many(subscribers, 20_000) do
      assert %{"event" => "progress", "op" => "sync", "request" => ^id, "stage" => _} = event
    end

    assert mailbox() == []
  end

  test "a subscription ends when it is told to, or its process does", %{port: port} = context do
    {:ok, %{"events" => ["progress"]}} = GitPort.subscribe(port, [:progress])
    other = subscriber(port)
    assert_receive :subscribed, 5_000
    assert {:ok, _events} = GitPort.unsubscribe(port)
    sync(context, "clone")
    Task.await(other, 20_000)
    assert mailbox() == []
    eventually(fn -> :sys.get_state(port).subscribers == %{} end)
  end

  test "a kind that the daemon does not know is refused and changes nothing", context do
    port = context.port
    assert {:ok, _events} = GitPort.subscribe(port, ["progress"])
    assert {:error, %Error{code: :bad_request}} = GitPort.subscribe(port, [:no_such_kind])
    sync(context, "clone")
    assert_receive {:gitport_event, ^port, %{"event" => "progress"}}, 5_000
  end

  test "a subscription outlives the daemon", %{port: port} = context do
    assert {:ok, _events} = GitPort.subscribe(port, [:progress])
    signal(os_pid(port), :KILL)
    eventually(fn -> GitPort.ping(port) == {:ok, "pong"} end)
    eventually(fn -> outstanding(port) == 0 end)
    sync(context, "clone")
    assert_receive {:gitport_event, ^port, %{"event" => "progress"}}, 5_000
  end
end
