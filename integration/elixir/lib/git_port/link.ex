defmodule GitPort.Link do
  @moduledoc false
  # What a calling process must know of a port to send a request by itself.
  #
  # The owner publishes it, and again whenever its daemon has come or gone. Requests wait in
  # `requests` as `{id, recipient, pid}` from before they are sent until their reply has come:
  # who takes the entry out, and nobody else, answers the recipient and frees the slot.
  #
  # The tables end with the owner, at any moment of a caller; then its daemon is gone as well.

  alias GitPort.Error
  alias GitPort.Links

  @outstanding 1
  @last_id 2

  @enforce_keys [:owner, :requests, :callers, :counters, :outstanding_max, :request_bytes_max]
  defstruct [:port, :timeout, :network_timeout | @enforce_keys]

  @type t :: %__MODULE__{
          owner: pid(),
          port: port() | nil,
          requests: :ets.tid(),
          callers: :ets.tid(),
          counters: :atomics.atomics_ref(),
          outstanding_max: pos_integer(),
          request_bytes_max: pos_integer(),
          timeout: timeout(),
          network_timeout: timeout()
        }

  @typedoc "Who is answered: a process by its alias, or the owner itself."
  @type recipient :: reference() | {:owner, term()}

  @doc "A link with empty tables, whose owner is the calling process."
  @spec create(keyword()) :: t()
  def create(fields) do
    tables = [:public, write_concurrency: true]
    heir = {:heir, Process.whereis(Links), nil}

    struct!(__MODULE__, [
      {:owner, self()},
      {:requests, :ets.new(:requests, [heir | tables])},
      {:callers, :ets.new(:callers, [{:read_concurrency, true} | tables])},
      {:counters, :atomics.new(2, signed: true)} | fields
    ])
    |> Links.put()
  end

  @spec fetch(GenServer.server()) :: {:ok, t()} | {:error, Error.t()}
  def fetch(server) do
    with owner when is_pid(owner) <- GenServer.whereis(server),
         %__MODULE__{} = link <- Links.get(owner) do
      {:ok, link}
    else
      _nobody -> {:error, not_sent("no port is running as #{inspect(server)}")}
    end
  end

  @doc "Enters a new request that will wait."
  @spec enter(t(), recipient(), pid() | nil, pos_integer() | :infinity) ::
          {:ok, integer()} | :full | :gone
  def enter(link, recipient, pid, outstanding_max) do
    if :atomics.add_get(link.counters, @outstanding, 1) > outstanding_max do
      :atomics.sub(link.counters, @outstanding, 1)
      :full
    else
      id = :atomics.add_get(link.counters, @last_id, 1)
      :ets.insert(link.requests, {id, recipient, pid})
      {:ok, id}
    end
  rescue
    ArgumentError -> :gone
  end

  @doc "Takes the entry out; nil if somebody else did."
  @spec leave(t(), integer()) :: recipient() | nil | :gone
  def leave(link, id) do
    case :ets.take(link.requests, id) do
      [{_id, recipient, _pid}] ->
        :atomics.sub(link.counters, @outstanding, 1)
        recipient

      [] ->
        nil
    end
  rescue
    ArgumentError -> :gone
  end

  @doc "Tells the owner who calls, so that it can cancel what a dead caller has left."
  @spec watch(t()) :: :ok
  def watch(link) do
    unless :ets.member(link.callers, self()) do
      :ets.insert(link.callers, {self()})
      send(link.owner, {:watch, self()})
    end

    :ok
  rescue
    ArgumentError -> :ok
  end

  @spec waiting?(t(), integer()) :: boolean()
  def waiting?(link, id) do
    :ets.member(link.requests, id)
  rescue
    ArgumentError -> false
  end

  @spec all_ids(t()) :: [integer()]
  def all_ids(link), do: :ets.select(link.requests, [{{:"$1", :_, :_}, [], [:"$1"]}])

  @spec ids_of(t(), pid()) :: [integer()]
  def ids_of(link, pid), do: :ets.select(link.requests, [{{:"$1", :_, pid}, [], [:"$1"]}])

  @doc "The process that a request is of, nil if it does not wait any more or is the owner's."
  @spec pid_of(t(), integer()) :: pid() | nil
  def pid_of(link, id) do
    case :ets.lookup(link.requests, id) do
      [{_id, _recipient, pid}] -> pid
      [] -> nil
    end
  end

  @doc "Answers every process that waits; what the owner itself waits for is dropped."
  @spec answer_all(t(), Error.t()) :: :ok
  def answer_all(link, error) do
    for id <- all_ids(link), recipient = leave(link, id), do: answer(link, recipient, id, error)
    :ok
  end

  defp answer(_link, recipient, id, error) when is_reference(recipient) do
    send(recipient, {recipient, id, error})
  end

  defp answer(link, {:owner, {:follower, pid}}, id, error), do: ended(link, pid, id, error)
  defp answer(_link, _recipient, _id, _error), do: :ok

  @doc "Tells a process that there will be no more events of its request."
  @spec ended(t(), pid(), integer(), Error.t()) :: term()
  def ended(link, pid, id, error), do: send(pid, {:gitport_ended, link.owner, id, error})

  @doc "Hands a frame to the daemon without ever waiting for it."
  @spec command(t(), iodata()) :: :ok | :busy | :gone
  def command(%__MODULE__{port: nil}, _frame), do: :gone

  def command(%__MODULE__{port: port}, frame) do
    if :erlang.port_command(port, frame, [:nosuspend]), do: :ok, else: :busy
  rescue
    # The port has been closed in the meantime.
    ArgumentError -> :gone
  end

  @spec not_sent(String.t()) :: Error.t()
  def not_sent(message), do: Error.new(:unavailable, message, %{"sent" => false})

  @spec ended(boolean()) :: Error.t()
  def ended(false), do: not_sent("the port has ended; the request was not sent")

  def ended(true) do
    message = "the port has ended; the outcome of the request is unknown"
    Error.new(:unavailable, message, %{"sent" => true})
  end
end
