# Reads of eight processes at once through one port, every answer checked against its file.
#
#     mix run bench.exs REPOSITORY REVISION [--seconds N] [--pairs N] [--processes N]
#
#   REPOSITORY    the absolute path of a repository; every file of REVISION is read
#   REVISION      anything git rev-parse takes
#   --seconds     how long to measure, 5 by default, after one second that does not count
#   --pairs       how many pairs of different reads each process has outstanding, 10 by default
#   --processes   how many processes ask, 8 by default
#
# The program is the one that the environment names in GITPORT, or the release build of this
# project. What the answers are compared with comes from stock git. The last line is
#
#     elixir reads/s: N wrong: N

defmodule GitPort.Bench do
  @warm_up_ms 1_000
  @pairs_in_a_round 250

  # Garbage of 16 MiB in each process rather than a collection every few answers.
  @vheap_words 2 * 1024 * 1024

  def main(arguments) do
    # Mix passes a separating "--" on.
    {options, [path, revision]} =
      arguments
      |> Enum.reject(&(&1 == "--"))
      |> OptionParser.parse!(strict: [seconds: :integer, pairs: :integer, processes: :integer])

    files = files(path, revision)
    {:ok, port} = GitPort.start_link(executable: executable())
    IO.puts("#{length(files)} files of #{path} at #{revision}")

    counts = :counters.new(2, [:write_concurrency])
    outstanding = 2 * Keyword.get(options, :pairs, 10)

    for process <- 1..Keyword.get(options, :processes, 8) do
      # As a constant, what is to be asked is not copied with the garbage of the answers.
      :persistent_term.put({__MODULE__, process}, rounds(files, path, revision, process))
      ask = fn -> ask(port, process, outstanding, counts) end
      :erlang.spawn_opt(ask, [:link, min_bin_vheap_size: @vheap_words])
    end

    Process.sleep(@warm_up_ms)
    milliseconds = Keyword.get(options, :seconds, 5) * 1_000
    before = :counters.get(counts, 1)
    started = System.monotonic_time(:microsecond)
    Process.sleep(milliseconds)
    reads = :counters.get(counts, 1) - before
    elapsed = System.monotonic_time(:microsecond) - started
    rate = div(reads * 1_000_000, elapsed)
    IO.puts("elixir reads/s: #{rate} wrong: #{:counters.get(counts, 2)}")
  end

  # Every file in an order of the process's own, in rounds of `{requests, contents}`.
  defp rounds(files, path, revision, process) do
    :rand.seed(:exsss, {process, process, process})

    for round <- files |> Enum.shuffle() |> Enum.chunk_every(2 * @pairs_in_a_round) do
      requests =
        for {name, _content} <- round do
          {"read", [path: path, rev: revision, file: name, encoding: "binary"]}
        end

      {requests, for({_name, content} <- round, do: content)}
    end
  end

  defp ask(port, process, outstanding, counts) do
    for {requests, contents} <- :persistent_term.get({__MODULE__, process}) do
      results = GitPort.call_many(port, requests, max_outstanding: outstanding)
      :counters.add(counts, 1, length(results))
      :counters.add(counts, 2, count_wrong(contents, results, 0))
    end

    ask(port, process, outstanding, counts)
  end

  defp count_wrong([], [], wrong), do: wrong

  defp count_wrong([content | contents], [{:ok, content} | results], wrong) do
    count_wrong(contents, results, wrong)
  end

  defp count_wrong([_content | contents], [_other | results], wrong) do
    count_wrong(contents, results, wrong + 1)
  end

  # The name and content of each file.
  defp files(path, revision) do
    {tree, 0} = System.cmd("git", ["ls-tree", "-r", "-z", revision], cd: path)

    # Ordinary files only: no symbolic links, no submodules.
    entries =
      for entry <- String.split(tree, <<0>>, trim: true),
          [<<"100", _mode::binary-3, " blob ", id::binary>>, name] <- [String.split(entry, "\t")],
          do: {id, name}

    ids = Path.join(System.tmp_dir!(), "gitport-bench-#{System.pid()}")
    File.write!(ids, Enum.map(entries, fn {id, _name} -> [id, "\n"] end))
    script = ["-c", "git cat-file --batch < \"$0\"", ids]
    {contents, 0} = System.cmd("/bin/sh", script, cd: path)
    File.rm!(ids)
    contents(entries, contents)
  end

  defp contents([], <<>>), do: []

  defp contents([{id, name} | entries], output) do
    [<<^id::binary-size(byte_size(id)), " blob ", size::binary>>, rest] =
      String.split(output, "\n", parts: 2)

    size = String.to_integer(size)
    <<content::binary-size(size), "\n", rest::binary>> = rest
    [{name, :binary.copy(content)} | contents(entries, rest)]
  end

  defp executable do
    default = Path.expand("../../target/release/gitport", __DIR__)
    System.get_env("GITPORT", default)
  end
end

GitPort.Bench.main(System.argv())
