defmodule GitPort.Request do
  @moduledoc """
  A request that was sent by `GitPort.async/4` and waits for `GitPort.await/2`.

  `:id` is its id in the protocol: progress events name it as `"request"`. It is nil if the
  request could not be sent; `GitPort.await/2` then tells why.
  """

  @derive {Inspect, only: [:id, :op]}
  @enforce_keys [:op, :port]
  defstruct [:id, :link, :reference, :timeout, :deadline, :started, :failed, :caller, :awaited] ++
              @enforce_keys

  @type t :: %__MODULE__{
          id: integer() | nil,
          op: String.t(),
          port: GenServer.server(),
          link: GitPort.Link.t() | nil,
          reference: GitPort.Link.recipient() | nil,
          timeout: timeout() | nil,
          deadline: integer() | :infinity | nil,
          started: integer() | nil,
          failed: GitPort.Error.t() | nil,
          caller: pid() | nil,
          awaited: :atomics.atomics_ref() | nil
        }
end
