"""From crashes to a named cause: pure code, the same live, in replay and in the benchmark."""
