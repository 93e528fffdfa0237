"""What answers of services mean for a message."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from alerts.delivery.notifiers import dingtalk, feishu, wecom
from alerts.delivery.notifiers.answers import Codes, by_status, retry_after
from alerts.delivery.notifiers.contract import Delivery
from alerts.delivery.notifiers.http import Answer

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def said(code: int | str | None, name: str = "errcode", status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps({name: code, "errmsg": "token=abc"}).encode())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (202, "ok"), (302, "permanent"), (400, "permanent"), (408, "retryable"), (429, "retryable"),
     (500, "retryable"), (503, "retryable")],
)  # fmt: skip
def test_statuses(status: int, outcome: str) -> None:
    """What may get better is tried again, what will not is given up."""
    assert by_status(Answer(status)).outcome == outcome


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30", 30), ("0", 0), ("99999999999999", 3600), ("Tue, 10 Mar 2026 12:02:00 GMT", 120),
     ("Tue, 10 Mar 2020 12:00:00 GMT", 0), ("soon", None), ("-5", None), (None, None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_bounded(value: str | None, seconds: int | None) -> None:
    """RFC 9110 allows both; nonsense is no answer, and nobody may silence us for days."""
    assert retry_after(value, NOON) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("codes", "answer", "outcome", "wait"),
    [
        (feishu.CODES, said(0, "code"), "ok", None),
        (feishu.CODES, said(0, "StatusCode"), "ok", None),
        (feishu.CODES, said(11232, "code"), "retryable", timedelta(minutes=1)),
        (feishu.CODES, said(19021, "code"), "permanent", None),
        (feishu.CODES, said(19024, "code"), "permanent", None),
        (feishu.CODES, said(11232, "code", status=400), "retryable", timedelta(minutes=1)),
        (feishu.CODES, said(77777, "code"), "retryable", None),
        (wecom.CODES, said(0), "ok", None),
        (wecom.CODES, said(45009), "retryable", timedelta(minutes=1)),
        (wecom.CODES, said(-1), "retryable", None),
        (wecom.CODES, said(93000), "permanent", None),
        (dingtalk.CODES, said(0), "ok", None),
        (dingtalk.CODES, said(130101), "retryable", timedelta(minutes=10)),
        (dingtalk.CODES, said(310000), "permanent", None),
    ],
)
def test_the_code_in_the_body_counts(codes: Codes, answer: Answer, outcome: str, wait: timedelta | None) -> None:
    """These services answer 200 and mean it in the body: sent too fast is retried later, a wrong key is not."""
    told = codes.verdict(answer)
    assert (told.outcome, told.retry_after) == (outcome, wait)
    assert "token" not in told.reason


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"errcode": "0"}', b'{"errcode": null}', b"x" * 64_000, b"[" * 60_000]
)
def test_an_answer_without_a_code_is_not_taken_for_success(body: bytes) -> None:
    """A proxy's welcome page is not a delivery."""
    assert wecom.CODES.verdict(Answer(200, {}, body)).outcome == "retryable"


@pytest.mark.parametrize(("status", "outcome"), [(302, "permanent"), (404, "permanent"), (502, "retryable")])
def test_a_good_code_under_a_bad_status_is_no_success(status: int, outcome: str) -> None:
    """Whoever redirects or fails has not delivered, whatever the body says."""
    assert wecom.CODES.verdict(said(0, status=status)).outcome == outcome


def test_a_failure_to_get_an_answer_stays_one() -> None:
    """Nothing is read into it."""
    away = Delivery("retryable", "ConnectError")
    assert wecom.CODES.verdict(away) is away
    assert by_status(away) is away
