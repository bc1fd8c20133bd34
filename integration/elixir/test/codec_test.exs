defmodule GitPort.CodecTest do
  use ExUnit.Case, async: true

  alias GitPort.Codec

  defp bytes(value), do: value |> Codec.encode!() |> IO.iodata_to_binary()

  defp check(value, hex) do
    assert Base.encode16(bytes(value), case: :lower) == hex
    assert Codec.decode(bytes(value)) == {:ok, value}
  end

  defp refused(hex, reason) do
    assert Codec.decode(Base.decode16!(hex, case: :lower)) == {:error, reason}
  end

  test "each value has its shortest form" do
    check(nil, "c0")
    check(false, "c2")
    check(true, "c3")
    check(0, "00")
    check(127, "7f")
    check(128, "cc80")
    check(255, "ccff")
    check(256, "cd0100")
    check(65_535, "cdffff")
    check(65_536, "ce00010000")
    check(4_294_967_295, "ceffffffff")
    check(4_294_967_296, "cf0000000100000000")
    check(18_446_744_073_709_551_615, "cfffffffffffffffff")
    check(-1, "ff")
    check(-32, "e0")
    check(-33, "d0df")
    check(-128, "d080")
    check(-129, "d1ff7f")
    check(-32_768, "d18000")
    check(-32_769, "d2ffff7fff")
    check(-2_147_483_648, "d280000000")
    check(-2_147_483_649, "d3ffffffff7fffffff")
    check(-9_223_372_036_854_775_808, "d38000000000000000")
    check(1.5, "cb3ff8000000000000")
    check("", "a0")
    check("é", "a2c3a9")
    check([], "90")
    check([1, [2]], "9201 9102" |> String.replace(" ", ""))
    check(%{}, "80")
    check(%{"a" => 1}, "81a16101")
  end

  test "lengths go over into the longer forms where they must" do
    for {size, header} <- [
          {31, "bf"},
          {32, "d920"},
          {255, "d9ff"},
          {256, "da0100"},
          {65_535, "daffff"},
          {65_536, "db00010000"}
        ] do
      check(String.duplicate("a", size), header <> String.duplicate("61", size))
    end

    for {size, header} <- [{15, "9f"}, {16, "dc0010"}, {65_535, "dcffff"}, {65_536, "dd00010000"}] do
      check(List.duplicate(1, size), header <> String.duplicate("01", size))
    end

    for {size, header} <- [{15, "8f"}, {16, "de0010"}, {65_536, "df00010000"}] do
      map = Map.new(1..size, &{to_string(&1), nil})

      assert Base.encode16(binary_part(bytes(map), 0, div(byte_size(header), 2)), case: :lower) ==
               header

      assert Codec.decode(bytes(map)) == {:ok, map}
    end
  end

  test "a binary that is no UTF-8, or is said to be bin, becomes a bin" do
    check(<<0xFF>>, "c401ff")
    check("name of caf\xE9", "c40c" <> Base.encode16("name of caf\xE9", case: :lower))
    assert bytes({:bin, "text"}) == <<0xC4, 4, "text">>

    assert bytes({:bin, :binary.copy("a", 256)}) ==
             <<0xC5, 256::16, :binary.copy("a", 256)::binary>>

    big = :binary.copy(<<0xFE>>, 65_536)
    assert bytes(big) == <<0xC6, 65_536::32, big::binary>>
    assert Codec.decode(bytes(big)) == {:ok, big}
  end

  test "UTF-8 is told from other bytes wherever the odd byte stands" do
    for before <- 0..16, later <- 0..16 do
      text = String.duplicate("a", before) <> "é" <> String.duplicate("b", later)
      odd = String.duplicate("a", before) <> "\xE9" <> String.duplicate("b", later)
      refute match?(<<0xC4, _::binary>>, bytes(text))
      assert match?(<<0xC4, _::binary>>, bytes(odd))
    end
  end

  test "a bin is told from a str where that is asked for" do
    value = %{"a" => ["text", {:bin, "text"}]}
    assert Codec.decode(bytes(value), bin: :tagged) == {:ok, value}
    assert Codec.decode(bytes(value)) == {:ok, %{"a" => ["text", "text"]}}
  end

  test "atoms become text, so that keys may be atoms" do
    assert Codec.decode(bytes(%{op: :ping})) == {:ok, %{"op" => "ping"}}
  end

  test "the longer forms of others are read as well" do
    assert Codec.decode(<<0xCF, 1::64>>) == {:ok, 1}
    assert Codec.decode(<<0xD3, -1::64>>) == {:ok, -1}
    assert Codec.decode(<<0xCA, 1.5::float-32>>) == {:ok, 1.5}
    assert Codec.decode(<<0xDB, 1::32, "a">>) == {:ok, "a"}
    assert Codec.decode(<<0xDD, 1::32, 0xC0>>) == {:ok, [nil]}
    assert Codec.decode(<<0xDF, 1::32, 0xA1, "a", 0xC0>>) == {:ok, %{"a" => nil}}
  end

  test "what is no value of the protocol is refused" do
    refused("", "the bytes end within a value")
    refused("c1", "0xC1 is no type")
    refused("0100", "1 trailing bytes")
    refused("d40100", "an extension type")
    refused("c70001", "an extension type")
    refused("a1ff", "a str that is no UTF-8")
    refused("a3eda080", "a str that is no UTF-8")
    refused("cb7ff8000000000000", "a float that is no number")
    refused("ca7f800000", "a float that is no number")
    refused("82a16101a16102", "a key that comes twice")
    refused("810101", "a key that is no text")
    assert_raise ArgumentError, fn -> Codec.encode!(%{1 => 1}) end
  end

  test "a value that is cut anywhere is refused" do
    whole = bytes(%{"a" => [1, 300, 70_000, -500, 1.5, "text", <<0xFF>>, nil], "b" => %{}})

    for size <- 0..(byte_size(whole) - 1) do
      assert {:error, _reason} = Codec.decode(binary_part(whole, 0, size))
    end
  end

  test "a claimed length costs nothing" do
    for header <- [0xC6, 0xDB, 0xDD, 0xDF] do
      assert {:error, _reason} = Codec.decode(<<header, 0xFFFFFFFF::32>>)
    end
  end

  test "64 levels are read and written, 65 are not" do
    nested = fn depth -> Enum.reduce(1..depth, nil, fn _level, inner -> [inner] end) end
    assert Codec.decode(bytes(nested.(64))) == {:ok, nested.(64)}
    assert_raise ArgumentError, fn -> Codec.encode!(nested.(65)) end
    too_deep = :binary.copy(<<0x91>>, 65) <> <<0xC0>>
    assert Codec.decode(too_deep) == {:error, "nested deeper than 64"}
    assert {:error, _reason} = Codec.decode(:binary.copy(<<0x91>>, 1_000_000))
    assert {:error, _reason} = Codec.decode(:binary.copy(<<0x81, 0xC0>>, 1_000_000))
  end

  test "what has no form raises, and the error does not show the value" do
    for value <- [18_446_744_073_709_551_616, -9_223_372_036_854_775_809, {:secret}, 1..2, self()] do
      error = assert_raise ArgumentError, fn -> Codec.encode!(%{"auth" => value}) end
      refute error.message =~ "secret"
    end
  end

  test "any value comes back as it was" do
    seed = :rand.seed(:exsss)

    for _round <- 1..500 do
      value = random(3)
      assert Codec.decode(bytes(value)) == {:ok, value}, "seed #{inspect(seed)}"
    end
  end

  test "any bytes are decoded or refused" do
    for _round <- 1..5_000 do
      bytes = :rand.bytes(:rand.uniform(40))
      assert elem(Codec.decode(bytes), 0) in [:ok, :error]
    end
  end

  test "the id of a reply is found wherever it stands" do
    for id <- [0, 127, 200, 300, 70_000, 5_000_000_000, -1, "text"] do
      encoded = IO.iodata_to_binary(Codec.encode!(id))
      first = <<0x82, 0xA2, "id", encoded::binary, 0xA2, "ok", 0xC0>>
      last = <<0x82, 0xA2, "ok", 0xC0, 0xA2, "id", encoded::binary>>
      assert Codec.reply_id(first) == {:ok, id}
      assert Codec.reply_id(last) == {:ok, id}
    end

    assert Codec.reply_id(<<0x81, 0xA2, "ok", 0xC0>>) == :none
    assert {:error, _reason} = Codec.reply_id(<<0x82, 0xA2, "id">>)
    assert {:error, _reason} = Codec.reply_id(<<0x90>>)
    assert {:error, _reason} = Codec.reply_id("")
  end

  defp random(0), do: random_leaf(:rand.uniform(6))

  defp random(depth) do
    case :rand.uniform(3) do
      1 -> for _item <- 1..:rand.uniform(20), do: random(depth - 1)
      2 -> for _item <- 1..:rand.uniform(20), into: %{}, do: {random_leaf(4), random(depth - 1)}
      3 -> random(0)
    end
  end

  defp random_leaf(1), do: Enum.random([nil, true, false])

  defp random_leaf(2),
    do: Bitwise.bsr(:rand.uniform(0x1_0000_0000_0000_0000) - 1, :rand.uniform(64) - 1)

  defp random_leaf(3),
    do: -Bitwise.bsr(:rand.uniform(0x8000_0000_0000_0000), :rand.uniform(63) - 1)

  defp random_leaf(4), do: :rand.bytes(:rand.uniform(300) - 1)
  defp random_leaf(5), do: :rand.normal()
  defp random_leaf(6), do: String.duplicate("é", :rand.uniform(200))
end
