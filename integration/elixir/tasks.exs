# Tasks done by sixteen processes at once through one port: each claims one, completes it, and
# claims the next.
#
#     mix run tasks.exs REPOSITORY TASKS [--workers N]
#
#   REPOSITORY    the absolute path of a repository whose runs have so many tasks to do
#   TASKS         how many that are
#   --workers     how many processes there are, 16 by default
#
# The program is the one that the environment names in GITPORT, or the release build of this
# project. The last line is
#
#     elixir tasks/s: N

defmodule GitPort.BenchTasks do
  # As much as a small completion brings.
  @data %{said: "a text of some forty bytes, as data is"}

  def main(arguments) do
    # Mix passes a separating "--" on.
    {options, [path, count]} =
      arguments
      |> Enum.reject(&(&1 == "--"))
      |> OptionParser.parse!(strict: [workers: :integer])

    count = String.to_integer(count)
    {:ok, port} = GitPort.start_link(executable: executable())
    # Whatever is loaded when it is first used, and the runs, are there before the time begins.
    {:ok, _runs} = GitPort.run_list(port, path, limit: 1)

    left = :atomics.new(1, [])
    :atomics.put(left, 1, count)
    started = System.monotonic_time(:microsecond)
    owner = self()

    for number <- 1..Keyword.get(options, :workers, 16) do
      spawn_link(fn -> work(port, path, "w#{number}", left, owner) end)
    end

    receive do
      :done -> :ok
    end

    elapsed = System.monotonic_time(:microsecond) - started
    IO.puts("elixir tasks/s: #{div(count * 1_000_000, elapsed)}")
  end

  defp work(port, path, worker, left, owner) do
    {:ok, tasks} = GitPort.task_claim(port, path, worker, wait_ms: 1_000)

    for %{"task" => task, "token" => token} <- tasks do
      {:ok, _ended} = GitPort.task_complete(port, path, task, token, data: @data)
      if :atomics.sub_get(left, 1, 1) == 0, do: send(owner, :done)
    end

    work(port, path, worker, left, owner)
  end

  defp executable do
    default = Path.expand("../../target/release/gitport", __DIR__)
    System.get_env("GITPORT", default)
  end
end

GitPort.BenchTasks.main(System.argv())
