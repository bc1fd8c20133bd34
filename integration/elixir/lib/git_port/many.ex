defmodule GitPort.Many do
  @moduledoc false
  # Many requests of one process, some of them outstanding at any time.
  #
  # One alias receives all their replies, so that a request costs the owner nothing but to hand
  # its reply on.

  alias GitPort.Client
  alias GitPort.Link
  alias GitPort.Telemetry

  @outstanding_default 64

  @enforce_keys [:port, :link, :reference, :timeout, :deadline, :outstanding_max]
  defstruct [waiting: %{}, results: []] ++ @enforce_keys

  @spec call(GenServer.server(), [{String.t(), Enumerable.t()}], keyword()) ::
          [{:ok, term()} | {:error, GitPort.Error.t()}]
  def call(port, requests, options) do
    timeout = Client.own_timeout!(options)

    # Before anything is sent, so that a request that cannot be encoded leaves nothing behind.
    requests =
      for {{op, arguments}, number} <- Enum.with_index(requests) do
        {number, op, Client.encode!(port, op, arguments, nil)}
      end

    case Link.fetch(port) do
      {:ok, link} -> run(new(port, link, timeout || link.timeout, options), requests)
      {:error, error} -> Enum.map(requests, fn _request -> {:error, error} end)
    end
  end

  defp new(port, link, timeout, options) do
    Link.watch(link)

    %__MODULE__{
      port: port,
      link: link,
      reference: :erlang.alias(),
      timeout: timeout,
      deadline: Client.deadline(timeout),
      outstanding_max: Keyword.get(options, :max_outstanding, @outstanding_default)
    }
  end

  defp run(many, requests) do
    many = step(many, requests, nil)
    many.results |> List.keysort(0) |> Enum.map(&elem(&1, 1))
  after
    # Nothing may arrive any more when the call is over, whether it returns or raises.
    Client.close(many.reference)
  end

  # `busy` is nil, or how long to pause and until when to try if the daemon takes nothing.
  defp step(%{waiting: waiting} = many, [], _busy) when waiting == %{}, do: many

  defp step(%{waiting: waiting} = many, requests, busy)
       when requests != [] and map_size(waiting) < many.outstanding_max do
    if busy == nil and Client.remaining(many.deadline) == 0 do
      many |> all_not_sent(requests, Client.timed_out(many.timeout, false)) |> step([], nil)
    else
      send_one(many, requests, busy)
    end
  end

  defp step(many, requests, _busy), do: receive_one(many, requests)

  defp send_one(many, [{_number, _op, body} = request | others] = requests, busy) do
    case Client.attempt(many.link, many.reference, body, many.deadline) do
      {:ok, id} -> many |> sent(id, request) |> step(others, nil)
      {:error, error} -> many |> not_sent(request, error) |> step(others, nil)
      :gone -> await_daemon(many, requests)
      why when many.waiting == %{} -> pause(many, requests, why, busy)
      _busy -> receive_one(many, requests)
    end
  end

  defp receive_one(%{reference: reference} = many, requests) do
    receive do
      {^reference, id, reply} ->
        many |> answered(id, Client.result(reply)) |> step(requests, nil)
    after
      Client.wait_ms(many.deadline) ->
        give_up(many, requests)
    end
  end

  defp await_daemon(many, requests) do
    case Client.daemon_after(many.link, Client.busy_deadline(many.deadline)) do
      {:ok, link} -> step(%{many | link: link}, requests, nil)
      {:error, error} -> many |> all_not_sent(requests, error) |> step([], nil)
    end
  end

  defp pause(many, requests, why, nil) do
    pause(many, requests, why, {1, Client.busy_deadline(many.deadline)})
  end

  defp pause(many, requests, why, {pause_ms, deadline}) do
    case Client.pause(why, pause_ms, deadline) do
      :ok -> step(many, requests, {pause_ms * 2, deadline})
      {:error, error} -> all_not_sent(many, requests, error)
    end
  end

  defp give_up(many, requests) do
    many = all_not_sent(many, requests, Client.timed_out(many.timeout, false))

    Enum.reduce(many.waiting, many, fn {id, _request}, many ->
      Client.cancel_waiting(many.link, id)
      answered(many, id, {:error, Client.timed_out(many.timeout, true)})
    end)
  end

  defp sent(many, id, {number, op, _body}) do
    started = Telemetry.request_started(many.port, op)
    %{many | waiting: Map.put(many.waiting, id, {number, op, started})}
  end

  defp answered(many, id, result) do
    {{number, op, started}, waiting} = Map.pop!(many.waiting, id)
    Telemetry.request_stopped(started, many.port, op, result)
    %{many | waiting: waiting, results: [{number, result} | many.results]}
  end

  defp all_not_sent(many, requests, error) do
    Enum.reduce(requests, many, &not_sent(&2, &1, error))
  end

  defp not_sent(many, {number, op, _body}, error) do
    started = Telemetry.request_started(many.port, op)
    Telemetry.request_stopped(started, many.port, op, {:error, error})
    %{many | results: [{number, {:error, error}} | many.results]}
  end
end
