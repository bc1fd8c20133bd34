defmodule GitPort.TelemetryTest do
  # Not async: handlers hear the requests of all tests.
  use GitPort.Case

  alias GitPort.Telemetry

  @events for name <- [:start, :stop, :exception], do: [:gitport, :request, name]

  setup context do
    test = self()

    handler = fn event, measurements, metadata, ^test ->
      send(test, {event, measurements, metadata})
    end

    events = @events ++ [[:gitport, :daemon, :start], [:gitport, :daemon, :exit]]
    :ok = Telemetry.attach(context.test, events, handler, test)
    on_exit(fn -> Telemetry.detach(context.test) end)
    %{port: start_port()}
  end

  test "a request has a start and a stop", %{port: port} do
    assert GitPort.ping(port) == {:ok, "pong"}
    assert_received {[:gitport, :request, :start], %{system_time: _, monotonic_time: _}, start}
    assert start == %{port: port, op: "ping"}
    assert_received {[:gitport, :request, :stop], %{duration: duration, monotonic_time: _}, stop}
    assert stop == %{port: port, op: "ping", result: :ok}
    assert duration > 0
  end

  test "one that fails tells its code", %{port: port} do
    assert {:error, _error} = GitPort.call(port, "head", path: "/no/such/folder")
    assert_received {[:gitport, :request, :stop], _measurements, %{result: :not_found}}
    assert {:error, _error} = GitPort.ping(:nobody)
    assert_received {[:gitport, :request, :stop], _measurements, %{result: :unavailable}}
  end

  test "one that cannot be encoded is an exception", %{port: port} do
    assert_raise ArgumentError, fn -> GitPort.call(port, "head", path: {:no}) end
    assert_received {[:gitport, :request, :start], _, _}
    assert_received {[:gitport, :request, :exception], %{duration: _}, metadata}
    assert %{kind: :error, reason: %ArgumentError{}, stacktrace: [_ | _], op: "head"} = metadata
    refute_received {[:gitport, :request, :stop], _, _}
  end

  test "each of many has its own", %{port: port} do
    GitPort.call_many(port, [{"ping", []}, {"nonsense", []}])
    assert_received {[:gitport, :request, :start], _, %{op: "ping"}}
    assert_received {[:gitport, :request, :start], _, %{op: "nonsense"}}
    assert_received {[:gitport, :request, :stop], _, %{op: "ping", result: :ok}}

    assert_received {[:gitport, :request, :stop], _,
                     %{op: "nonsense", result: :unknown_operation}}
  end

  test "the daemon's coming and going is told", %{port: port} do
    assert_received {[:gitport, :daemon, :start], %{system_time: _},
                     %{port: ^port, os_pid: os_pid}}

    signal(os_pid, :KILL)
    assert_receive {[:gitport, :daemon, :exit], %{duration: _, outstanding: _}, exit}, 5_000
    assert exit == %{port: port, os_pid: os_pid, reason: {:status, 137}}
    assert_receive {[:gitport, :daemon, :start], _, %{port: ^port}}, 5_000
  end

  test "a handler that raises is detached, and the request is unharmed", %{port: port} do
    :ok = Telemetry.attach(:raises, [:gitport, :request, :start], fn _, _, _, _ -> raise "no" end)
    assert GitPort.ping(port) == {:ok, "pong"}
    assert Telemetry.detach(:raises) == {:error, :not_found}
  end

  test "an id is attached once", context do
    attach = fn -> Telemetry.attach(context.test, hd(@events), fn _, _, _, _ -> :ok end) end
    assert attach.() == {:error, :already_exists}
    assert Telemetry.detach(context.test) == :ok
    assert attach.() == :ok
  end

  test "events go to :telemetry where that is loaded", %{port: port} do
    Process.register(self(), :telemetry_test)

    Code.eval_string("""
    defmodule :telemetry do
      def execute(event, _measurements, metadata) do
        send(:telemetry_test, {:outside, event, metadata})
        :ok
      end
    end
    """)

    on_exit(fn ->
      :code.purge(:telemetry)
      :code.delete(:telemetry)
      :code.purge(:telemetry)
    end)

    assert GitPort.ping(port) == {:ok, "pong"}
    assert_received {:outside, [:gitport, :request, :start], %{op: "ping"}}
    assert_received {:outside, [:gitport, :request, :stop], %{op: "ping", result: :ok}}
  end
end
