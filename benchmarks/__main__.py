"""Runs the benchmarks one after the other: `python -m benchmarks [NAME …]`."""

import pkgutil
import subprocess
import sys
from pathlib import Path

NAMES = sorted(
    module.name
    for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    if module.name != "__main__" and not module.ispkg
)


def main() -> None:
    wanted = sys.argv[1:] or NAMES
    if unknown := set(wanted) - set(NAMES):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    for name in wanted:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
