"""A signed link opens exactly what it was made for, until its time."""

from datetime import UTC, datetime, timedelta

import pytest

from web.signed_links import sign, verify

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
SECRET = b"s" * 32
TOKEN = sign(SECRET, "incident", "7", NOW + timedelta(hours=1))


def test_it_opens_its_subject_until_it_expires() -> None:
    """A second before the end yes, at the end no."""
    assert verify(SECRET, "incident", "7", TOKEN, NOW)
    assert verify(SECRET, "incident", "7", TOKEN, NOW + timedelta(minutes=59, seconds=59))
    assert not verify(SECRET, "incident", "7", TOKEN, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("secret", "purpose", "subject"),
    [(b"t" * 32, "incident", "7"), (SECRET, "device", "7"), (SECRET, "incident", "8"), (SECRET, "inciden", "t7")],
)
def test_it_opens_nothing_else(secret: bytes, purpose: str, subject: str) -> None:
    """Another secret, purpose or subject, also one that reads the same when joined."""
    assert not verify(secret, purpose, subject, TOKEN, NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        TOKEN.partition(".")[2],
        TOKEN[:-1],
        TOKEN + "=",
        "9" + TOKEN,
        "٣" + TOKEN,
        TOKEN.replace(".", ".\u00e9"),
        f"{'9' * 400}.x",
        f"-1.{TOKEN.partition('.')[2]}",
        "\udcff.\udcff",
    ],
)
def test_what_was_altered_opens_nothing(token: str) -> None:
    """No error either, whatever comes."""
    assert not verify(SECRET, "incident", "7", token, NOW)
