"""The card beside the weights: what a checkpoint was trained on, how good it is, what to beware of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.classifier import OpinionConfig
from models.evaluation import HeadFigures
from models.registry import ModelVersion


@dataclass(frozen=True)
class CardFacts:
    """What a card says beyond what the checkpoint itself knows.

    Attributes:
        recipe: name of the recipe, or "fine-tuning on new labels".
        rows: training rows by file or kind.
        dev: macro-F1 figures on dev.
        tests: figures per test file and head, as `evaluation.evaluate` gives them.
        notes: caveats.
    """

    recipe: str
    rows: Mapping[str, int]
    dev: Mapping[str, float]
    tests: Mapping[str, Mapping[str, HeadFigures]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def model_card(version: ModelVersion, config: OpinionConfig, parameters: int, facts: CardFacts) -> str:
    """The card as Markdown."""
    return "\n".join(
        [
            f"# {version.version}",
            "",
            "Topic and sentiment of Chinese and English news, comments and posts: one encoder, two heads.",
            "",
            f"- trained: {version.created_at:%Y-%m-%d}, recipe: {facts.recipe}",
            f"- parent: {version.parent or 'none, trained from nothing'}",
            f"- encoder: {config.encoder.model_type}, {parameters / 1e6:.1f} M parameters, weights in safetensors",
            f"- sha256 of the weights: `{version.weights_sha256}`",
            f"- calibration temperatures: {_inline(config.temperatures)}",
            "",
            "## Intended use",
            "",
            "Counting opinions over many documents, and finding surges in them. Single verdicts are often wrong: let",
            "people check the documents behind an alert. Not for decisions about a person.",
            "",
            *(f"- {head}: {', '.join(classes)}" for head, classes in config.heads.items()),
            "",
            "## Training data",
            "",
            "| data | rows |",
            "|---|---|",
            *(f"| {name} | {rows:,} |" for name, rows in facts.rows.items()),
            "",
            f"Dev macro-F1 of the kept checkpoint: {_inline(facts.dev)}.",
            "",
            *_tests(facts.tests),
            "## Caveats",
            "",
            *(f"- {note}" for note in (*CAVEATS, *facts.notes)),
            "",
        ]
    )


CAVEATS = (
    "Labels of the sources are noisy, and sources label the same style differently (a company's results are "
    "`stocks` in one and `finance` in another): read the figures per file.",
    "Figures on files without neutral rows are low in accuracy when the model answers neutral; "
    "`accuracy_present` leaves that choice out.",
    "Irony, context outside of the text, and languages other than Chinese and English are beyond it.",
)


def _tests(tests: Mapping[str, Mapping[str, HeadFigures]]) -> list[str]:
    if not tests:
        return []
    return [
        "## Measured",
        "",
        "| file | head | rows | accuracy | accuracy, present classes | macro-F1 | macro-recall | ECE |",
        "|---|---|---|---|---|---|---|---|",
        *(_test_row(file, head, figures) for file, heads in tests.items() for head, figures in heads.items()),
        "",
    ]


def _test_row(file: str, head: str, figures: HeadFigures) -> str:
    cells = [f"{figures[name]:.3f}" for name in ("accuracy", "accuracy_present", "macro_f1", "macro_recall", "ece")]
    return f"| {file} | {head} | {figures['rows']:,} | {' | '.join(cells)} |"


def _inline(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
