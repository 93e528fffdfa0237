"""Personal details are found, and numbers that are none stay."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scrubbing import scrub


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("客服电话13812345678，快打", "客服电话[phone]，快打"),
        ("call +86 138-1234-5678 now", "call [phone] now"),
        ("tel 008613812345678", "tel [phone]"),
        ("办公室 010-62781234", "办公室 [phone]"),
        ("ring +44 20 7946 0958 or +1 (415) 555-2671", "ring [phone] or [phone]"),
        ("身份证11010519491231002X", "身份证[id]"),
        ("身份证 440308199901101512 已挂失", "身份证 [id] 已挂失"),
        ("卡号6222 0212 3456 7890 128", "卡号[card]"),
        ("visa 4111-1111-1111-1111.", "visa [card]."),
        ("写信到 li.wei+news@example.com.cn 吧", "写信到 [email] 吧"),
        ("@小明 你看 @Acme_Corp", "@… 你看 @…"),
        ("＠小明：好", "@…：好"),
        ("电话１３８１２３４５６７８", "电话[phone]"),
    ],
)
def test_details_are_taken_out(text: str, scrubbed: str) -> None:
    """What leads to a person is replaced by what it was."""
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "订单号 202405011234567890123",
        "订单 20240501123456789",
        "订单号138123456789012",
        "600519 涨停，000001 下跌",
        "涨了12.50%，成交1381234.5678万",
        "2024-05-01 12:30:45",
        "2024-05-01 to 2024-06-30",
        "价格 13,812,345,678 元",
        "price 1999.00-2999.00",
        "身份证110105194912310021",
        "440308199913101512",
        "card 4111 1111 1111 1112",
        "ISBN 978-7-111-40701-0",
        "https://weibo.com/1642634100/4981234567890123",
        "https://example.org/?id=13812345678",
        "+12.5% and +3000 points",
        "SF1381234567890",
        "email me at example dot com",
        "5 @ 10 each",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    """Orders, codes, prices, days, wrong check digits and addresses of pages are no details of a person."""
    assert scrub(text) == text


@given(st.text(alphabet="0123456789+-. @()xXa中＠,/", max_size=60))
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    """What was put in its place is never taken for a detail."""
    once = scrub(text)
    assert scrub(once) == once


@pytest.mark.parametrize(
    "piece", ["1", "@", "a@", "a@a.", "+1 ", "13812345678", "0 ", "62 ", "(0", "1-", "@a", "+1(1)"]
)
def test_time_grows_with_the_text_alone(piece: str) -> None:
    """No text costs more than its length: 100,000 characters of anything take well under a second."""
    began = time.process_time()
    scrub(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 1
