"""Documents and incidents as somebody would write them who wants to break a page or to run something in it."""

from datetime import datetime

from sqlalchemy import Engine

from storage.documents import DocumentRow
from tests.support.records import row
from tests.support.rows import add_incident, store_rows

CANARY = "hacked"
"""A name in `window` that a script of theirs sets."""

TEXTS = {
    "script": "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>",
    "attribute": '"><svg onload="window.hacked = 3"> \' onmouseover=\'window.hacked = 4',
    "template": "{{7*7}} {{ 7 * 7 }} {% raw %} ${window.hacked = 5} `x`",
    "json": "</script><script>window.hacked = 6</script>",
    "comment": "--><!--<script>window.hacked = 7</script>",
    "link": "javascript:window.hacked=8",
    "rtl": "\u202egnp.exe\u202c مرحبا بالعالم שלום " * 20,
    "word": "长" * 5000 + "W" * 10_000,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈😡" * 300,
    "zalgo": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘" * 20,
    "control": "a\x01\x02\x07\x08\x1b[31mred\x7f\u2028\u2029\ufeff" * 10,
    "lines": "a\n" * 300,
    "chart": "{b|bold}|%s\n${b}",
}
"""By what they try; NUL is missing, since PostgreSQL's text cannot hold it."""


def hostile_rows(at: datetime) -> list[DocumentRow]:
    """One document for each of `TEXTS`, with it in every field that a source fills in."""
    return [
        row(
            f"{name}/<b>?&#\"'",
            nth,
            text=text,
            title=text,
            source=text[:200],
            author=text,
            topic_label=text[:60] if name in ("script", "chart", "word") else "finance",
            lang=text[:20] if name == "attribute" else "zh",
            published_at=at,
            url="javascript:window.hacked=9",
        )
        for nth, (name, text) in enumerate(TEXTS.items())
    ]


def add_hostile(engine: Engine, at: datetime) -> int:
    """Store them, with an incident that is named after the worst of them; its id."""
    store_rows(engine, hostile_rows(at))
    with engine.begin() as connection:
        for nth, name in enumerate(("script", "rtl", "word")):
            labels = {"alertname": "NegativeSurge", "rule": "by-source", "source": TEXTS[name]}
            told = {f"summary_{language}": TEXTS[name] for language in ("zh", "en")}
            made = add_incident(
                connection, labels=labels, fingerprint=f"hostile-{nth}", starts_at=at, annotations=told
            )
    return made
