"""Benchmarks: each module prints a table and writes JSON under var/bench. `make bench ONLY=name` runs one."""
