"""Texts that are copies of one another in many ways, and who must be whose copy, found without any index."""

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import combinations

from sqlalchemy import Engine, text

from core.copies import STREAM_BANDS, Signature, are_copies, sign
from core.copy_clusters import DisjointSets
from storage.copies import WINDOW_DAYS
from storage.copy_index import day_of
from storage.documents import DocumentRow
from tests.support.records import START, row, says

STORY = "今日上午,本市一家奶茶店因食品安全问题被市场监管部门责令停业整顿,多名顾客反映饮用后出现腹痛腹泻等不适症状。"
OTHER = "国家统计局今天公布的数据显示,上个月全国居民消费价格同比上涨百分之零点三,环比下降百分之零点一,总体保持平稳。"
WIRE = "The central bank kept its main rate unchanged on Thursday and said inflation would fall slowly next year."
LETTERS = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种"
    "面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本"
    "去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比"
    "或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总"
    "次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做"
    "必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权"
    "收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信"
    "马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连"
    "断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存"
    "候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严"
)


def edited(body: str, share: float, rng: random.Random) -> str:
    """A text with so many of its characters replaced, left out or put in."""
    out = []
    for character in body:
        chance = rng.random()
        if chance >= share:
            out.append(character)
        elif chance < share / 3:
            out.append(rng.choice(LETTERS))
        elif chance < 2 * share / 3:
            out += [character, rng.choice(LETTERS)]
    return "".join(out)


def mixed_texts(rng: random.Random, count: int) -> list[str]:
    """Copies, copies of copies, strangers, and words too short to be anybody's."""
    pool = [STORY, OTHER, WIRE]
    found = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.1:
            found.append(rng.choice(["支持", "转发微博", "哈哈哈哈哈哈哈哈哈哈哈哈哈哈"]))
        elif kind < 0.25:
            found.append("".join(rng.sample(LETTERS, 40)))
        else:
            pool.append(edited(rng.choice(pool), rng.choice([0, 0, 0.05, 0.1, 0.2]), rng))
            found.append(pool[-1])
    return found


def mixed_rows(rng: random.Random, count: int, days: int = 12) -> list[DocumentRow]:
    """First versions and revisions, over some days, some at the same instant, about some watchlists or none."""
    sentiments = ["negative", "neutral", "positive"]
    rows = []
    for n, body in enumerate(mixed_texts(rng, count)):
        key = f"d{rng.randrange(count)}" if rng.random() < 0.3 else f"d{n}"
        rows.append(
            row(
                key,
                n,
                text=body,
                published_at=START + timedelta(hours=rng.randrange(24 * days)),
                sentiment=rng.choice(sentiments),
                source=rng.choice(["forum", "news"]),
                mentions=[says(name, rng.choice(sentiments)) for name in "xy" if rng.random() < 0.5] or None,
            )
        )
    return rows


def expected_clusters(documents: Iterable[DocumentRow], window_days: int = WINDOW_DAYS) -> set[frozenset[str]]:
    """The clusters of these versions, every pair compared."""
    versions = list(documents)
    signed = [
        (version, signature)
        for version, signature in zip(versions, sign([one.text for one in versions]), strict=True)
        if signature is not None
    ]
    joined = DisjointSets(len(signed))
    for (n, one), (m, other) in combinations(enumerate(signed), 2):
        if _are_copies(one, other, window_days):
            joined.join(n, m)
    return {frozenset(signed[n][0].id for n in members) for members in joined.sets() if len(members) > 1}


def expected_voices(documents: Iterable[DocumentRow], window_days: int = WINDOW_DAYS) -> set[str]:
    """Those of which no earlier one is a copy, every pair compared."""
    versions = sorted(documents, key=lambda one: (one.published_at, one.id))
    signed = list(zip(versions, sign([one.text for one in versions]), strict=True))
    return {
        one.id
        for n, (one, signature) in enumerate(signed)
        if signature is None
        or not any(
            other is not None and _are_copies((one, signature), (earlier, other), window_days)
            for earlier, other in signed[:n]
        )
    }


def _are_copies(one: tuple[DocumentRow, Signature], other: tuple[DocumentRow, Signature], window_days: int) -> bool:
    apart = abs((day_of(one[0].published_at) - day_of(other[0].published_at)).days)
    return apart <= window_days and are_copies(one[1], [other[1]], STREAM_BANDS)[0]


def stored_clusters(engine: Engine) -> set[frozenset[str]]:
    """What SQL says: the members of every cluster, after checking that it is named after its earliest, a voice."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT document_id, published_at, copy_cluster, is_independent, carriers FROM bi.copy")
        ).all()
    found: dict[str, list[tuple[object, ...]]] = {}
    for one in sorted(rows, key=lambda one: (one.published_at, one.document_id)):
        found.setdefault(one.copy_cluster, []).append(tuple(one))
    for voice, members in found.items():
        assert members[0][0] == voice
        assert members[0][3]
        assert {member[4] for member in members} == {len(members)}
    return {frozenset(str(member[0]) for member in members) for members in found.values() if len(members) > 1}


def stored_voices(engine: Engine) -> set[str]:
    """The documents that SQL calls independent."""
    with engine.connect() as connection:
        return set(connection.scalars(text("SELECT document_id FROM bi.copy WHERE is_independent")))


def newest(rows: Sequence[DocumentRow]) -> list[DocumentRow]:
    """The versions that remain of rows that came in this order; an id keeps its first time."""
    found: dict[str, DocumentRow] = {}
    for one in rows:
        before = found.get(one.id)
        found[one.id] = one if before is None else one._replace(published_at=before.published_at)
    return list(found.values())
