defmodule GitPort.Telemetry do
  @moduledoc """
  Hooks in the shape of `:telemetry`, without depending on it.

  Handlers attached here get the events below; if `:telemetry` is loaded, it gets them too, so
  that handlers attached there work as well.

  | event | measurements | metadata |
  | --- | --- | --- |
  | `[:gitport, :request, :start]` | `system_time`, `monotonic_time` | `port`, `op` |
  | `[:gitport, :request, :stop]` | `duration`, `monotonic_time` | `port`, `op`, `result` |
  | `[:gitport, :request, :exception]` | `duration`, `monotonic_time` | `port`, `op`, `kind`, `reason`, `stacktrace` |
  | `[:gitport, :daemon, :start]` | `system_time` | `port`, `os_pid` |
  | `[:gitport, :daemon, :exit]` | `duration`, `outstanding` | `port`, `os_pid`, `reason` |

  `result` is `:ok` or the code of the error. Times are in native units. Every request that has a
  `start` has one `stop` or one `exception`; the latter tells that it could not be encoded. What a
  request was asked is in no event, as it may hold credentials.
  """

  use GenServer

  require Logger

  @type event :: [atom()]
  @type handler :: (event(), measurements :: map(), metadata :: map(), config :: term() -> any())

  @doc """
  Calls `fun` with every event named in `events`, in the process in which it happens.

  `events` is one event or a list of events. A handler that raises is detached.
  """
  @spec attach(term(), event() | [event()], handler(), term()) :: :ok | {:error, :already_exists}
  def attach(id, events, fun, config \\ nil) when is_function(fun, 4) do
    events = if is_list(List.first(events)), do: events, else: [events]
    GenServer.call(__MODULE__, {:attach, id, Enum.uniq(events), fun, config})
  end

  @doc "Removes the handler."
  @spec detach(term()) :: :ok | {:error, :not_found}
  def detach(id), do: GenServer.call(__MODULE__, {:detach, id})

  @doc false
  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_argument), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc false
  # The time a request starts, or nil if nobody listens: most programs have no handler, and then
  # a request should not pay for one.
  @spec request_started(GenServer.server(), String.t()) :: integer() | nil
  def request_started(port, op) do
    if listening?() do
      monotonic_time = System.monotonic_time()
      measurements = %{system_time: System.system_time(), monotonic_time: monotonic_time}
      execute([:gitport, :request, :start], measurements, %{port: port, op: op})
      monotonic_time
    end
  end

  @doc false
  @spec request_stopped(
          integer() | nil,
          GenServer.server(),
          String.t(),
          {:ok, term()} | {:error, GitPort.Error.t()}
        ) :: :ok
  def request_stopped(nil, _port, _op, _result), do: :ok

  def request_stopped(started, port, op, result) do
    metadata = %{port: port, op: op, result: outcome(result)}
    execute([:gitport, :request, :stop], since(started), metadata)
  end

  @doc false
  @spec request_raised(
          integer() | nil,
          GenServer.server(),
          String.t(),
          Exception.t(),
          Exception.stacktrace()
        ) :: :ok
  def request_raised(nil, _port, _op, _exception, _stacktrace), do: :ok

  def request_raised(started, port, op, exception, stacktrace) do
    metadata = %{port: port, op: op, kind: :error, reason: exception, stacktrace: stacktrace}
    execute([:gitport, :request, :exception], since(started), metadata)
  end

  @doc false
  @spec execute(event(), map(), map()) :: :ok
  def execute(event, measurements, metadata) do
    for {_event, id, fun, config} <- handlers(event) do
      try do
        fun.(event, measurements, metadata, config)
      catch
        kind, reason ->
          detach(id)
          problem = Exception.format(kind, reason, __STACKTRACE__)
          Logger.error("telemetry handler #{inspect(id)} has failed and is detached: #{problem}")
      end
    end

    # By apply, as the module is there only in programs that depend on it.
    if outside?(), do: apply(:telemetry, :execute, [event, measurements, metadata])
    :ok
  end

  @impl true
  def init(nil) do
    :ets.new(__MODULE__, [:named_table, :bag, :protected, read_concurrency: true])
    note_whether_attached()
    {:ok, nil}
  end

  @impl true
  def handle_call({:attach, id, events, fun, config}, _from, state) do
    if :ets.match(__MODULE__, {:_, id, :_, :_}) == [] do
      :ets.insert(__MODULE__, for(event <- events, do: {event, id, fun, config}))
      note_whether_attached()
      {:reply, :ok, state}
    else
      {:reply, {:error, :already_exists}, state}
    end
  end

  def handle_call({:detach, id}, _from, state) do
    found = :ets.match(__MODULE__, {:_, id, :_, :_}) != []
    :ets.match_delete(__MODULE__, {:_, id, :_, :_})
    note_whether_attached()
    {:reply, if(found, do: :ok, else: {:error, :not_found}), state}
  end

  defp listening?, do: :persistent_term.get(__MODULE__, false) or outside?()

  # Every request looks at this, so it has to be cheaper than a table.
  defp note_whether_attached do
    :persistent_term.put(__MODULE__, :ets.info(__MODULE__, :size) > 0)
  end

  defp outside?, do: :erlang.function_exported(:telemetry, :execute, 3)

  defp handlers(event), do: :ets.lookup(__MODULE__, event)

  defp outcome({:ok, _value}), do: :ok
  defp outcome({:error, %GitPort.Error{code: code}}), do: code

  defp since(started) do
    now = System.monotonic_time()
    %{duration: now - started, monotonic_time: now}
  end
end
