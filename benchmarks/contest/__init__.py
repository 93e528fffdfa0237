"""The parts of `benchmarks.end_to_end`: one stream, one set of weights, contestants, servers, the clock."""
