defmodule GitPort.Server do
  @moduledoc false
  # Owns the daemon: starts it, routes what it writes to whoever asked, and starts it again.
  #
  # Requests do not pass through here, only their replies do, undecoded. When the daemon exits,
  # every request that waits is answered before anything else happens.

  use GenServer

  alias GitPort.Client
  alias GitPort.Codec
  alias GitPort.Daemon
  alias GitPort.Link
  alias GitPort.Links
  alias GitPort.Options
  alias GitPort.Telemetry

  require Logger

  # What the daemon takes unless told otherwise; its `hello` says what it really is.
  @request_bytes_max 16 * 1024 * 1024

  @retry_ms 20

  # 4 MiB of replies handed on.
  @vheap_words 512 * 1024

  # How long the daemon may take to exit after its last reply.
  @exit_ms 5_000

  @enforce_keys [:options, :link, :links]
  defstruct [
    :options,
    :link,
    :links,
    :os_pid,
    :started,
    :closing,
    awaiting: [],
    exits: [],
    subscribers: %{},
    unsent: []
  ]

  @spec start_link(Options.t()) :: GenServer.on_start()
  def start_link(%Options{name: name} = options) do
    # Replies only pass through; with the usual size there would be a collection every few.
    spawn = [spawn_opt: [min_bin_vheap_size: @vheap_words]]
    GenServer.start_link(__MODULE__, options, if(name, do: [{:name, name} | spawn], else: spawn))
  end

  @impl true
  def init(options) do
    # The daemon is told to finish when the supervisor ends this process.
    Process.flag(:trap_exit, true)

    # Each message delays every caller, so the owner must not wait behind them.
    Process.flag(:priority, :high)

    link =
      Link.create(
        outstanding_max: options.max_outstanding,
        request_bytes_max: @request_bytes_max,
        timeout: options.timeout,
        network_timeout: options.network_timeout
      )

    state = %__MODULE__{options: options, link: link, links: Process.monitor(Links)}

    case start_daemon(state) do
      {:ok, state} -> {:ok, state}
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_call({:daemon_after, gone}, from, %{link: %{port: port}} = state) do
    if port in [nil, gone] do
      {:noreply, %{state | awaiting: [from | state.awaiting]}}
    else
      {:reply, {:ok, state.link}, state}
    end
  end

  def handle_call({:subscribe, _pid, _kinds}, _from, %{link: %{port: nil}} = state) do
    {:reply, {:error, Link.not_sent("the daemon has exited")}, state}
  end

  def handle_call({:subscribe, pid, kinds}, from, state) do
    if :ets.insert_new(state.link.callers, {pid}), do: Process.monitor(pid)
    earlier = Map.get(state.subscribers, pid, [])
    state = %{state | subscribers: put_subscriber(state, pid, kinds)}
    {:noreply, send_subscription(state, {:subscribe, pid, earlier, from})}
  end

  def handle_call({:shutdown, arguments}, from, %{link: %{port: port}, closing: nil} = state)
      when is_port(port) do
    {:noreply, control(%{state | closing: {from, nil}}, "shutdown", arguments, :shutdown)}
  end

  def handle_call({:shutdown, _arguments}, _from, state) do
    {:reply, {:error, Link.not_sent("the daemon is shutting down or has exited")}, state}
  end

  @impl true
  def handle_info({port, {:data, frame}}, %{link: %{port: port}} = state) do
    {:noreply, route(frame, state)}
  end

  def handle_info({:watch, pid}, state) do
    Process.monitor(pid)
    {:noreply, state}
  end

  def handle_info({:cancel, id}, state), do: {:noreply, cancel(state, id)}

  # Without the heir of its table, a port could die and leave its callers waiting.
  def handle_info({:DOWN, links, :process, _object, _reason}, %{links: links} = state) do
    {:stop, :links_lost, state}
  end

  def handle_info({:DOWN, _monitor, :process, pid, _reason}, state) do
    :ets.delete(state.link.callers, pid)
    state = Enum.reduce(Link.ids_of(state.link, pid), state, &cancel(&2, &1))
    wanted = wanted(state)
    state = %{state | subscribers: put_subscriber(state, pid, [])}
    {:noreply, renew_subscription(state, wanted)}
  end

  def handle_info({port, {:exit_status, status}}, %{link: %{port: port}} = state) do
    daemon_exited(state, {:status, status})
  end

  # Writing to a daemon that has just died closes the port before its status is known.
  def handle_info({:EXIT, port, reason}, %{link: %{port: port}} = state) do
    daemon_exited(state, {:closed, reason})
  end

  def handle_info({:refused, error}, state), do: {:stop, error, state}

  def handle_info(:restart, state) do
    case start_daemon(state) do
      {:ok, state} -> {:noreply, state}
      {:error, error} -> restart(state, {:not_started, error.message})
    end
  end

  def handle_info(:overdue, state) do
    if state.link.port, do: Daemon.kill(state.link.port, state.os_pid)
    {:noreply, state}
  end

  def handle_info(:send_unsent, state) do
    {:noreply, Enum.reduce(Enum.reverse(state.unsent), %{state | unsent: []}, &command(&2, &1))}
  end

  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(reason, %{link: link} = state) do
    # From here on nobody sends anything new, and after the port is closed nobody can.
    Links.put(%{link | port: nil})
    if link.port != nil and orderly?(reason), do: finish(state)
    Daemon.close(link.port)
    Link.answer_all(link, Link.ended(true))
  end

  defp orderly?(:normal), do: true
  defp orderly?(:shutdown), do: true
  defp orderly?({:shutdown, _why}), do: true
  defp orderly?(_crash), do: false

  defp start_daemon(state) do
    with {:ok, port, os_pid} <- Daemon.start(state.options) do
      measurements = %{system_time: System.system_time()}
      metadata = %{port: self(), os_pid: os_pid}
      Telemetry.execute([:gitport, :daemon, :start], measurements, metadata)

      link = Links.put(%{state.link | port: port, request_bytes_max: @request_bytes_max})
      for from <- state.awaiting, do: GenServer.reply(from, {:ok, link})
      started = System.monotonic_time()
      state = %{state | link: link, os_pid: os_pid, awaiting: [], started: started}
      state = control(state, "hello", %{"protocol" => 1, "client" => "elixir"}, :hello)
      {:ok, renew_subscription(state, MapSet.new())}
    end
  end

  defp route(frame, state) do
    case Codec.reply_id(frame) do
      {:ok, id} -> route(id, frame, state)
      :none -> without_id(frame, state)
      {:error, reason} -> ignore("a frame of the daemon does not decode: #{reason}", state)
    end
  end

  defp route(id, frame, state) do
    case Link.leave(state.link, id) do
      nil ->
        state

      {:owner, {:follower, pid}} ->
        {:error, error} = Client.result(frame)
        Link.ended(state.link, pid, id, error)
        state

      {:owner, purpose} ->
        answered(purpose, Client.result(frame), state)

      recipient ->
        send(recipient, {recipient, id, frame})
        state
    end
  end

  defp without_id(frame, state) do
    case Codec.decode(frame) do
      {:ok, %{"event" => "tasks", "request" => id} = event} ->
        pid = Link.pid_of(state.link, id)
        if pid, do: send(pid, {:gitport_event, self(), event})
        state

      {:ok, %{"event" => kind} = event} ->
        for {pid, kinds} <- state.subscribers, kind in kinds do
          send(pid, {:gitport_event, self(), event})
        end

        state

      {:ok, %{"err" => message}} ->
        ignore("the daemon could not go on reading: #{message}", state)

      _other ->
        ignore("the daemon sent a frame that is neither reply nor event", state)
    end
  end

  defp ignore(message, state) do
    Logger.warning("gitport: #{message}")
    state
  end

  defp answered(:hello, {:ok, %{"limits" => %{} = limits}}, state) do
    link = %{
      state.link
      | request_bytes_max: Map.get(limits, "request_bytes", @request_bytes_max),
        outstanding_max: min(state.options.max_outstanding, Map.get(limits, "waiting", :infinity))
    }

    %{state | link: Links.put(link)}
  end

  defp answered(:hello, {:ok, _other}, state), do: ignore("the daemon tells no limits", state)

  defp answered(:hello, {:error, error}, state) do
    send(self(), {:refused, error})
    state
  end

  defp answered({:subscribe, _pid, _earlier, from}, {:ok, value}, state) do
    GenServer.reply(from, {:ok, value})
    state
  end

  defp answered({:subscribe, pid, earlier, from}, {:error, error}, state) do
    GenServer.reply(from, {:error, error})
    %{state | subscribers: put_subscriber(state, pid, earlier)}
  end

  defp answered(:ignored, _result, state), do: state
  defp answered(:renewal, {:ok, _value}, state), do: state

  defp answered(:renewal, {:error, error}, state) do
    ignore("the daemon refused the subscription: #{Exception.message(error)}", state)
  end

  defp answered(:shutdown, result, %{closing: {from, _result}} = state) do
    Process.send_after(self(), :overdue, @exit_ms)
    %{state | closing: {from, result}}
  end

  defp daemon_exited(state, reason) do
    duration = System.monotonic_time() - state.started
    outstanding = Link.all_ids(state.link)
    link = Links.put(%{state.link | port: nil})
    state = %{state | link: link, unsent: []}
    error = Daemon.exit_error(reason)
    state = Enum.reduce(outstanding, state, &answer_lost(&2, &1, error))

    measurements = %{duration: duration, outstanding: length(outstanding)}
    metadata = %{port: self(), os_pid: state.os_pid, reason: reason}
    Telemetry.execute([:gitport, :daemon, :exit], measurements, metadata)

    case state.closing do
      nil -> restart(state, reason)
      {from, result} -> closed(state, from, result || {:error, error})
    end
  end

  defp answer_lost(state, id, error) do
    case Link.leave(state.link, id) do
      nil ->
        state

      {:owner, purpose} when purpose in [:hello, :renewal] ->
        state

      {:owner, {:follower, pid}} ->
        Link.ended(state.link, pid, id, error)
        state

      {:owner, purpose} ->
        answered(purpose, {:error, error}, state)

      recipient ->
        send(recipient, {recipient, id, error})
        state
    end
  end

  defp restart(%{options: options} = state, reason) do
    now = System.monotonic_time(:millisecond)
    recent = Enum.filter(state.exits, &(now - &1 < options.max_seconds * 1000))
    state = %{state | exits: [now | recent]}

    if length(recent) < options.max_restarts do
      delay = min(options.backoff_ms * 2 ** length(recent), options.backoff_ms_max)
      Logger.warning("gitport: the daemon exited (#{inspect(reason)}), again in #{delay} ms")
      Process.send_after(self(), :restart, delay)
      {:noreply, state}
    else
      {:stop, {:daemon_exits_too_often, reason}, state}
    end
  end

  defp closed(state, from, result) do
    GenServer.reply(from, result)
    {:stop, :normal, state}
  end

  defp put_subscriber(state, pid, []), do: Map.delete(state.subscribers, pid)
  defp put_subscriber(state, pid, kinds), do: Map.put(state.subscribers, pid, kinds)

  # The daemon knows one list for all subscribers, and needs to hear only when it changes.
  defp renew_subscription(state, known) do
    if wanted(state) == known or state.link.port == nil,
      do: state,
      else: send_subscription(state, :renewal)
  end

  defp send_subscription(state, purpose) do
    control(state, "subscribe", %{"events" => Enum.sort(wanted(state))}, purpose)
  end

  defp wanted(state), do: state.subscribers |> Map.values() |> Enum.concat() |> MapSet.new()

  defp cancel(state, id) do
    if state.link.port != nil and Link.waiting?(state.link, id),
      do: control(state, "cancel", %{"request" => id}, :ignored),
      else: state
  end

  # The owner's own requests are few and have to get through, so no limit holds for them.
  defp control(state, op, arguments, purpose) do
    {:ok, id} = Link.enter(state.link, {:owner, purpose}, nil, :infinity)
    {pairs, body} = Codec.encode_arguments!(op, arguments)
    command(state, [Codec.request_head(id, pairs), body])
  end

  defp command(%{unsent: unsent} = state, frame) do
    case Link.command(state.link, frame) do
      :busy ->
        if unsent == [], do: Process.send_after(self(), :send_unsent, @retry_ms)
        %{state | unsent: [frame | unsent]}

      _sent_or_gone ->
        state
    end
  end

  # The end of its input would do as well, but then nobody would be there to take the replies.
  defp finish(%{options: options, link: link} = state) do
    state = control(state, "shutdown", %{"grace_ms" => options.grace_ms}, :ignored)
    deadline = System.monotonic_time(:millisecond) + options.grace_ms + 500
    ended = finish(state, link.port, deadline)
    if ended == :timeout, do: Daemon.kill(link.port, state.os_pid)
  end

  defp finish(state, port, deadline) do
    receive do
      {^port, {:data, frame}} -> frame |> route(state) |> finish(port, deadline)
      {^port, {:exit_status, _status}} -> :ok
      {:EXIT, ^port, _reason} -> :ok
    after
      max(deadline - System.monotonic_time(:millisecond), 0) -> :timeout
    end
  end
end
