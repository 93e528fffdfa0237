"""The card beside the weights: what a checkpoint was trained on, how good it is, what to beware of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.taxonomy import UNCERTAIN_BELOW, Head
from models.card_figures import EVERYTHING, CardFigures
from models.classifier import OpinionConfig, Temperature
from models.evaluation import HeadFigures
from models.lineage import ModelVersion
from models.reliability import TradeOff, reliability


@dataclass(frozen=True)
class CardFacts:
    """What a card says beyond what the checkpoint itself knows and what is measured for it.

    Attributes:
        recipe: name of the recipe, or "fine-tuning on new labels".
        rows: training rows by file or kind.
        dev: macro-F1 figures on dev.
        notes: caveats.
        baselines: accuracy and macro-F1, in percent, to beat, by file name and head.
        baseline: what reached them.
        sections: titles with Markdown, shown as they are.
    """

    recipe: str
    rows: Mapping[str, int]
    dev: Mapping[str, float]
    notes: Sequence[str] = ()
    baselines: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    baseline: str = "the linear n-gram baseline"
    sections: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Pictures:
    """File names beside the card.

    Attributes:
        files: accuracy per file; None where there are no files.
        reliability, confusion: per head.
    """

    files: str | None
    reliability: Mapping[Head, str]
    confusion: Mapping[Head, str]


def model_card(
    version: ModelVersion,
    config: OpinionConfig,
    parameters: int,
    facts: CardFacts,
    figures: CardFigures,
    pictures: Pictures,
) -> str:
    """The card as Markdown. Figures are percentages."""
    lines = [
        f"# {version.version}",
        "",
        "Topic and sentiment of Chinese and English news, comments and posts: one encoder, two heads.",
        "",
        f"- trained: {version.created_at:%Y-%m-%d}, recipe: {facts.recipe}",
        f"- parent: {version.parent or 'none, trained from nothing'}",
        f"- encoder: {config.encoder.model_type}, {parameters / 1e6:.1f} M parameters, weights in safetensors",
        f"- sha256 of the weights: `{version.weights_sha256}`",
        "",
        *_summary(facts, figures, pictures),
        *_use(config),
        *_training(facts),
        *_measured(figures, pictures),
        *_calibration(figures, pictures),
        *_uncertain(figures),
    ]
    for title, markdown in facts.sections:
        lines += [f"## {title}", "", markdown.strip(), ""]
    lines += ["## Caveats", "", *(f"- {note}" for note in (*CAVEATS, *facts.notes)), ""]
    return "\n".join(lines)


CAVEATS = (
    "Labels of the sources are noisy, and sources label the same style differently (a company's results are "
    "`stocks` in one and `finance` in another): read the figures per file.",
    "Figures on files without neutral rows are low in accuracy when the model answers neutral; those of the present "
    "classes leave that choice out.",
    "Irony, context outside of the text, and languages other than Chinese and English are beyond it.",
)


def _summary(facts: CardFacts, figures: CardFigures, pictures: Pictures) -> list[str]:
    """What people look for first: one line per file, and whether it was worth it."""
    if not figures.files:
        return []
    lines, wins = [], []
    for file, head, found in _each_file(figures):
        accuracy, macro_f1 = 100 * found["accuracy_present"], 100 * found["macro_f1_present"]
        cells = [f"{accuracy:.1f}", f"{macro_f1:.1f}"]
        if base := facts.baselines.get((file, head)):
            wins.append(accuracy > base[0] and macro_f1 > base[1])
            differences = f"{accuracy - base[0]:+.1f} / {macro_f1 - base[1]:+.1f}"
            cells += [f"{base[0]:.1f} / {base[1]:.1f}", differences, "yes" if wins[-1] else "no"]
        elif facts.baselines:
            cells += ["", "", ""]
        lines.append((file, head, *cells))
    header = ("file", "head", "accuracy", "macro-F1", *BASELINE_COLUMNS[: 3 if facts.baselines else 0])
    verdict = f" It beats {facts.baseline} in both on {sum(wins)} of {len(wins)} files." if wins else ""
    return [
        "## At a glance",
        "",
        f"Test files, the choice limited to classes that a file has, in percent.{verdict}",
        "",
        *_table(header, lines),
        "",
        *_picture(pictures.files, "Accuracy per test file"),
    ]


BASELINE_COLUMNS = ("baseline", "difference", "better in both")


def _use(config: OpinionConfig) -> list[str]:
    return [
        "## Intended use",
        "",
        "Counting opinions over many documents, and finding surges in them. Single verdicts are often wrong: let",
        "people check the documents behind an alert. Not for decisions about a person.",
        "",
        *(f"- {head}: {', '.join(classes)}" for head, classes in config.heads.items()),
        "",
    ]


def _training(facts: CardFacts) -> list[str]:
    return [
        "## Training data",
        "",
        *_table(("data", "rows"), [(name, f"{rows:,}") for name, rows in facts.rows.items()]),
        "",
        *_dev(facts.dev),
    ]


def _dev(dev: Mapping[str, float]) -> list[str]:
    return [f"On dev: {', '.join(f'{name} {100 * value:.1f}' for name, value in dev.items())}.", ""] if dev else []


def _measured(figures: CardFigures, pictures: Pictures) -> list[str]:
    if not figures.files:
        return []
    lines = []
    for file, head, found in _each_file(figures):
        by_language = {language: heads[head] for language, heads in figures.languages[file].items() if head in heads}
        whole = EVERYTHING if len(by_language) > 1 else next(iter(by_language))
        lines.append((file, head, whole, f"{found['rows']:,}", *_shares(found, FIGURES)))
        if len(by_language) > 1:
            lines += [
                (file, head, language, f"{one['rows']:,}", *_shares(one, FIGURES))
                for language, one in by_language.items()
            ]
    classes = [
        (file, head, name, f"{one['rows']:,}", *_shares(one, ("precision", "recall", "f1")))
        for file, head, found in _each_file(figures)
        for name, one in found["per_class"].items()
    ]
    return [
        "## Measured",
        "",
        "Over all classes that the model knows; ECE is the expected calibration error in 15 bins.",
        "",
        *_table(("file", "head", "lang", "rows", *(name.replace("_", "-") for name in FIGURES)), lines),
        "",
        "<details><summary>Per class</summary>",
        "",
        *_table(("file", "head", "class", "rows", "precision", "recall", "F1"), classes),
        "",
        "</details>",
        "",
        *(line for head, file in pictures.confusion.items() for line in _picture(file, f"Confusion, {head}")),
    ]


FIGURES = ("accuracy", "macro_f1", "macro_recall", "ece")


def _calibration(figures: CardFigures, pictures: Pictures) -> list[str]:
    if not figures.calibration:
        return []
    lines = []
    for head, found in figures.calibration.items():
        for name, after in found.after.items():
            errors = [reliability(part).expected_error for part in (found.before[name], after)]
            cells = [f"{100 * error:.1f}" for error in errors]
            lines.append((head, _temperature(found.temperature), name, f"{len(after.is_right):,}", *cells))
    return [
        "## Calibration",
        "",
        "Scores are divided by a temperature that was fitted on dev. The expected calibration error without and with",
        "it, on test files that took no part in that, the choice limited to classes that a file has:",
        "",
        *_table(("head", "temperature", "lang", "rows", "ECE before", "ECE after"), lines),
        "",
        *(line for head, file in pictures.reliability.items() for line in _picture(file, f"Reliability, {head}")),
    ]


def _uncertain(figures: CardFigures) -> list[str]:
    if not figures.trade_offs:
        return []
    lines = [
        (
            head,
            f"**{line.threshold:g}**" if line.threshold == UNCERTAIN_BELOW else f"{line.threshold:g}",
            *_cells(line),
        )
        for head, trade_offs in figures.trade_offs.items()
        for line in trade_offs
    ]
    header = ("head", "uncertain below", "uncertain", "accuracy of these", "of the others", "errors among them")
    return [
        "## When it is unsure",
        "",
        "An answer is marked uncertain where the best score of its head is below `models.uncertain_below`",
        f"({UNCERTAIN_BELOW:g} unless set otherwise). What other thresholds would do, on dev rows of sources that",
        "know every class:",
        "",
        *_table(header, lines),
        "",
    ]


def _cells(line: TradeOff) -> list[str]:
    shares = (line.uncertain, line.accuracy_uncertain, line.accuracy_certain, line.errors_caught)
    return ["" if share is None else f"{100 * share:.1f}" for share in shares]


def _each_file(figures: CardFigures) -> Iterable[tuple[str, str, HeadFigures]]:
    return ((file, head, found) for file, heads in figures.files.items() for head, found in heads.items())


def _shares(figures: HeadFigures, names: Iterable[str]) -> list[str]:
    return [f"{100 * figures[name]:.1f}" for name in names]


def _temperature(temperature: Temperature) -> str:
    if isinstance(temperature, dict):
        return ", ".join(f"{script} {value:.3f}" for script, value in temperature.items())
    return f"{temperature:.3f}"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *lines)]


def _picture(file: str | None, title: str) -> list[str]:
    return [f"![{title}]({file})", ""] if file else []
