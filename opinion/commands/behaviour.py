"""`opinion models behaviour`: does a checkpoint read negation, irony, emoji, typos; does it mind who is spoken of?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import GateRefusedError
from core.settings import load_settings
from opinion.champion import load_classifier

if TYPE_CHECKING:
    from models.behaviour import Report


def behaviour(
    checkpoint: Annotated[
        str | None, typer.Option(help="`starter`, a folder or a hub id; else the champion.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Refuse (exit code 5) if a capability falls behind this checkpoint's.")
    ] = None,
    cases: Annotated[Path | None, typer.Option(help="A folder of cases of your own, instead of ours.")] = None,
    failures: Annotated[int, typer.Option(help="Failing examples of each capability, language and type.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run the behaviour cases: pass rates by capability, language and test type, and the gaps between groups.

    Example: opinion models behaviour --checkpoint var/mine --against starter --failures 3
    """
    from models.behaviour import examine
    from models.behaviour_gate import compare, judge_behaviour
    from models.behaviour_suite import SUITE_FOLDER, load_suite

    suite = load_suite(cases or SUITE_FOLDER)
    settings = load_settings()
    classifier = load_classifier(settings, checkpoint)
    report = examine(suite, classifier.classify, classifier.version)
    is_passed, reasons = True, list[str]()
    if against is not None:
        champion = load_classifier(settings, against)
        changes = compare(examine(suite, champion.classify, champion.version), report)
        is_passed, reasons = judge_behaviour(changes)
    if as_json:
        gate = {"gate": {"is_passed": is_passed, "reasons": reasons}} if against is not None else {}
        typer.echo(json.dumps({**report.as_json(failures), **gate}, ensure_ascii=False))
    else:
        _print(report, failures, reasons)
    if not is_passed:
        raise GateRefusedError(
            f"{report.model_version} behaves worse than {against}", remedy="--failures 5 shows the cases it fails"
        )


def _print(report: "Report", failures: int, reasons: list[str]) -> None:
    console = Console()
    console.print(_rates(report))
    console.print(_gaps(report))
    for one in report.failures(failures):
        case = one.case
        expected = f", expected {' or '.join(case.expect)}" if case.expect else ""
        console.print(Text(f"{case.capability} ({case.lang}) {case.type}{expected}", style="bold"))
        for text, answer, negative in zip(case.texts, one.answers, one.negative, strict=True):
            console.print(Text(f"  {answer} (negative {negative:.2f}): {text}"))
    for reason in reasons:
        console.print(Text(reason))


def _rates(report: "Report") -> Table:
    table = Table("capability", "lang", "type", "passed", "cases", "share", title=report.model_version)
    for rate in report.rates():
        table.add_row(rate.capability, rate.lang, rate.type, str(rate.passed), str(rate.cases), f"{rate.share:.0%}")
    return table


def _gaps(report: "Report") -> Table:
    table = Table("swapped", "lang", "sentences", "mean negative score", "gap", "labels that flip")
    for gap in report.gaps():
        means = ", ".join(f"{group} {score:.3f}" for group, score in gap.negative.items())
        table.add_row(gap.capability, gap.lang, str(gap.sentences), Text(means), f"{gap.gap:.3f}", f"{gap.flips:.1%}")
    return table
