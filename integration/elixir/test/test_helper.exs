executable = GitPort.Case.executable()

unless File.exists?(executable) do
  raise "there is no program at #{executable}; build it, or name it in GITPORT"
end

{:ok, port} = GitPort.start_link(executable: executable)
{:ok, %{"operations" => operations}} = GitPort.hello(port)
GenServer.stop(port)

Application.put_env(:gitport, :operations, operations)

unless "fault" in operations do
  IO.puts("Skipping the tests that need the operation fault: #{executable} was built without it.")
end

ExUnit.start(capture_log: true)
