"""Whose pages may change something."""

import pytest
from starlette.datastructures import Headers

from web.security import is_same_origin


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8080"}, False),
        ({"origin": "http://127.0.0.1:8080"}, True),
        ({"origin": "http://127.0.0.1:9000"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, True),
    ],
)
def test_only_our_own_pages_change_something(headers: dict[str, str], is_ours: bool) -> None:
    """Another site's form is refused; curl, which sends neither header, is not a browser."""
    assert is_same_origin(Headers({"host": "127.0.0.1:8080", **headers})) is is_ours
