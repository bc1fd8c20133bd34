defmodule GitPort.MixProject do
  use Mix.Project

  def project do
    [
      app: :gitport,
      version: "0.1.0",
      elixir: "~> 1.14",
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      description: "Client of gitport, the Git daemon that a supervisor spawns",
      deps: []
    ]
  end

  def application do
    [mod: {GitPort.Application, []}, extra_applications: [:logger]]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_environment), do: ["lib"]
end
