defmodule GitPort.Vectors do
  @moduledoc false
  # The vectors of the protocol: how they are read, and what a reply has to be like.

  alias GitPort.Codec

  @folder Path.expand("../../../../protocol/vectors", __DIR__)

  def folder, do: @folder

  def names do
    for path <- Path.wildcard(Path.join(@folder, "*.txt")), do: Path.basename(path, ".txt")
  end

  # A block is its lines as `{key, value}`, in their order.
  def blocks(name) do
    text = File.read!(Path.join(@folder, name <> ".txt"))

    for block <- String.split(text, "\n\n"), lines = lines(block), lines != [], do: lines
  end

  def about(block), do: value(block, "about")

  def value(block, key) do
    case List.keyfind(block, key, 0) do
      {^key, value} -> value
      nil -> nil
    end
  end

  def bytes(hex) do
    for piece <- String.split(hex), into: <<>> do
      case String.split(piece, "*") do
        [bytes] ->
          Base.decode16!(bytes, case: :lower)

        [bytes, times] ->
          :binary.copy(Base.decode16!(bytes, case: :lower), String.to_integer(times))
      end
    end
  end

  def sent(block), do: for({"send", hex} <- block, into: <<>>, do: bytes(hex))

  # What is to come back, in order: `{id or nil, what it has to be}`.
  def expectations(block) do
    block
    |> Enum.reduce([], fn
      {"reply", hex}, found ->
        [reply(hex) | found]

      {"code", code}, found ->
        [{nil, [{"code", code}]} | found]

      {"id", id}, [{nil, wanted} | found] ->
        [{id(id), wanted} | found]

      {key, value}, [{id, wanted} | found] when key in ["field", "nearest", "has"] ->
        [{id, wanted ++ [{key, value}]} | found]

      _line, found ->
        found
    end)
    |> Enum.reverse()
  end

  def decode!(frame) do
    {:ok, value} = Codec.decode(frame, bin: :tagged)
    value
  end

  # What is wrong with a reply, or nil.
  def mistake({:reply, wanted}, reply) do
    if alike(wanted, reply), do: nil, else: "wanted #{shown(wanted)}, got #{shown(reply)}"
  end

  def mistake(wanted, reply) do
    Enum.find_value(wanted, fn line ->
      if not holds?(line, reply), do: "wanted #{inspect(line)}, got #{shown(reply)}"
    end)
  end

  defp holds?({"code", "ok"}, reply), do: Map.has_key?(reply, "ok")
  defp holds?({"code", code}, reply), do: reply["code"] == code and is_binary(reply["err"])
  defp holds?({"has", keys}, %{"ok" => value}), do: has?(value, keys)
  defp holds?({"has", keys}, reply), do: has?(reply, keys)
  defp holds?({key, value}, reply), do: reply[key] == value

  defp has?(map, keys), do: Enum.all?(String.split(keys), &is_map_key(map, &1))

  defp alike(%{"err" => _} = wanted, %{"err" => _} = got) do
    Enum.all?(["id", "file", "code"], &(wanted[&1] === got[&1]))
  end

  defp alike(%{} = wanted, %{} = got) do
    Map.keys(wanted) === Map.keys(got) and
      Enum.all?(wanted, fn {key, value} -> alike(value, got[key]) end)
  end

  defp alike([wanted | wanteds], [got | gots]), do: alike(wanted, got) and alike(wanteds, gots)
  defp alike(wanted, got), do: wanted === got

  defp reply(hex) do
    <<size::32, frame::binary-size(size)>> = bytes(hex)
    wanted = decode!(frame)
    {wanted["id"], {:reply, wanted}}
  end

  defp id("\"" <> quoted), do: String.trim_trailing(quoted, "\"")
  defp id(number), do: String.to_integer(number)

  defp lines(block) do
    for line <- String.split(block, "\n"), line != "", not String.starts_with?(line, "#") do
      [key, value] = String.split(line <> " ", ": ", parts: 2)
      {key, String.trim_trailing(value)}
    end
  end

  defp shown(value), do: inspect(value, limit: 50, printable_limit: 300)
end
