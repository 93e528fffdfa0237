"""One file per command group. Heavy imports (torch, transformers) stay inside the functions, so `--help` is quick."""
