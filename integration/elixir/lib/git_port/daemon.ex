defmodule GitPort.Daemon do
  @moduledoc false
  # The program itself: how it is started, and how it is ended if it must be.

  alias GitPort.Error
  alias GitPort.Link
  alias GitPort.Options

  # Beyond this the port is busy. It is more than the requests of many callers need, so that
  # busy means that the daemon has stopped reading.
  @port_bytes {256 * 1024, 512 * 1024}

  @spec start(Options.t()) :: {:ok, port(), os_pid :: integer() | nil} | {:error, Error.t()}
  def start(options) do
    port = Port.open({:spawn_executable, options.executable}, port_options(options))

    case Port.info(port, :os_pid) do
      {:os_pid, os_pid} -> {:ok, port, os_pid}
      # It has died already; its status is on the way.
      nil -> {:ok, port, nil}
    end
  rescue
    problem in [ErlangError, ArgumentError] ->
      {:error, Link.not_sent("cannot start gitport: #{why(problem, options)}")}
  end

  defp why(%ErlangError{original: :enoent}, %{executable: executable}) do
    if String.contains?(executable, "/"),
      do: "there is no program at #{executable}",
      else: "there is no #{executable} in the PATH"
  end

  defp why(%ErlangError{original: :eacces}, %{executable: executable}) do
    "#{executable} may not be executed"
  end

  defp why(problem, %{executable: executable}), do: "#{executable}: #{Exception.message(problem)}"

  # A daemon that reads no more does not notice the end of its input either.
  @spec kill(port(), integer() | nil) :: :ok
  def kill(port, os_pid) do
    if Port.info(port) && os_pid, do: System.cmd("/bin/sh", ["-c", "kill -KILL #{os_pid}"])
    :ok
  end

  @spec close(port() | nil) :: :ok
  def close(nil), do: :ok

  def close(port) do
    Port.close(port)
    :ok
  rescue
    # It has been closed already.
    ArgumentError -> :ok
  end

  @spec exit_error({:status, integer()} | {:closed, term()}) :: Error.t()
  def exit_error({:status, status}) do
    message = "the daemon exited with status #{status}; the outcome of this request is unknown"
    Error.new(:unavailable, message, %{"sent" => true, "status" => status})
  end

  def exit_error({:closed, reason}) do
    message = "the daemon went away (#{inspect(reason)}); the outcome of this request is unknown"
    Error.new(:unavailable, message, %{"sent" => true})
  end

  defp port_options(options) do
    [
      :binary,
      :exit_status,
      :hide,
      {:packet, 4},
      {:args, options.args},
      {:env, options.env},
      {:busy_limits_port, @port_bytes},
      # With this limit, ports were left busy for ever (erlang/otp issue 11052). It bounds what
      # waits for the port's lock, which is one frame of each caller.
      {:busy_limits_msgq, :disabled}
      | if(options.cd, do: [cd: options.cd], else: [])
    ]
  end
end
