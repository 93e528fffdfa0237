"""Why the classifier said what it said: attributions mapped back to the words of the text, checked by deletion.

On demand only, for a person or an alert's evidence: one explanation costs a backward pass for each window and some
forty forward passes for the check. Nothing on the way of a record imports this.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
from transformers import PreTrainedTokenizerBase

from core.errors import UsageError
from core.records import Opinion
from core.taxonomy import Head
from models.attribution import Method, attribute, blank_token
from models.batching import windows
from models.checkpoints import window_length
from models.classifier import OpinionClassifier
from models.deletion import Deletion, deletion_test
from models.inference import special_tokens_around
from models.long_text import OVERLAP_SHARE

# Scripts without spaces between words; each of their pieces is a word. Han, kana, Thai, Lao, Khmer, Burmese.
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_APOSTROPHES: Final = "'’"
MOST_WINDOWS: Final = 64  # of a very long text, as production reads it; the words between them get 0

Classify = Callable[[Sequence[str]], Sequence[Opinion]]
_Piece = tuple[int, int, float]


class WordAttribution(msgspec.Struct, frozen=True):
    """A word of the text and how much it speaks for the class (above 0) or against it, in log-odds.

    Attributes:
        text: `start` to `end` of the original text, in characters.
    """

    text: str
    start: int
    end: int
    attribution: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """An explained verdict.

    Attributes:
        label: the class explained; `class` in JSON.
        score: the calibrated score of that class.
        tokens: every word in the order of the text.
        deletion: the check; None where the text has fewer than two words.
    """

    text: str
    head: Head
    label: str = msgspec.field(name="class")
    score: float
    tokens: list[WordAttribution]
    method: Method
    model_version: str
    deletion: Deletion | None

    def top(self, most: int) -> list[WordAttribution]:
        """The words that speak most for the class, most first."""
        found = sorted(self.tokens, key=lambda word: -word.attribution)[:most]
        return [word for word in found if word.attribution > 0]


def explain(
    model: OpinionClassifier,
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    *,
    classify: Classify,
    head: Head = "sentiment",
    label: str | None = None,
    method: Method = "integrated",
    max_length: int = 256,
) -> Explanation:
    """Explain the verdict on one text. Blocks for tens of passes, most of a second; long texts take longer.

    Args:
        model, tokenizer: of the checkpoint that `classify` uses; any encoder, a fast tokenizer.
        classify: gives production's opinions, e.g. `inference.Classifier.classify`; scores are its.
        label: the class to explain; the verdict if absent.
        max_length: most tokens of one window, as `classify` cuts long texts.

    Raises:
        UsageError: the head does not know the class, or the tokenizer cannot say where a token stands.
    """
    (opinion,) = classify([text])
    names = model.config.heads[head]
    label = label or (opinion.topic_label if head == "topic" else opinion.sentiment)
    if label not in names:
        raise UsageError(f"the {head} head of {opinion.model_version} has no class {label}", remedy=", ".join(names))

    def scores(texts: Sequence[str]) -> list[float]:
        return [_scores(one, head)[label] for one in classify(texts)]

    pieces = _pieces(model, tokenizer, text, head, names.index(label), method, max_length)
    tokens = [
        WordAttribution(text[start:end], start, end, round(figure, 4)) for start, end, figure in _words(text, pieces)
    ]
    ranked = [(word.start, word.end) for word in sorted(tokens, key=lambda word: -word.attribution)]
    score = _scores(opinion, head)[label]
    return Explanation(
        text=text,
        head=head,
        label=label,
        score=score,
        tokens=tokens,
        method=method,
        model_version=opinion.model_version,
        deletion=deletion_test(text, ranked, score, scores),
    )


def _pieces(
    model: OpinionClassifier,
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    head: Head,
    index: int,
    method: Method,
    max_length: int,
) -> list[_Piece]:
    """Span and attribution of every piece: toward the class in its own window, the mean where two overlap."""
    if not tokenizer.is_fast:
        raise UsageError("the checkpoint's tokenizer is a slow one", remedy="save it as tokenizer.json")
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids: list[int] = encoded["input_ids"]
    before, after = special_tokens_around(tokenizer)
    blank = blank_token(tokenizer)
    room = min(max_length, window_length(tokenizer)) - len(before) - len(after)
    totals, seen = [0.0] * len(ids), [0] * len(ids)
    for start, end in windows(len(ids), room, room // OVERLAP_SHARE, MOST_WINDOWS):
        window = [*before, *ids[start:end], *after]
        blanks = [*before, *[blank] * (end - start), *after]
        figures = attribute(model, window, blanks, head=head, index=index, method=method)
        for nth in range(start, end):
            totals[nth] += figures[len(before) + nth - start]
            seen[nth] += 1
    spans = encoded["offset_mapping"]
    return [(start, end, totals[nth] / max(seen[nth], 1)) for nth, (start, end) in enumerate(spans)]


def _words(text: str, pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """Pieces put together to words, without the space around them; a word's figure is the sum of its pieces'."""
    word: _Piece | None = None
    for start, end, figure in pieces:
        start += len(text[start:end]) - len(text[start:end].lstrip())
        end = start + len(text[start:end].rstrip())
        if word and (start < word[1] or (start < end and start == word[1] and _is_inside_word(text, start))):
            word = (word[0], max(end, word[1]), word[2] + figure)
            continue
        if word:
            yield word
        word = (start, end, figure) if start < end else None
    if word:
        yield word


def _is_inside_word(text: str, at: int) -> bool:
    """Whether the characters on both sides of `at` belong to one word of a script that puts spaces between words."""
    return all((c.isalnum() or c in _APOSTROPHES) and not _UNSPACED.match(c) for c in text[at - 1 : at + 1])


def _scores(opinion: Opinion, head: Head) -> dict[str, float]:
    return opinion.topic_scores if head == "topic" else opinion.sentiment_scores
