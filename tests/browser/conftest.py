"""Fixtures of the browser tests; what they do lives in `tests/support/`."""

from tests.support.consoles import chromium

__all__ = ["chromium"]
