"""Documents for the pages of documents: a story with copies, an article with comments, a revision, answers."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from core.watchlist_entries import watchlist_of
from storage import watchlists
from storage.reclassifications import Wanted, begin
from storage.tables import reclassification
from tests.support.records import row, says
from tests.support.rows import EVIDENCE, add_incident, store_rows

STORY = (
    "本报讯 昨日，市场监管部门通报，某连锁奶茶门店使用过期原料，执法人员现场查封库存三百余公斤，"
    "涉事门店已停业整顿，公司致歉并承诺退款，后续处理结果将向社会公布。"
)
ARTICLE = "https://example.org/a b/1"


def fill(engine: Engine, start: datetime, model_version: str = "m1") -> int:
    """Thirty posts, an article revised once with seven comments, a story that four sources carry, an incident whose
    evidence the article is. Returns the incident."""
    common = {"lang": "zh", "model_version": model_version, "topic_label": "lifestyle_consumer"}
    rows = [
        row(
            f"post:{n}",
            n,
            text=f"第 {n} 杯奶茶，味道{'很差' if n % 3 else '很好'}",
            sentiment="negative" if n % 3 else "positive",
            score_negative=0.8 if n % 3 else 0.1,
            score_neutral=0.1,
            score_positive=0.1 if n % 3 else 0.8,
            source=("weibo", "forum", "贴吧")[n % 3],
            published_at=start + n * timedelta(minutes=3),
            topic_scores={"lifestyle_consumer": 0.7, "health": 0.2, "finance": 0.1},
            mentions=[says("奶茶", "positive")] if n % 2 else None,
            **{**common, "lang": ("zh", "en")[n % 2]},
        )
        for n in range(30)
    ]
    rows += [
        row(
            f"copy:{n}",
            50 + n,
            text=STORY,
            kind="news",
            source=f"报社{n}",
            published_at=start + timedelta(minutes=20 * n),
            **common,
        )
        for n in range(4)
    ]
    article = {
        "kind": "news",
        "source": "paper",
        "title": "奶茶店再开业",
        "author": "u_4f2a9c",
        "url": "https://example.org/1",
        "published_at": start + timedelta(minutes=45),
        "topic_scores": {"lifestyle_consumer": 0.45, "health": 0.35, "finance": 0.2},
        "sentiment_uncertain": True,
        "mentions": [says("奶茶", "positive")],
        **common,
    }
    rows.append(row(ARTICLE, 70, text="停业整顿三天后，奶茶店今天重新开业。顾客排队两小时。", **article))
    rows += [
        row(
            f"c{n}",
            80 + n,
            text=f"等了 {n} 小时，太差",
            kind="comment",
            parent_id=ARTICLE,
            published_at=start + timedelta(minutes=50 + n),
            sentiment="positive" if n == 6 else "negative",
            **common,
        )
        for n in range(7)
    ]
    store_rows(engine, rows)
    later = {**article, "likes": 12, "crawled_at": start + timedelta(hours=2)}
    revised = "停业整顿五天后，奶茶店今天重新开业。顾客排队三小时，店方再次致歉。"
    store_rows(engine, [row(ARTICLE, 200, text=revised, quoted_text="//@网友: 别去了", **later)])
    with engine.begin() as connection:
        watchlists.put(connection, [watchlist_of("奶茶", {"any": ["奶茶"]})], by="test")
        job = begin(connection, Wanted("m2", start - timedelta(days=1)))
        connection.execute(reclassification.update().where(reclassification.c.id == job.id).values(status="done"))
        shown = {**EVIDENCE["documents"][0], "id": ARTICLE}
        return add_incident(connection, evidence={**EVIDENCE, "documents": [shown]}, starts_at=start)
