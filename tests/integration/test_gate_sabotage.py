"""The real starter as champion, and copies of it that were spoilt on purpose: each refused, and for what it is."""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from core.records import Opinion
from models.checkpoints import load_checkpoint, resolve, save_checkpoint
from models.datasets import LabelledText
from models.gate import GateFigures, judge
from models.gate_options import GateOptions
from models.gate_verdict import Verdict
from models.inference import Classifier
from models.replay import Replay
from opinion.candidate_judging import measure

SHARED = Path(__file__).parents[3] / "shared" / "data"
FILES = (
    "sentiment/bank_comments.test",
    "sentiment/weibo_emotion.test",
    "sentiment/semeval_tweets.test",
    "sentiment/financial_phrasebank.test",
    "topic/tnews.test",
    "topic/ag_news.test",
)
ROWS_OF_A_FILE = 30
LATIN = re.compile("[A-Za-z]")
OPTIONS = GateOptions(policy="not worse", slice_rows=20)
pytestmark = pytest.mark.needs_shared


class Reader:
    """A classifier of which the gate needs no more than this; it may read everything twice."""

    def __init__(self, inner: Classifier, *, is_slow: bool = False) -> None:
        self.version = inner.version
        self._inner = inner
        self._is_slow = is_slow

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        if self._is_slow:
            self._inner.classify(texts)
        return self._inner.classify(texts)


def read(name: str) -> Iterator[LabelledText]:
    with gzip.open(SHARED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if (row["topic"] or row["sentiment"]) and "|" not in (row["topic"] or ""):
                yield LabelledText(row["text"][:80], row["topic"], row["sentiment"], row["lang"], name)


@pytest.fixture(scope="module")
def rows() -> list[LabelledText]:
    """The same few hundred short texts always, of two languages and both heads."""
    return [row for name in FILES for row, _ in zip(read(name), range(ROWS_OF_A_FILE), strict=False)]


@pytest.fixture(scope="module")
def champion() -> Classifier:
    return load(resolve("starter"))


@pytest.fixture(scope="module")
def before(champion: Classifier, rows: list[LabelledText]) -> list[Opinion]:
    """What the champion says of them."""
    return champion.classify([row.text for row in rows])


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return spoilt(tmp_path_factory.mktemp("models") / "flipped", "flipped")


@pytest.fixture(autouse=True)
def few_texts_for_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.gate_speed.TEXTS", 6)


def load(folder: Path) -> Classifier:
    return Classifier.load(folder, device="cpu", cache_entries=0, threads=1)


def figures(
    champion: Classifier, candidate: Classifier | Reader, rows: list[LabelledText], before: list[Opinion]
) -> GateFigures:
    after = before if isinstance(candidate, Reader) else candidate.classify([row.text for row in rows])
    return measure(
        rows,
        (before, after),
        Replay([], [], [], [], "file"),
        champion,
        candidate,  # type: ignore[arg-type]
        OPTIONS,
        texts=rows,
        behaviour=None,
    )


def causes(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.is_passed is False}


def spoilt(folder: Path, spoil: str) -> Classifier:
    """A copy of the starter with some of its weights changed."""
    model, tokenizer = load_checkpoint(resolve("starter"))
    with torch.no_grad():
        if spoil == "flipped":
            model.heads["sentiment"].weight.neg_()
            model.heads["sentiment"].bias.neg_()
        elif spoil == "one language":
            embeddings = model.encoder.get_input_embeddings().weight
            pieces = tokenizer.convert_ids_to_tokens(range(len(embeddings)))
            kept = set(tokenizer.all_special_ids)
            latin = [at for at, piece in enumerate(pieces) if at not in kept and LATIN.search(piece)]
            embeddings[latin] = embeddings[latin[0]].clone()
        elif spoil == "overconfident":
            model.config.temperatures = dict.fromkeys(model.config.heads, 0.1)
    save_checkpoint(model, tokenizer, folder)
    return load(folder)


def test_the_same_model_is_not_worse_and_not_better(
    champion: Classifier, rows: list[LabelledText], before: list[Opinion]
) -> None:
    """Equal to the last answer: it passes where it must not be worse, and not where it must be better."""
    same = figures(champion, Reader(champion), rows, before)
    assert judge(same, OPTIONS).is_accepted
    verdict = judge(same, GateOptions(policy="better"))
    assert causes(verdict) == {"held-out labels"}
    assert verdict.reasons[0].startswith(
        f"refused: held-out labels ({len(rows)} texts): +0.0 points of macro-F1, 90 %"
    )


def test_flipped_labels_are_refused(
    champion: Classifier, rows: list[LabelledText], before: list[Opinion], flipped: Classifier
) -> None:
    """A head that says the opposite is worse on the held-out labels, which comes first."""
    verdict = judge(figures(champion, flipped, rows, before), OPTIONS)
    assert not verdict.is_accepted
    assert verdict.reasons[0].startswith("refused: held-out labels")


def test_what_is_truly_better_is_accepted(
    champion: Classifier, rows: list[LabelledText], flipped: Classifier
) -> None:
    """The other way round: the honest model after the one with flipped labels, by the strict policy."""
    better = figures(flipped, champion, rows, flipped.classify([row.text for row in rows]))
    verdict = judge(better, GateOptions(policy="better"))
    assert verdict.is_accepted, verdict.reasons


def test_a_destroyed_language_is_refused_by_its_name(
    champion: Classifier, rows: list[LabelledText], before: list[Opinion], tmp_path: Path
) -> None:
    """All pieces in Latin letters read alike: English is gone, and the reason says English and not Chinese."""
    verdict = judge(figures(champion, spoilt(tmp_path, "one language"), rows, before), OPTIONS)
    languages = [reason for reason in verdict.reasons if "language " in reason and reason.startswith("refused")]
    assert languages, verdict.reasons
    assert all("language en" in reason for reason in languages)


def test_twice_as_slow_is_refused(champion: Classifier, rows: list[LabelledText], before: list[Opinion]) -> None:
    """As good in every answer, but it reads everything twice."""
    verdict = judge(figures(champion, Reader(champion, is_slow=True), rows, before), OPTIONS)
    assert causes(verdict) == {"speed"}
    assert "times as long, may take 1.5" in verdict.reasons[0]


def test_scores_that_lie_are_refused(
    champion: Classifier, rows: list[LabelledText], before: list[Opinion], tmp_path: Path
) -> None:
    """The same answers, each said with certainty."""
    verdict = judge(figures(champion, spoilt(tmp_path, "overconfident"), rows, before), OPTIONS)
    assert causes(verdict) == {"calibration"}
