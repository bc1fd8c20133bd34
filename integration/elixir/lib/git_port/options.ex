defmodule GitPort.Options do
  @moduledoc false
  # The options of a port, checked once.

  alias GitPort.Client

  @defaults [
    executable: "gitport",
    args: ["serve"],
    env: [],
    cd: nil,
    name: nil,
    timeout: 30_000,
    network_timeout: 600_000,
    max_outstanding: 1024,
    backoff_ms: 50,
    backoff_ms_max: 5_000,
    max_restarts: 5,
    max_seconds: 60,
    grace_ms: 5_000
  ]

  # The environment may hold credentials, and a state is printed when a process crashes.
  @derive {Inspect, except: [:env]}
  defstruct @defaults

  @type t :: %__MODULE__{}

  @spec new!(keyword()) :: t()
  def new!(options) do
    options = struct!(__MODULE__, Keyword.validate!(options, @defaults))
    Client.timeout!(options.timeout)
    Client.timeout!(options.network_timeout)
    %{options | executable: executable(options.executable), env: environment(options.env)}
  end

  # A name without a folder is looked for where a shell would.
  defp executable(name) do
    if String.contains?(name, "/"),
      do: Path.expand(name),
      else: System.find_executable(name) || name
  end

  defp environment(variables) do
    for {name, value} <- variables do
      {to_charlist(name), if(value in [nil, false], do: false, else: to_charlist(value))}
    end
  end
end
