"""Prints constraints.txt: the version of every installed package, without hosts or hashes.

CUDA's packages are left out: torch pins its own, and other platforms and torch builds want others.
"""

import re
import sys
from importlib.metadata import distributions

LEFT_OUT = re.compile(r"opinion-pipeline|nvidia-.*|cuda-.*|triton|pip|setuptools|wheel")


def main() -> None:
    versions = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions()}
    lines = [f"{name}=={version}" for name, version in sorted(versions.items()) if not LEFT_OUT.fullmatch(name)]
    head = "# The versions this release was tested with. Written by `make constraints`."
    sys.stdout.write("\n".join([head, *lines]) + "\n")


if __name__ == "__main__":
    main()
