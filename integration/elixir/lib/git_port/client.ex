defmodule GitPort.Client do
  @moduledoc false
  # A request as the calling process sees it: encode, send, wait, decode.
  #
  # Everything that costs time is done here, in as many processes as there are callers. The owner
  # of the port only hands replies on, undecoded.

  alias GitPort.Codec
  alias GitPort.Error
  alias GitPort.Link
  alias GitPort.Request
  alias GitPort.Telemetry

  @network_operations ["sync", "lsremote", "push"]
  @timeout_ms_max 86_400_000

  # The daemon watches the time as well. Its own answer is the better one, as nothing is left
  # running after it, so it gets a moment more.
  @grace_ms 100

  # How long a caller with an unlimited timeout tries to get rid of its request.
  @busy_ms_max 60_000
  @pause_ms_max 20

  @type body :: {pairs :: non_neg_integer(), binary()}

  @spec async(GenServer.server(), String.t(), Enumerable.t(), keyword()) :: Request.t()
  def async(port, op, arguments, options) do
    own_timeout = own_timeout!(options)
    started = Telemetry.request_started(port, op)
    body = encode!(port, op, arguments, started)
    # A request cannot remember by itself that it was awaited, as it is a value.
    awaited = :atomics.new(1, [])
    request = %Request{op: op, port: port, started: started, caller: self(), awaited: awaited}

    case Link.fetch(port) do
      {:ok, link} ->
        timeout = own_timeout || timeout(link, op)
        request = %Request{request | link: link, timeout: timeout, deadline: deadline(timeout)}
        deliver(request, body)

      {:error, error} ->
        failed(request, error)
    end
  end

  @doc """
  Sends a request of which events come to the calling process, and its end as a message.

  The owner of the port takes the reply, as nobody awaits it.
  """
  @spec follow(GenServer.server(), String.t(), Enumerable.t(), timeout()) ::
          {:ok, integer()} | {:error, Error.t()}
  def follow(port, op, arguments, timeout) do
    deadline = deadline(timeout!(timeout))
    body = encode!(port, op, arguments, nil)

    with {:ok, link} <- Link.fetch(port) do
      reference = {:owner, {:follower, self()}}
      request = %Request{op: op, port: port, reference: reference, deadline: deadline}
      Link.watch(link)

      link
      |> attempt(reference, body, deadline)
      |> again(request, link, body, {1, busy_deadline(deadline)})
    end
  end

  @spec await(Request.t(), timeout()) :: {:ok, term()} | {:error, Error.t()}
  def await(%Request{} = request, timeout) do
    timeout!(timeout)

    if request.caller != self() do
      raise ArgumentError, "only the process that sent #{inspect(request)} can await it"
    end

    if :atomics.exchange(request.awaited, 1, 1) == 1 do
      raise ArgumentError, "#{inspect(request)} has been awaited before"
    end

    if request.failed, do: {:error, request.failed}, else: await_reply(request, timeout)
  end

  defp await_reply(%Request{id: id, reference: reference} = request, timeout) do
    deadline = if timeout == :infinity, do: request.deadline, else: earlier(request, timeout)

    result =
      receive do
        {^reference, ^id, reply} -> result(reply)
      after
        wait_ms(deadline) -> give_up(request, timeout)
      end

    Telemetry.request_stopped(request.started, request.port, request.op, result)
    result
  end

  @doc "Encodes what does not change when a request is sent again."
  @spec encode!(GenServer.server(), String.t(), Enumerable.t(), integer() | nil) :: body()
  def encode!(port, op, arguments, started) do
    Codec.encode_arguments!(op, arguments)
  rescue
    exception ->
      Telemetry.request_raised(started, port, op, exception, __STACKTRACE__)
      reraise exception, __STACKTRACE__
  end

  @doc """
  Tries once to send a request whose reply goes to `reference`.

  `:full` and `:busy` are worth another attempt later, `:gone` one after `daemon_after/2`.
  """
  @spec attempt(Link.t(), Link.recipient(), body(), integer() | :infinity) ::
          {:ok, integer()} | :full | :busy | :gone | {:error, Error.t()}
  def attempt(link, reference, {pairs, body}, deadline) do
    with {:ok, id} <- Link.enter(link, reference, self(), link.outstanding_max) do
      head = head(id, remaining(deadline), pairs)
      bytes = byte_size(head) + byte_size(body)
      limit = link.request_bytes_max
      sent = if bytes > limit, do: :too_large, else: Link.command(link, [head, body])

      cond do
        sent == :ok -> {:ok, id}
        # Whoever else has taken the entry has also answered it.
        Link.leave(link, id) == nil -> {:ok, id}
        sent == :too_large -> {:error, too_large(bytes, limit)}
        true -> sent
      end
    end
  end

  @doc "The link to the daemon that comes after the one of `link`, which is gone."
  @spec daemon_after(Link.t(), integer() | :infinity) :: {:ok, Link.t()} | {:error, Error.t()}
  def daemon_after(link, deadline) do
    GenServer.call(link.owner, {:daemon_after, link.port}, remaining(deadline))
  catch
    :exit, {:timeout, _call} ->
      {:error, Link.not_sent("the daemon has exited and is not back yet")}

    :exit, _reason ->
      {:error, Link.ended(false)}
  end

  @doc "Has the owner carry out what concerns all callers."
  @spec owner_call(GenServer.server(), term(), timeout() | nil) ::
          {:ok, term()} | {:error, Error.t()}
  def owner_call(port, message, timeout) do
    with {:ok, link} <- Link.fetch(port) do
      timeout = timeout!(timeout || link.timeout)
      deadline = deadline(timeout)

      with {:ok, link} <- if(link.port, do: {:ok, link}, else: daemon_after(link, deadline)) do
        try do
          GenServer.call(link.owner, message, wait_ms(deadline))
        catch
          :exit, {:timeout, _call} -> {:error, timed_out(timeout, true)}
          :exit, _reason -> {:error, Link.ended(true)}
        end
      end
    end
  end

  @doc "Waits a little before the next attempt; an error if there should be none."
  @spec pause(:full | :busy, pos_integer(), integer()) :: :ok | {:error, Error.t()}
  def pause(why, milliseconds, deadline) do
    case remaining(deadline) do
      0 -> {:error, busy(why)}
      left -> left |> min(milliseconds) |> min(@pause_ms_max) |> Process.sleep()
    end
  end

  @spec result(binary() | Error.t()) :: {:ok, term()} | {:error, Error.t()}
  def result(%Error{} = error), do: {:error, error}

  def result(frame) do
    case Codec.decode(frame) do
      {:ok, %{"ok" => value}} -> {:ok, value}
      {:ok, %{"err" => _message} = reply} -> {:error, Error.from_reply(reply)}
      {:ok, _other} -> {:error, Error.new(:internal, "the reply has neither ok nor err")}
      {:error, reason} -> {:error, Error.new(:internal, "the reply does not decode: #{reason}")}
    end
  end

  @spec cancel_waiting(Link.t(), integer()) :: :ok
  def cancel_waiting(link, id) do
    if Link.waiting?(link, id), do: send(link.owner, {:cancel, id})
    :ok
  end

  @spec deadline(timeout()) :: integer() | :infinity
  def deadline(:infinity), do: :infinity
  def deadline(timeout), do: now() + timeout

  @doc "The timeout among the options of a call, nil if there is none."
  @spec own_timeout!(keyword()) :: timeout() | nil
  def own_timeout!(options) do
    case Keyword.fetch(options, :timeout) do
      {:ok, timeout} -> timeout!(timeout)
      :error -> nil
    end
  end

  @spec timeout!(term()) :: timeout()
  def timeout!(:infinity), do: :infinity
  def timeout!(timeout) when is_integer(timeout) and timeout >= 0, do: timeout

  def timeout!(other) do
    raise ArgumentError,
          "a timeout is a number of milliseconds or :infinity, not #{inspect(other)}"
  end

  @spec remaining(integer() | :infinity) :: timeout()
  def remaining(:infinity), do: :infinity
  def remaining(deadline), do: max(deadline - now(), 0)

  @spec wait_ms(integer() | :infinity) :: timeout()
  def wait_ms(:infinity), do: :infinity
  def wait_ms(deadline), do: remaining(deadline) + @grace_ms

  @doc "Until when to try to send a request that may wait until `deadline`."
  @spec busy_deadline(integer() | :infinity) :: integer()
  def busy_deadline(deadline), do: min(deadline, now() + @busy_ms_max)

  @spec timed_out(timeout(), boolean()) :: Error.t()
  def timed_out(timeout, sent) do
    Error.new(:timeout, "no reply within #{timeout} ms", %{"sent" => sent})
  end

  @doc "Makes sure that nothing arrives any more for `reference`."
  @spec close(reference()) :: :ok
  def close(reference) do
    :erlang.unalias(reference)
    flush(reference)
  end

  defp timeout(link, op) when op in @network_operations, do: link.network_timeout
  defp timeout(link, _op), do: link.timeout

  defp earlier(request, timeout), do: min(request.deadline, deadline(timeout))

  defp deliver(request, body) do
    Link.watch(request.link)
    reference = :erlang.alias([:reply])
    request = %Request{request | reference: reference}

    case attempt(request.link, reference, body, request.deadline) do
      {:ok, id} ->
        %Request{request | id: id}

      refused ->
        busy_deadline = busy_deadline(request.deadline)

        case again(refused, request, request.link, body, {1, busy_deadline}) do
          {:ok, id} ->
            %Request{request | id: id}

          {:error, error} ->
            close(reference)
            failed(request, error)
        end
    end
  end

  defp again(:gone, request, link, body, {_pause_ms, busy_deadline} = busy) do
    with {:ok, link} <- daemon_after(link, busy_deadline) do
      link
      |> attempt(request.reference, body, request.deadline)
      |> again(request, link, body, busy)
    end
  end

  defp again(why, request, link, body, {pause_ms, busy_deadline}) when why in [:full, :busy] do
    with :ok <- pause(why, pause_ms, busy_deadline) do
      link
      |> attempt(request.reference, body, request.deadline)
      |> again(request, link, body, {pause_ms * 2, busy_deadline})
    end
  end

  defp again(done, _request, _link, _body, _busy), do: done

  defp failed(request, error) do
    Telemetry.request_stopped(request.started, request.port, request.op, {:error, error})
    %Request{request | failed: error}
  end

  defp give_up(%Request{id: id, reference: reference} = request, timeout) do
    :erlang.unalias(reference)

    # A reply that came in the meantime is as good as one in time, and must not stay behind.
    receive do
      {^reference, ^id, reply} -> result(reply)
    after
      0 ->
        cancel_waiting(request.link, id)
        {:error, timed_out(min(timeout, request.timeout), true)}
    end
  end

  defp flush(reference) do
    receive do
      {^reference, _id, _reply} -> flush(reference)
    after
      0 -> :ok
    end
  end

  defp head(id, :infinity, pairs), do: Codec.request_head(id, pairs)

  defp head(id, remaining, pairs) do
    Codec.request_head(id, remaining |> max(1) |> min(@timeout_ms_max), pairs)
  end

  defp too_large(bytes, limit) do
    message = "the request has #{bytes} bytes, the daemon takes at most #{limit}"
    Error.new(:too_large, message, %{"bytes" => bytes, "limit" => limit, "sent" => false})
  end

  defp busy(:busy) do
    Error.new(:busy, "the daemon does not read its requests", %{"sent" => false})
  end

  defp busy(:full) do
    Error.new(:busy, "too many requests are outstanding", %{"sent" => false})
  end

  defp now, do: System.monotonic_time(:millisecond)
end
