"""Extensions in Rust: the crates of a Cargo.lock, locked by digest, fetched on the host, vendored in the sandbox."""
