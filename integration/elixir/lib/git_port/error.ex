defmodule GitPort.Error do
  @moduledoc """
  Why a request failed.

    * `:code` is for programs: an atom of the closed list of the protocol, or a string if the
      daemon is newer than this client; treat such a one like `:internal`
    * `:message` is for people
    * `:details` is what else came with the error, with strings as keys (`"retry_after_ms"`,
      `"expected"`, …; the protocol says which)

  The client itself answers with three of the codes: `:timeout` when the caller's wait is over,
  `:busy` when the daemon does not read or too many requests are outstanding, and `:unavailable`
  when there is no daemon or it has exited. Then `details["sent"]` tells whether the request had
  been sent: `false` means that it certainly had no effect, `true` that its outcome is unknown.
  """

  @codes ~w(bad_request unknown_operation not_found already_exists conflict locked denied
            unauthorized unavailable timeout cancelled too_large busy invalid unsupported corrupt
            disk_full internal)a

  @type code ::
          unquote(Enum.reduce(@codes, &{:|, [], [&1, &2]}))
          | String.t()

  @type t :: %__MODULE__{code: code(), message: String.t(), details: map()}

  defexception [:code, :message, details: %{}]

  @impl true
  def message(%__MODULE__{code: code, message: message}), do: "#{message} (#{code})"

  @doc false
  @spec new(code(), String.t(), map()) :: t()
  def new(code, message, details \\ %{}) do
    %__MODULE__{code: code, message: message, details: details}
  end

  @doc false
  @spec from_reply(map()) :: t()
  def from_reply(%{"err" => message} = reply) do
    details = Map.drop(reply, ["id", "err", "code"])
    %__MODULE__{code: code(reply["code"]), message: to_string(message), details: details}
  end

  for code <- @codes do
    defp code(unquote(Atom.to_string(code))), do: unquote(code)
  end

  defp code(nil), do: :internal
  defp code(unknown), do: unknown
end
