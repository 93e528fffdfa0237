"""What `benchmarks.spikes` is made of: the generator, the rules that are compared, and how they are scored."""
