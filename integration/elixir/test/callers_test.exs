defmodule GitPort.CallersTest do
  use GitPort.Case, async: true

  @moduletag :tmp_dir

  @files 40

  setup %{tmp_dir: folder} do
    files = for number <- 1..@files, do: {"file#{number}", "content of #{number}\n"}
    %{port: start_port(), path: repository(Path.join(folder, "repository"), [files])}
  end

  defp read(path, number), do: {"read", read_arguments(path, number)}

  defp read_arguments(path, number) do
    [path: path, file: "file#{number}", rev: "HEAD", encoding: "binary"]
  end

  defp content(number), do: {:ok, "content of #{number}\n"}

  test "pairs of different reads from eight processes each get their own answers", context do
    %{port: port, path: path} = context

    1..8
    |> Enum.map(fn process ->
      Task.async(fn ->
        for pair <- 1..200 do
          one = rem(process * 7 + pair, @files) + 1
          other = rem(process * 11 + pair * 3, @files) + 1
          first = GitPort.async(port, "read", read_arguments(path, one))
          second = GitPort.async(port, "read", read_arguments(path, other))
          assert GitPort.await(second) == content(other)
          assert GitPort.await(first) == content(one)
        end

        assert mailbox() == []
      end)
    end)
    |> Task.await_many(60_000)

    assert outstanding(port) == 0
  end

  test "many requests of one process come back in the order asked", context do
    %{port: port, path: path} = context
    numbers = for number <- 1..500, do: rem(number * 13, @files) + 1
    requests = Enum.map(numbers, &read(path, &1))

    for limit <- [1, 7, 64, 2000] do
      results = GitPort.call_many(port, requests, max_outstanding: limit)
      assert results == Enum.map(numbers, &content/1)
    end

    assert GitPort.call_many(port, []) == []
    assert mailbox() == []
  end

  test "one that fails among many fails alone", %{port: port, path: path} do
    too_large = {"head", path: :binary.copy("a", 20_000_000)}
    requests = [read(path, 1), {"read", path: path, file: "absent"}, too_large, read(path, 2)]
    assert [first, absent, large, second] = GitPort.call_many(port, requests)
    assert [first, second] == [content(1), content(2)]
    assert {:error, %Error{code: :not_found}} = absent
    assert {:error, %Error{code: :too_large}} = large
  end

  test "one that cannot be encoded among many raises before any is sent", context do
    %{port: port, path: path} = context
    requests = [read(path, 1), {"head", path: {:no, :value}}]
    assert_raise ArgumentError, fn -> GitPort.call_many(port, requests) end
    assert outstanding(port) == 0
    assert mailbox() == []
  end

  test "more callers than may be outstanding wait for each other", %{path: path} do
    port = start_port([max_outstanding: 3], :bounded)

    1..50
    |> Enum.map(fn number ->
      number = rem(number, @files) + 1
      Task.async(fn -> GitPort.read(port, path, "file#{number}") == content(number) end)
    end)
    |> Task.await_many(60_000)
    |> Enum.each(&assert/1)

    requests = for number <- 1..@files, do: read(path, number)
    results = GitPort.call_many(port, requests, max_outstanding: 100)
    assert results == Enum.map(1..@files, &content/1)
  end

  test "a request is awaited once, by the process that sent it", %{port: port} do
    request = GitPort.async(port, "ping")

    other = Task.async(fn -> assert_raise ArgumentError, fn -> GitPort.await(request) end end)
    assert Exception.message(Task.await(other)) =~ "only the process that sent"

    assert GitPort.await(request) == {:ok, "pong"}
    assert_raise ArgumentError, ~r/awaited before/, fn -> GitPort.await(request) end

    nowhere = GitPort.async(:nobody, "ping")
    assert {:error, %Error{code: :unavailable}} = GitPort.await(nowhere)
    assert_raise ArgumentError, ~r/awaited before/, fn -> GitPort.await(nowhere) end
  end

  test "a process without a port gets an error" do
    assert {:error, %Error{code: :unavailable}} = GitPort.ping(:nobody_of_that_name)
    assert [{:error, %Error{code: :unavailable}}] = GitPort.call_many(:nobody, [{"ping", []}])
    assert {:error, %Error{code: :unavailable}} = GitPort.subscribe(:nobody, [:progress])
    assert {:error, %Error{code: :unavailable}} = GitPort.shutdown(:nobody)
    assert {:error, %Error{code: :unavailable}} = GitPort.ping(self())
  end
end
