defmodule GitPort.Codec do
  @moduledoc """
  The part of msgpack that the protocol uses.

  | Elixir | msgpack |
  | --- | --- |
  | `nil`, `true`, `false` | nil, bool |
  | integers of -2^63 to 2^64-1 | the shortest int |
  | floats | float 64 |
  | binaries that are UTF-8, other atoms | str |
  | other binaries, and `{:bin, binary}` | bin |
  | lists, maps | array, map |

  Decoding gives binaries for str and bin alike. It refuses extension types, trailing bytes, a
  key that comes twice or is neither str nor bin, a str that is no UTF-8, floats that are no
  number, and whatever is nested deeper than 64 arrays and maps. It never allocates what a
  length only claims.
  """

  import Bitwise

  @depth_max 64

  @type value ::
          nil
          | boolean()
          | atom()
          | integer()
          | float()
          | binary()
          | {:bin, binary()}
          | [value()]
          | %{optional(atom() | binary()) => value()}

  @doc "Encodes a value; raises `ArgumentError` for what the protocol has no form for."
  @spec encode!(value()) :: binary()
  def encode!(value), do: pack(<<>>, value, 0)

  @doc """
  Decodes one value that fills the whole binary.

  With `bin: :tagged` a bin comes as `{:bin, binary}`, so that it can be told from a str.
  """
  @spec decode(binary(), bin: :plain | :tagged) :: {:ok, value()} | {:error, String.t()}
  def decode(bytes, options \\ []) when is_binary(bytes) do
    case unpack(bytes, 0, Keyword.get(options, :bin, :plain)) do
      {value, <<>>} -> {:ok, value}
      {_value, rest} -> {:error, "#{byte_size(rest)} trailing bytes"}
    end
  catch
    {:invalid, reason} -> {:error, reason}
  end

  @doc false
  # The id of a reply, without decoding the rest where the id comes first.
  @spec reply_id(binary()) :: {:ok, integer() | binary()} | :none | {:error, String.t()}
  def reply_id(<<header, 0xA2, "id", rest::binary>>) when header >>> 4 == 0x8 do
    case rest do
      <<0xCE, id::32, _::binary>> -> {:ok, id}
      <<0xCD, id::16, _::binary>> -> {:ok, id}
      <<0xCF, id::64, _::binary>> -> {:ok, id}
      <<id, _::binary>> when id < 0x80 -> {:ok, id}
      _other -> {:ok, rest |> unpack(1, :plain) |> elem(0)}
    end
  catch
    {:invalid, reason} -> {:error, reason}
  end

  def reply_id(frame) do
    case decode(frame) do
      {:ok, %{"id" => id}} -> {:ok, id}
      {:ok, %{}} -> :none
      {:ok, _value} -> {:error, "not a map"}
      {:error, reason} -> {:error, reason}
    end
  end

  @doc false
  # The pairs of a request but for its id and timeout, which differ each time it is sent.
  @spec encode_arguments!(String.t(), Enumerable.t()) :: {non_neg_integer(), binary()}
  def encode_arguments!(op, arguments) when is_list(arguments) do
    arguments(<<0xA2, "op">> |> pack(op, 1), 1, arguments)
  end

  def encode_arguments!(op, arguments), do: encode_arguments!(op, Enum.to_list(arguments))

  @doc false
  # The start of a request with so many pairs, with its id and its timeout if it has one. Not the
  # shortest form, but one that is put together at once.
  @spec request_head(non_neg_integer(), non_neg_integer()) :: binary()
  def request_head(id, pairs) when pairs < 15, do: <<0x81 + pairs, 0xA2, "id", 0xCF, id::64>>
  def request_head(id, pairs), do: <<0xDE, pairs + 1::16, 0xA2, "id", 0xCF, id::64>>

  @spec request_head(non_neg_integer(), pos_integer(), non_neg_integer()) :: binary()
  def request_head(id, timeout_ms, pairs) do
    timeout = <<0xAA, "timeout_ms", 0xCE, timeout_ms::32>>
    <<request_head(id, pairs + 1)::binary, timeout::binary>>
  end

  @envelope [:op, :id, :timeout_ms, "op", "id", "timeout_ms"]

  defp arguments(packed, pairs, []), do: {pairs, packed}

  defp arguments(_packed, _pairs, [{key, _value} | _others]) when key in @envelope do
    raise ArgumentError, "#{key} is no argument of an operation"
  end

  defp arguments(packed, pairs, [{key, value} | others]) do
    packed |> key(key) |> pack(value, 1) |> arguments(pairs + 1, others)
  end

  defp pack(packed, value, _depth) when is_binary(value) do
    if utf8?(value), do: str(packed, value), else: bin(packed, value)
  end

  defp pack(packed, nil, _depth), do: <<packed::binary, 0xC0>>
  defp pack(packed, false, _depth), do: <<packed::binary, 0xC2>>
  defp pack(packed, true, _depth), do: <<packed::binary, 0xC3>>
  defp pack(packed, value, _depth) when is_atom(value), do: str(packed, Atom.to_string(value))
  defp pack(packed, value, _depth) when is_integer(value), do: int(packed, value)

  defp pack(packed, value, _depth) when is_float(value),
    do: <<packed::binary, 0xCB, value::float>>

  defp pack(packed, {:bin, value}, _depth) when is_binary(value), do: bin(packed, value)

  defp pack(_packed, _value, @depth_max) do
    raise ArgumentError, "nested deeper than #{@depth_max} cannot be encoded"
  end

  defp pack(packed, value, depth) when is_list(value) do
    items(array_header(packed, length(value)), value, depth + 1)
  end

  defp pack(_packed, %module{}, _depth) do
    raise ArgumentError, "a struct (#{inspect(module)}) cannot be encoded"
  end

  defp pack(packed, value, depth) when is_map(value) do
    packed |> map_header(map_size(value)) |> pairs(Map.to_list(value), depth + 1)
  end

  # The value is not shown: it may be a secret that stands in the wrong place.
  defp pack(_packed, _value, _depth) do
    raise ArgumentError, "only nil, booleans, numbers, binaries, lists and maps can be encoded"
  end

  defp items(packed, [], _depth), do: packed

  defp items(packed, [item | others], depth),
    do: packed |> pack(item, depth) |> items(others, depth)

  defp pairs(packed, [], _depth), do: packed

  defp pairs(packed, [{key, value} | others], depth) do
    packed |> key(key) |> pack(value, depth) |> pairs(others, depth)
  end

  defp key(packed, key) when is_atom(key), do: str(packed, Atom.to_string(key))
  defp key(packed, key) when is_binary(key), do: pack(packed, key, 0)
  defp key(_packed, _key), do: raise(ArgumentError, "a key has to be a binary or an atom")

  defp int(packed, value) when value >= 0 do
    cond do
      value < 0x80 -> <<packed::binary, value>>
      value < 0x100 -> <<packed::binary, 0xCC, value>>
      value < 0x1_0000 -> <<packed::binary, 0xCD, value::16>>
      value < 0x1_0000_0000 -> <<packed::binary, 0xCE, value::32>>
      value < 0x1_0000_0000_0000_0000 -> <<packed::binary, 0xCF, value::64>>
      true -> raise ArgumentError, "an integer beyond 64 bits cannot be encoded"
    end
  end

  defp int(packed, value) do
    cond do
      value >= -0x20 -> <<packed::binary, value>>
      value >= -0x80 -> <<packed::binary, 0xD0, value>>
      value >= -0x8000 -> <<packed::binary, 0xD1, value::16>>
      value >= -0x8000_0000 -> <<packed::binary, 0xD2, value::32>>
      value >= -0x8000_0000_0000_0000 -> <<packed::binary, 0xD3, value::64>>
      true -> raise ArgumentError, "an integer beyond 64 bits cannot be encoded"
    end
  end

  defp str(packed, value) do
    case byte_size(value) do
      size when size < 32 -> <<packed::binary, 0xA0 + size, value::binary>>
      size when size < 0x100 -> <<packed::binary, 0xD9, size, value::binary>>
      size when size < 0x1_0000 -> <<packed::binary, 0xDA, size::16, value::binary>>
      size -> <<packed::binary, 0xDB, size::32, value::binary>>
    end
  end

  defp bin(packed, value) do
    case byte_size(value) do
      size when size < 0x100 -> <<packed::binary, 0xC4, size, value::binary>>
      size when size < 0x1_0000 -> <<packed::binary, 0xC5, size::16, value::binary>>
      size -> <<packed::binary, 0xC6, size::32, value::binary>>
    end
  end

  defp array_header(packed, size) when size < 16, do: <<packed::binary, 0x90 + size>>
  defp array_header(packed, size) when size < 0x1_0000, do: <<packed::binary, 0xDC, size::16>>
  defp array_header(packed, size), do: <<packed::binary, 0xDD, size::32>>

  defp map_header(packed, size) when size < 16, do: <<packed::binary, 0x80 + size>>
  defp map_header(packed, size) when size < 0x1_0000, do: <<packed::binary, 0xDE, size::16>>
  defp map_header(packed, size), do: <<packed::binary, 0xDF, size::32>>

  defp unpack(<<0b101::3, size::5, value::binary-size(size), rest::binary>>, _depth, _bin) do
    {text(value), rest}
  end

  defp unpack(<<0xC4, size, value::binary-size(size), rest::binary>>, _depth, bin) do
    {binary(value, bin), rest}
  end

  defp unpack(<<0xC5, size::16, value::binary-size(size), rest::binary>>, _depth, bin) do
    {binary(value, bin), rest}
  end

  defp unpack(<<0xC6, size::32, value::binary-size(size), rest::binary>>, _depth, bin) do
    {binary(value, bin), rest}
  end

  defp unpack(<<0x8::4, size::4, rest::binary>>, depth, bin), do: map(size, rest, depth, bin)
  defp unpack(<<0x9::4, size::4, rest::binary>>, depth, bin), do: array(size, rest, depth, bin)
  defp unpack(<<value, rest::binary>>, _depth, _bin) when value < 0x80, do: {value, rest}

  defp unpack(<<value::signed, rest::binary>>, _depth, _bin) when value >= -32 and value < 0,
    do: {value, rest}

  defp unpack(<<0xC0, rest::binary>>, _depth, _bin), do: {nil, rest}
  defp unpack(<<0xC2, rest::binary>>, _depth, _bin), do: {false, rest}
  defp unpack(<<0xC3, rest::binary>>, _depth, _bin), do: {true, rest}
  defp unpack(<<0xCC, value, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xCD, value::16, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xCE, value::32, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xCF, value::64, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xD0, value::signed, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xD1, value::signed-16, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xD2, value::signed-32, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xD3, value::signed-64, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xCA, value::float-32, rest::binary>>, _depth, _bin), do: {value, rest}
  defp unpack(<<0xCB, value::float-64, rest::binary>>, _depth, _bin), do: {value, rest}

  defp unpack(<<0xD9, size, value::binary-size(size), rest::binary>>, _depth, _bin) do
    {text(value), rest}
  end

  defp unpack(<<0xDA, size::16, value::binary-size(size), rest::binary>>, _depth, _bin) do
    {text(value), rest}
  end

  defp unpack(<<0xDB, size::32, value::binary-size(size), rest::binary>>, _depth, _bin) do
    {text(value), rest}
  end

  defp unpack(<<0xDC, size::16, rest::binary>>, depth, bin), do: array(size, rest, depth, bin)
  defp unpack(<<0xDD, size::32, rest::binary>>, depth, bin), do: array(size, rest, depth, bin)
  defp unpack(<<0xDE, size::16, rest::binary>>, depth, bin), do: map(size, rest, depth, bin)
  defp unpack(<<0xDF, size::32, rest::binary>>, depth, bin), do: map(size, rest, depth, bin)

  defp unpack(<<0xC1, _rest::binary>>, _depth, _bin), do: invalid("0xC1 is no type")
  defp unpack(<<0xCA, _::32, _::binary>>, _depth, _bin), do: invalid("a float that is no number")
  defp unpack(<<0xCB, _::64, _::binary>>, _depth, _bin), do: invalid("a float that is no number")

  defp unpack(<<type, _rest::binary>>, _depth, _bin)
       when type in 0xC7..0xC9 or type in 0xD4..0xD8 do
    invalid("an extension type")
  end

  defp unpack(_bytes, _depth, _bin), do: invalid("the bytes end within a value")

  defp array(_size, _rest, @depth_max, _bin), do: too_deep()
  defp array(size, rest, depth, bin), do: read_items(size, rest, depth + 1, bin, [])

  defp read_items(0, rest, _depth, _bin, items), do: {Enum.reverse(items), rest}

  defp read_items(size, rest, depth, bin, items) do
    {item, rest} = unpack(rest, depth, bin)
    read_items(size - 1, rest, depth, bin, [item | items])
  end

  defp map(_size, _rest, @depth_max, _bin), do: too_deep()

  defp map(size, rest, depth, bin) do
    {pairs, rest} = read_pairs(size, rest, depth + 1, bin, [])
    map = :maps.from_list(pairs)
    if map_size(map) == size, do: {map, rest}, else: invalid("a key that comes twice")
  end

  defp read_pairs(0, rest, _depth, _bin, pairs), do: {pairs, rest}

  defp read_pairs(size, rest, depth, bin, pairs) do
    {key, rest} = unpack(rest, depth, :plain)
    if not is_binary(key), do: invalid("a key that is no text")
    {value, rest} = unpack(rest, depth, bin)
    read_pairs(size - 1, rest, depth, bin, [{key, value} | pairs])
  end

  defp binary(value, :plain), do: value
  defp binary(value, :tagged), do: {:bin, value}

  defp text(value), do: if(utf8?(value), do: value, else: invalid("a str that is no UTF-8"))

  # Seven bytes at once, as most text is ASCII and seven still fit into a small integer.
  defp utf8?(<<word::56, rest::binary>>) when (word &&& 0x80808080808080) == 0, do: utf8?(rest)
  defp utf8?(<<byte, rest::binary>>) when byte < 0x80, do: utf8?(rest)
  defp utf8?(<<_::utf8, rest::binary>>), do: utf8?(rest)
  defp utf8?(rest), do: rest == <<>>

  @spec too_deep() :: no_return()
  defp too_deep, do: invalid("nested deeper than #{@depth_max}")

  @spec invalid(String.t()) :: no_return()
  defp invalid(reason), do: throw({:invalid, reason})
end
