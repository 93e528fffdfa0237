"""How fast is the classifier, beside `transformers.pipeline`, the limit, and the matrix product of this machine?

    python -m benchmarks.classify [--documents 256] [--rounds 3] [--latency-seconds 15]

One mixed stream (seven comments to one article), MiniLM's weights for everyone, in turns, in one process:

- ours: `Classifier.classify` of all documents, from text to opinions, nothing cached;
- one by one, 64: `transformers.pipeline` as its documentation shows it (float32), alone and with `batch_size=64`;
- 64, same precision: the same in our precision, which is more than most would write;
- limit: transformers' own forward pass in our precision over perfectly length-sorted batches in the best of some
  sizes, with tokens made and padded beforehand and nothing done afterwards;
- matmul: the best of some matrix products in the same precision.

Then open-loop arrivals at 70 % of our own rate, one document a call, for the latencies. With a CUDA device, BERT-base
at 128 tokens beside the matrix product as well. Writes var/bench/classify.json.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    pipeline,
)
from transformers.utils import logging as transformers_logging

from benchmarks.contest.stream import mixed_stream
from benchmarks.contest.weights import load_tokenizer, write_checkpoints
from core.logs import configure_logs
from core.metrics import PADDING, TOKENS
from models.batching import padding_tokens, token_budget_batches
from models.checkpoints import load_checkpoint
from models.classifier import OpinionClassifier, OpinionConfig
from models.forward import ForwardPass
from models.inference import Classifier, pick_device

OUT = Path("var/bench/classify.json")
WINDOW_TOKENS = 256
LIMIT_BUDGETS = (1024, 2048, 4096)
LOAD = 0.7
CALLERS = 64  # threads for arrivals; more than ever wait at this load
SIDES = (1024, 2048)  # of the matrix products; larger ones take long on a CPU and are no faster
CUDA_BATCH, CUDA_TOKENS, CUDA_PASSES = 256, 128, 10
Rate = Callable[[], float]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def matmul_flops(dtype: torch.dtype, device: torch.device, sides: Sequence[int] = SIDES) -> float:
    """FLOP/s of the best square product, of ten tries each."""
    best = 0.0
    for side in sides:
        a, b = (torch.randn(side, side, dtype=dtype, device=device) for _ in range(2))
        for _ in range(10):
            best = max(best, 2 * side**3 / seconds(lambda: synchronised(lambda: a @ b, device)))  # noqa: B023
    return best


def synchronised(work: Callable[[], object], device: torch.device) -> None:
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()


def model_flops(config: PreTrainedConfig, lengths: Sequence[int]) -> float:
    """Of the linear layers and the attention of a BERT; embeddings, norms and activations are not counted."""
    width, layers = config.hidden_size, config.num_hidden_layers
    weights = layers * (4 * width * width + 2 * width * config.intermediate_size)
    return sum(2 * weights * length + 4 * layers * width * length * length for length in lengths)


class Contest:
    """The contestants over one list of texts; each method is one turn and gives documents per second."""

    def __init__(self, home: Path, documents: int) -> None:
        ours, theirs = write_checkpoints(home)
        self.tokenizer = load_tokenizer(ours)
        self.texts = mixed_stream(self.tokenizer, documents)
        self.classifier = Classifier.load(ours, max_length=WINDOW_TOKENS, cache_entries=0)
        self.dtype = getattr(torch, self.classifier.precision)
        self.device = pick_device("auto")
        self.encoded = sorted(self.tokenizer(self.texts)["input_ids"], key=len, reverse=True)
        self._pipelines = {
            dtype: pipeline(
                "text-classification",
                model=AutoModelForSequenceClassification.from_pretrained(theirs, dtype=dtype),
                tokenizer=self.tokenizer,
                device=self.device,
                top_k=None,
            )
            for dtype in (torch.float32, self.dtype)
        }
        self._limit_model = load_checkpoint(ours)[0].to(self.device, self.dtype)

    def ours(self) -> float:
        return len(self.texts) / seconds(lambda: self.classifier.classify(self.texts))

    def piped(self, dtype: torch.dtype, batch_size: int, documents: int) -> float:
        """The first `documents` only, where a contestant is slow; they are shuffled."""
        pipe = self._pipelines[dtype]
        return documents / seconds(lambda: pipe(self.texts[:documents], batch_size=batch_size))

    def limit(self) -> float:
        return max(self._sorted(budget) for budget in LIMIT_BUDGETS)

    @torch.inference_mode()
    def _sorted(self, budget: int) -> float:
        batches = [
            self.tokenizer.pad({"input_ids": [self.encoded[n] for n in batch]}, return_tensors="pt").to(self.device)
            for batch in token_budget_batches([len(ids) for ids in self.encoded], budget)
        ]

        def forward() -> None:
            for batch in batches:
                self._limit_model(batch["input_ids"], batch["attention_mask"])

        return len(self.encoded) / seconds(lambda: synchronised(forward, self.device))

    def padding_of(self, batch_size: int) -> float:
        """Share of padding in batches of the order of arrival."""
        lengths = [len(ids) for ids in self.tokenizer(self.texts)["input_ids"]]
        batches = [
            list(range(len(lengths)))[start : start + batch_size] for start in range(0, len(lengths), batch_size)
        ]
        padded = padding_tokens(lengths, batches)
        return padded / (padded + sum(lengths))


def counted(metric: Any) -> float:
    return float(next(iter(metric.collect())).samples[0].value)


def measure(contest: Contest, rounds: int) -> dict[str, Any]:
    """All contestants in turns, after one turn that warms up."""
    documents = len(contest.texts)
    turns: dict[str, Rate] = {
        "ours": contest.ours,
        "one by one": lambda: contest.piped(torch.float32, 1, documents // 2),
        "64": lambda: contest.piped(torch.float32, 64, documents // 2),
        "64, same precision": lambda: contest.piped(contest.dtype, 64, documents),
        "limit": contest.limit,
    }
    contest.ours()
    contest.limit()
    tokens, padding = counted(TOKENS), counted(PADDING)
    found: dict[str, list[float]] = {name: [] for name in turns}
    products: list[float] = []
    for _ in range(rounds):
        products.append(matmul_flops(contest.dtype, contest.device))
        for name, turn in turns.items():
            found[name].append(turn())
    wasted = counted(PADDING) - padding
    flops = model_flops(contest.classifier._model.config.encoder, [len(ids) for ids in contest.encoded]) / documents
    ratios = {
        name: median(ours / other for ours, other in zip(found["ours"], found[name], strict=True))
        for name in turns
        if name != "ours"
    }
    return {
        "documents_per_second": found,
        "ours_to": ratios,
        "padding": {
            "ours": wasted / (wasted + counted(TOKENS) - tokens),
            "64": contest.padding_of(64),
            "one by one": 0.0,
        },
        "matmul_gflops": [product / 1e9 for product in products],
        "model_gflops": [rate * flops / 1e9 for rate in found["ours"]],
        "share_of_matmul": median(
            rate * flops / product for rate, product in zip(found["ours"], products, strict=True)
        ),
        "tokens_per_document": sum(map(len, contest.encoded)) / documents,
    }


def latencies(contest: Contest, rate: float, duration: float) -> dict[str, float]:
    """Milliseconds from a document's planned arrival to its opinion, arrivals at random (Poisson), one a call."""
    dice, due, plan = random.Random(7), 0.0, []
    while due < duration:
        due += dice.expovariate(rate)
        plan.append((due, f"{contest.texts[len(plan) % len(contest.texts)]} {len(plan)}"))
    started = time.perf_counter()

    def arrive(arrival: tuple[float, str]) -> float:
        due, text = arrival
        time.sleep(max(0.0, started + due - time.perf_counter()))
        contest.classifier.classify([text])
        return (time.perf_counter() - started - due) * 1000

    with ThreadPoolExecutor(CALLERS) as callers:
        cuts = quantiles(callers.map(arrive, plan), n=100)
    return {"documents_per_second": rate, "p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


def bert_on_cuda(tokenizer: PreTrainedTokenizerBase) -> dict[str, float] | None:
    """BERT-base at 128 tokens, packed, in bfloat16, beside the matrix product; nothing without a CUDA device."""
    if not torch.cuda.is_available():
        print("BERT-base on CUDA: skipped, there is no CUDA device")
        return None
    device = torch.device("cuda")
    model = OpinionClassifier(OpinionConfig(encoder=BertConfig())).eval()
    batch = [[100] * CUDA_TOKENS] * CUDA_BATCH
    forward = ForwardPass(model, tokenizer, [[100] * 3, [101] * 9], device)
    forward.encoder.to(torch.bfloat16)

    def in_a_row() -> object:
        return [forward(batch) for _ in range(CUDA_PASSES)]  # as the engine asks

    synchronised(in_a_row, device)
    best = min(seconds(lambda: synchronised(in_a_row, device)) for _ in range(3)) / CUDA_PASSES
    rate = model_flops(BertConfig(), [CUDA_TOKENS] * CUDA_BATCH) / best
    product = matmul_flops(torch.bfloat16, device, (4096, 8192))
    print(f"BERT-base on CUDA: {CUDA_BATCH / best:.0f} documents/s, {rate / product:.2f} of the matrix product")
    return {"documents_per_second": CUDA_BATCH / best, "tflops": rate / 1e12, "share_of_matmul": rate / product}


def report(figures: dict[str, Any]) -> None:
    for name, rates in figures["documents_per_second"].items():
        ratio = figures["ours_to"].get(name)
        padding = figures["padding"].get(name)
        print(
            f"{name:20}"
            + "".join(f"{rate:8.1f}" for rate in rates)
            + " documents/s"
            + (f"   ours / {name}: {ratio:.2f}" if ratio else "")
            + (f"   padding {padding:.1%}" if padding is not None else "")
        )
    print(f"share of the best matrix product: {figures['share_of_matmul']:.2f}")
    late = figures["latency_ms"]
    print(f"at {LOAD:.0%} load: " + ", ".join(f"{name} {late[name]:.0f} ms" for name in ("p50", "p95", "p99")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-seconds", type=float, default=15)
    arguments = parser.parse_args()
    configure_logs("warning")
    transformers_logging.set_verbosity_error()  # it reports the rival's new head as missing
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(Path(folder), arguments.documents)
        figures = measure(contest, arguments.rounds)
        rate = LOAD * median(figures["documents_per_second"]["ours"])
        figures["latency_ms"] = latencies(contest, rate, arguments.latency_seconds)
        figures["bert_on_cuda"] = bert_on_cuda(contest.tokenizer)
    figures |= {
        "precision": contest.classifier.precision,
        "threads": torch.get_num_threads(),
        "processor": torch.cpu.get_capabilities().get("cpu_name", "unknown"),
    }
    report(figures)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
