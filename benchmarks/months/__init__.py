"""The parts of `benchmarks.learning_months`: rows, features, the scripts of the months, and the loop."""
