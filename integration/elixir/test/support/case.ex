defmodule GitPort.Case do
  @moduledoc false
  # What tests share: the program under test, and repositories made by stock git.

  use ExUnit.CaseTemplate

  @identity [
    {"GIT_AUTHOR_NAME", "Ada Lovelace"},
    {"GIT_AUTHOR_EMAIL", "ada@example.org"},
    {"GIT_COMMITTER_NAME", "Grace Hopper"},
    {"GIT_COMMITTER_EMAIL", "grace@example.org"},
    {"GIT_CONFIG_GLOBAL", "/dev/null"},
    {"GIT_CONFIG_NOSYSTEM", "1"}
  ]

  using do
    quote do
      import GitPort.Case
      alias GitPort.Error
    end
  end

  def executable do
    Path.expand(System.get_env("GITPORT", "../../target/debug/gitport"))
  end

  # Why tests of an operation are skipped, or false if the program has it.
  def missing(operation) do
    if operation in Application.fetch_env!(:gitport, :operations),
      do: false,
      else: "#{executable()} has no operation #{operation}"
  end

  # What the daemon says in tests of its failures is no news.
  @quiet [{"GITPORT_LOG", "off"}, {"RUST_BACKTRACE", "0"}]

  # A port of the program under test, as a child of the test's supervisor with the given id.
  def start_port(options \\ [], id \\ GitPort) do
    defaults = [executable: executable(), env: @quiet, timeout: 20_000]
    options = Keyword.merge(defaults, options)
    port = ExUnit.Callbacks.start_supervised!({GitPort, options}, id: id)
    # The greeting of the port itself is the first thing that is outstanding.
    if options[:executable] == executable(), do: eventually(fn -> outstanding(port) == 0 end)
    port
  end

  # Files are `{name, content}`; each list of them is a commit.
  def repository(path, commits \\ [[{"README.md", "Hello.\n"}]]) do
    File.mkdir_p!(path)
    git(path, ["init", "-q", "-b", "main"])
    Enum.each(commits, &commit(path, &1))
    path
  end

  def commit(path, files, message \\ "a commit") do
    for {name, content} <- files do
      file = Path.join(path, name)
      File.mkdir_p!(Path.dirname(file))
      File.write!(file, content)
    end

    git(path, ["add", "-A"])
    git(path, ["commit", "-q", "-m", message])
    git(path, ["rev-parse", "HEAD"])
  end

  def git(path, arguments) do
    {output, 0} =
      System.cmd("git", ["-c", "gc.auto=0" | arguments],
        cd: path,
        env: @identity,
        stderr_to_stdout: true
      )

    String.trim_trailing(output, "\n")
  end

  def os_pid(port) do
    %{os_pid: os_pid} = :sys.get_state(port)
    os_pid
  end

  def signal(os_pid, name) do
    {_output, 0} = System.cmd("/bin/sh", ["-c", "kill -#{name} #{os_pid}"])
    :ok
  end

  # Keeps the daemon from doing anything, until the end of the test at most.
  def stop(os_pid) do
    go_on = "kill -CONT #{os_pid} 2> /dev/null; true"
    ExUnit.Callbacks.on_exit(fn -> System.cmd("/bin/sh", ["-c", go_on]) end)
    signal(os_pid, :STOP)
    # The signal reaches one thread after the other.
    eventually(fn -> Enum.all?(Path.wildcard("/proc/#{os_pid}/task/*/stat"), &stopped?/1) end)
  end

  defp stopped?(stat) do
    case File.read(stat) do
      {:ok, line} -> line =~ ~r/\) [Tt] /
      {:error, _gone} -> true
    end
  end

  def alive?(os_pid) do
    case File.read("/proc/#{os_pid}/stat") do
      {:ok, stat} -> not (stat =~ ~r/\) Z /)
      {:error, _gone} -> false
    end
  end

  # Waits until the condition holds; nothing in the tests depends on how long that takes.
  def eventually(condition, attempts \\ 1000) do
    cond do
      condition.() -> :ok
      attempts == 0 -> ExUnit.Assertions.flunk("the condition never held")
      true -> Process.sleep(10) && eventually(condition, attempts - 1)
    end
  end

  def outstanding(port) do
    {:ok, link} = GitPort.Link.fetch(port)
    length(GitPort.Link.all_ids(link))
  end

  def mailbox, do: self() |> Process.info(:messages) |> elem(1)
end
