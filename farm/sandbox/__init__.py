"""Where foreign code runs: the protocol, the Docker sandbox, the isolation probe."""
