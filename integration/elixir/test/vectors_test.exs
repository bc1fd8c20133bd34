defmodule GitPort.VectorsTest do
  use GitPort.Case, async: true

  alias GitPort.Codec
  alias GitPort.Vectors

  @moduletag :tmp_dir
  @moduletag timeout: 300_000

  # Each block is given a fair time, so that a reply that never comes is a failure and no hang.
  @reply_ms 30_000

  setup_all do
    {_output, 0} = System.cmd("/bin/sh", [Path.join(Vectors.folder(), "fixture.sh")])
    :ok
  end

  test "every value is decoded, encoded or refused as it should be" do
    mistakes = for block <- Vectors.blocks("codec"), mistake = codec_mistake(block), do: mistake
    assert mistakes == []
  end

  for name <- Vectors.names(), name != "codec" do
    test "the daemon answers #{name} as it should", %{tmp_dir: folder} do
      blocks = Vectors.blocks(unquote(name))
      assert blocks != []
      {ending, living} = Enum.split_with(blocks, &Vectors.value(&1, "exit"))
      daemon = {open("exec \"$0\" serve 2> /dev/null", []), <<>>}
      {_daemon, mistakes} = Enum.reduce(living, {daemon, []}, &play/2)
      assert Enum.reverse(mistakes) ++ Enum.flat_map(ending, &play_to_the_end(&1, folder)) == []
    end
  end

  defp codec_mistake(block) do
    bytes = block |> Vectors.value("bytes") |> Vectors.bytes()

    case {Vectors.value(block, "codec"), Codec.decode(bytes, bin: :tagged)} do
      {"good", {:ok, value}} ->
        encoded = value |> Codec.encode!() |> IO.iodata_to_binary()
        wanted = block |> Vectors.value("encodes") |> Vectors.bytes()
        if encoded != wanted, do: "#{Vectors.about(block)}: became #{inspect(encoded)}"

      {"bad", {:error, reason}} when is_binary(reason) ->
        nil

      {_expected, decoded} ->
        "#{Vectors.about(block)}: #{inspect(decoded, limit: 20)}"
    end
  end

  defp play(block, {{port, _rest} = daemon, mistakes}) do
    Port.command(port, Vectors.sent(block))
    {daemon, found} = replies(daemon, Vectors.expectations(block))
    {daemon, Enum.map(found, &"#{Vectors.about(block)}: #{&1}") ++ mistakes}
  end

  defp replies(daemon, []), do: {daemon, []}

  defp replies({port, bytes}, expectations) do
    case bytes do
      <<size::32, frame::binary-size(size), rest::binary>> ->
        {expectations, mistakes} = take(Vectors.decode!(frame), expectations)
        {daemon, found} = replies({port, rest}, expectations)
        {daemon, mistakes ++ found}

      _part ->
        receive do
          {^port, {:data, more}} -> replies({port, bytes <> more}, expectations)
          {^port, {:exit_status, status}} -> {{port, bytes}, ["exited with status #{status}"]}
        after
          @reply_ms -> {{port, bytes}, ["no reply for #{inspect(expectations)}"]}
        end
    end
  end

  # The expectation that a frame belongs to is the first with its id.
  defp take(%{"event" => _kind}, expectations), do: {expectations, []}

  defp take(reply, expectations) do
    case Enum.find(expectations, fn {id, _wanted} -> id === reply["id"] end) do
      nil ->
        {expectations, ["a reply that nobody expects: #{inspect(reply, limit: 50)}"]}

      {_id, wanted} = expectation ->
        {List.delete(expectations, expectation), List.wrap(Vectors.mistake(wanted, reply))}
    end
  end

  # A port of Erlang cannot end the program's input alone, so this daemon reads a file.
  defp play_to_the_end(block, folder) do
    input = Path.join(folder, "input")
    File.write!(input, Vectors.sent(block))
    port = open("exec \"$0\" serve < \"$1\" 2> /dev/null", [input])
    {frames, status} = output(port, <<>>)

    {expectations, mistakes} =
      Enum.reduce(frames, {Vectors.expectations(block), []}, fn reply, {left, mistakes} ->
        {left, found} = take(reply, left)
        {left, mistakes ++ found}
      end)

    missing = for expectation <- expectations, do: "no reply for #{inspect(expectation)}"
    wanted = Vectors.value(block, "exit")
    ended = if wanted == ending(status), do: [], else: ["exit #{status}, wanted #{wanted}"]
    Enum.map(mistakes ++ missing ++ ended, &"#{Vectors.about(block)}: #{&1}")
  end

  defp ending(0), do: "0"
  defp ending(_status), do: "nonzero"

  defp output(port, bytes) do
    receive do
      {^port, {:data, more}} -> output(port, bytes <> more)
      {^port, {:exit_status, status}} -> {frames(bytes), status}
    after
      @reply_ms -> {frames(bytes), :never}
    end
  end

  defp frames(<<size::32, frame::binary-size(size), rest::binary>>) do
    [Vectors.decode!(frame) | frames(rest)]
  end

  defp frames(<<>>), do: []
  defp frames(rest), do: [%{"rest" => rest}]

  defp open(script, arguments) do
    arguments = ["-c", script, executable() | arguments]
    Port.open({:spawn_executable, "/bin/sh"}, [:binary, :exit_status, args: arguments])
  end
end
