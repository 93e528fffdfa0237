"""The verdict of a gate report in words: one sentence for the whole, and what each check found."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from models.behaviour_gate import fallen_capabilities
from models.gate import FEW_REPLAY_TEXTS, REPLAY_TOLERANCE
from models.gate_checks import points, readable
from models.gate_gain import FEW_TEXTS
from models.gate_record import GateRecord
from models.gate_report_words import Language, class_name, say
from models.gate_slices import SliceChange, fallen


@dataclass(frozen=True)
class CheckLine:
    """A line of the table of checks; `tone` is `good`, `bad` or `quiet`."""

    name: str
    tone: str
    outcome: str
    found: list[str]


def verdict_sentence(record: GateRecord, language: Language = "en") -> str:
    """The whole verdict in one sentence."""
    gain = record.figures.gain
    causes = dict.fromkeys(say(language, check.name) for check in record.verdict.checks if check.is_passed is False)
    names = {
        "candidate": record.candidate,
        "champion": record.champion,
        "causes": (", " if language == "en" else "、").join(causes),
    }
    if gain is None:
        return say(language, "refused.blind", **names)
    key = "accepted" if record.verdict.is_accepted else "refused"
    return say(
        language,
        key,
        gain=points(gain.mean.estimate),
        low=points(gain.mean.low),
        high=points(gain.mean.high),
        **names,
    )


def slice_name(one: SliceChange, language: Language) -> str:
    """What the slice is of, on one line."""
    return class_name(language, one.name) if one.kind == "class" else readable(one.name)


def check_lines(record: GateRecord, language: Language) -> list[CheckLine]:
    """The table of checks, in the order in which the gate looks."""
    t = partial(say, language)
    found = {
        "held-out labels": _found_gain(record, t),
        "slices": _found_slices(record, t, language),
        "calibration": _found_calibration(record, t),
        "replay texts": _found_replay(record, t),
        "behaviour": _found_behaviour(record, t),
        "speed": _found_speed(record, t),
    }
    lines = []
    for name, sentences in found.items():
        decided = [check.is_passed for check in record.verdict.checks if check.name == name]
        tone = "bad" if False in decided else "good" if True in decided else "quiet"
        lines.append(CheckLine(t(name), tone, t({"bad": "no", "good": "passed", "quiet": "open"}[tone]), sentences))
    return lines


def _found_gain(record: GateRecord, t: Any) -> list[str]:
    gain, options = record.figures.gain, record.options
    if gain is None:
        return [t("found.nothing")]
    sentence = t(
        "found.gain",
        texts=gain.texts,
        confidence=f"{100 * options.confidence:.0f}",
        bound=f"{0 if options.policy == 'better' else -100 * options.margin:g}",
        gained=gain.gained,
        lost=gain.lost,
        chance=f"{gain.chance:.2g}",
        gain=points(gain.mean.estimate),
        low=points(gain.mean.low),
        high=points(gain.mean.high),
    )
    return [sentence, *([t("found.few", texts=gain.texts)] if gain.texts < FEW_TEXTS else [])]


def _found_slices(record: GateRecord, t: Any, language: Language) -> list[str]:
    judged = [one for one in record.figures.slices if one.is_judged]
    falls = fallen(record.figures.slices, record.options)
    return [
        t(
            "found.slices",
            judged=len(judged),
            fallen=len(falls),
            margin=f"{100 * record.options.slice_margin:g}",
        ),
        *(f"{t(one.kind)} {slice_name(one, language)} ({t(one.head)}): {points(one.change)}" for one in falls),
    ]


def _found_calibration(record: GateRecord, t: Any) -> list[str]:
    return [
        t(
            "found.calibration",
            head=t(one.head),
            after=f"{100 * one.candidate:.1f}",
            before=f"{100 * one.champion:.1f}",
            rise=points(one.rise.estimate),
            low=points(one.rise.low),
            high=points(one.rise.high),
            margin=f"{100 * record.options.calibration_margin:g}",
        )
        for one in record.figures.calibration
    ]


def _found_replay(record: GateRecord, t: Any) -> list[str]:
    replay = record.figures.replay
    if replay.texts < FEW_REPLAY_TEXTS:
        return [t("found.replay.few", texts=replay.texts)]
    return [
        t(
            "found.replay",
            texts=replay.texts,
            measure=t(replay.measure),
            after=f"{replay.candidate_mean:.4f}",
            before=f"{replay.champion_mean:.4f}",
            change=points(replay.gain),
            margin=f"{100 * REPLAY_TOLERANCE:g}",
        )
    ]


def _found_behaviour(record: GateRecord, t: Any) -> list[str]:
    judged = [one for one in record.figures.behaviour if one.is_judged]
    if not judged:
        return [t("found.nothing")]
    return [
        t(
            "found.behaviour",
            after=sum(one.candidate for one in judged),
            before=sum(one.champion for one in judged),
            cases=sum(one.cases for one in judged),
            fallen=len(fallen_capabilities(judged)),
        )
    ]


def _found_speed(record: GateRecord, t: Any) -> list[str]:
    speed = record.figures.speed
    if speed is None:
        return [t("found.nothing")]
    return [
        t(
            "found.speed",
            after=f"{speed.candidate:g}",
            before=f"{speed.champion:g}",
            slowdown=f"{speed.slowdown:g}",
            most=f"{record.options.most_slowdown:g}",
        )
    ]
