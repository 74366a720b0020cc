"""Real hosts on one Linux machine: namespaces, loop mounts, processes."""
