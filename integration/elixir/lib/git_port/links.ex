defmodule GitPort.Links do
  @moduledoc false
  # Knows the link of every port, and answers the callers of a port that has died.
  #
  # A caller does not monitor the port, which would cost more than the rest of a request. Instead
  # this process is the heir of the table of those who wait.

  use GenServer

  alias GitPort.Link

  @spec start_link(term()) :: GenServer.on_start()
  def start_link(_argument), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @spec put(Link.t()) :: Link.t()
  def put(link) do
    :ets.insert(__MODULE__, {link.owner, link})
    link
  rescue
    # This process has died, and the owner is about to hear of it.
    ArgumentError -> link
  end

  @spec get(pid()) :: Link.t() | nil
  def get(owner) do
    case :ets.lookup(__MODULE__, owner) do
      [{_owner, link}] -> link
      [] -> nil
    end
  rescue
    ArgumentError -> nil
  end

  @impl true
  def init(nil) do
    :ets.new(__MODULE__, [:named_table, :public, read_concurrency: true])
    {:ok, %{}}
  end

  @impl true
  def handle_info({:"ETS-TRANSFER", table, owner, _data}, state) do
    link = get(owner)
    :ets.delete(__MODULE__, owner)
    if link, do: Link.answer_all(link, Link.ended(true))

    if link && link.port do
      {:noreply, Map.put(state, :erlang.monitor(:port, link.port), link)}
    else
      :ets.delete(table)
      {:noreply, state}
    end
  end

  # Until its port is closed, a request could still be sent, and nobody would answer it.
  def handle_info({:DOWN, monitor, :port, _port, _reason}, state) do
    {link, state} = Map.pop!(state, monitor)
    Link.answer_all(link, Link.ended(true))
    :ets.delete(link.requests)
    {:noreply, state}
  end
end
