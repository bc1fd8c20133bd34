defmodule GitPort.Application do
  @moduledoc false
  # Ports are started by their users, under their own supervisors. Here is only what all share.

  use Application

  @impl true
  def start(_type, _arguments) do
    Supervisor.start_link([GitPort.Links, GitPort.Telemetry],
      strategy: :one_for_one,
      name: GitPort.Supervisor
    )
  end
end
