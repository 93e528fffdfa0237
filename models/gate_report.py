"""A judged candidate as one HTML page that needs nothing else: for people who decide, and for the record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.taxonomy import Head
from models.behaviour_gate import BehaviourChange, fallen_capabilities
from models.gate_checks import points, readable
from models.gate_pictures import Scale, interval, reliability_picture
from models.gate_record import ChangedAnswer, ConfusionPair, GateRecord
from models.gate_report_checks import check_lines, slice_name, verdict_sentence
from models.gate_report_words import Language, class_name, say
from models.gate_slices import SliceChange, SliceKind, fallen

TEMPLATE: Final = "gate_report.html"
KINDS: Final[tuple[SliceKind, ...]] = ("language", "source", "watchlist", "class")
MARKED_SHARE: Final = 0.005  # smaller confusions are left without a figure


@dataclass(frozen=True)
class Line:
    """A line of a forest plot."""

    name: str
    kind: str
    part: str
    head: str
    rows: int | None
    champion: str
    candidate: str
    difference: str
    chance: str
    changed: str
    tone: str
    picture: Markup


def render(record: GateRecord, examples: Sequence[ChangedAnswer], language: Language = "en") -> str:
    """The page. Texts, sources and watchlists came from outside: everything is escaped."""
    t = partial(say, language)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    slices = _slice_lines(record, t, language)
    return environment.get_template(TEMPLATE).render(
        t=t,
        language=language,
        record=record,
        is_accepted=record.verdict.is_accepted,
        verdict=verdict_sentence(record, language),
        checks=check_lines(record, language),
        gain=_gain_lines(record, t),
        slices={kind: lines for kind in KINDS if (lines := [line for line in slices if line.kind == kind])},
        small=[one for one in record.figures.slices if not one.is_judged],
        behaviour=_behaviour_lines(record.figures.behaviour),
        confusion={head: _confusion_tables(pair) for head, pair in record.confusion.items()},
        reliability={head: _reliability(record, head, t) for head in record.curves},
        gained=[example for example in examples if example.is_gained],
        lost=[example for example in examples if not example.is_gained],
        readable=readable,
        named=partial(class_name, language),
    )


def _gain_lines(record: GateRecord, t: Any) -> list[Line]:
    gain, options = record.figures.gain, record.options
    if gain is None:
        return []
    bound = 0.0 if options.policy == "better" else -options.margin
    mean = (_average(gain.champion.values()), _average(gain.candidate.values()))
    figures = [("mean", mean, gain.mean)]
    figures += [(head, (gain.champion[head], gain.candidate[head]), one) for head, one in gain.heads.items()]
    scale = Scale(edge for _, _, one in figures for edge in (one.low, one.high))
    lines = []
    for name, (before, after), one in figures:
        tone = "quiet" if name != "mean" else "good" if one.low > bound else "bad"
        difference = f"{points(one.estimate)} ({points(one.low)} … {points(one.high)})"
        picture = interval(scale, one.estimate, one.low, one.high, bound=bound, tone=tone, says=difference)
        was, now = f"{100 * before:.1f}", f"{100 * after:.1f}"
        lines.append(Line(t(name), "", "", name, None, was, now, difference, "", "", tone, picture))
    return lines


def _slice_lines(record: GateRecord, t: Any, language: Language) -> list[Line]:
    """Of all judged slices; the worst of its kind first."""
    judged = [one for one in record.figures.slices if one.is_judged]
    falls = set(map(_identity, fallen(record.figures.slices, record.options)))
    scale = Scale(edge for one in judged for edge in (one.low, one.high))
    lines = []
    for one in sorted(judged, key=lambda one: (KINDS.index(one.kind), one.change, one.name, one.part)):
        tone = "bad" if _identity(one) in falls else "quiet"
        difference = f"{points(one.change)} ({points(one.low)} … {points(one.high)})"
        lines.append(
            Line(
                slice_name(one, language),
                one.kind,
                t(f"of.{one.part}"),
                t(one.head),
                one.rows,
                f"{100 * one.champion:.1f}",
                f"{100 * one.candidate:.1f}",
                difference,
                f"{one.chance:.2g}",
                f"{one.gained} / {one.lost}",
                tone,
                interval(
                    scale,
                    one.change,
                    one.low,
                    one.high,
                    bound=-record.options.slice_margin,
                    tone=tone,
                    says=f"{readable(one.name)}: {difference}",
                ),
            )
        )
    return lines


def _behaviour_lines(changes: Sequence[BehaviourChange]) -> list[tuple[BehaviourChange, str]]:
    falls = {(one.capability, one.lang) for one in fallen_capabilities([one for one in changes if one.is_judged])}
    return [(one, "bad" if (one.capability, one.lang) in falls else "quiet") for one in changes]


def _confusion_tables(pair: ConfusionPair) -> dict[str, list[tuple[str, list[tuple[str, int, bool]]]]]:
    """For each model the lines: a class, and per answer the percentage to print, the depth of its colour in tenths,
    and whether it is on the diagonal."""
    tables = {}
    for model, counts in (("champion", pair.champion), ("candidate", pair.candidate)):
        lines = []
        for place, (name, row) in enumerate(zip(pair.classes, counts, strict=True)):
            shares = [count / max(sum(row), 1) for count in row]
            cells = [
                (f"{100 * share:.0f}" if share >= MARKED_SHARE else "", -int(-10 * share // 1), column == place)
                for column, share in enumerate(shares)
            ]
            lines.append((name, cells))
        tables[model] = lines
    return tables


def _reliability(record: GateRecord, head: Head, t: Any) -> Markup:
    champion, candidate = record.curves[head]
    says = t("reliability", head=t(head))
    return reliability_picture(champion, candidate, says=says, confidence=t("confidence"), accuracy=t("accuracy"))


def _identity(one: SliceChange) -> tuple[str, str, str, str]:
    return one.part, one.kind, one.name, one.head


def _average(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
