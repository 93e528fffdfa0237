"""The words of a gate report, in the languages that people read it in."""

from typing import Final, Literal

from core.taxonomy import TOPIC_NAMES_ZH

Language = Literal["zh", "en"]

WORDS: Final[dict[str, dict[Language, str]]] = {
    "title": {"en": "Is {candidate} to follow {champion}?", "zh": "{candidate} 能否接替 {champion}？"},
    "accepted": {
        "en": "Accepted: {candidate} may follow {champion}: {gain} points of macro-F1 ({low} to {high}), and no "
        "check speaks against it.",
        "zh": "通过：{candidate} 可以接替 {champion}，宏平均 F1 变化 {gain} 个百分点（{low} 至 {high}），"
        "没有一项检查反对。",
    },
    "refused": {
        "en": "Refused: {candidate} may not follow {champion}, because of: {causes}. Its gain is {gain} points of "
        "macro-F1 ({low} to {high}).",
        "zh": "不予采用：{candidate} 不能接替 {champion}，原因：{causes}。"
        "宏平均 F1 变化 {gain} 个百分点（{low} 至 {high}）。",
    },
    "refused.blind": {
        "en": "Refused: {candidate} may not follow {champion}, because of: {causes}. There are no held-out labels.",
        "zh": "不予采用：{candidate} 不能接替 {champion}，原因：{causes}。没有留出标注。",
    },
    "judged": {"en": "Judged {at} by the policy “{policy}”", "zh": "评判时间 {at}，准则：{policy}"},
    "better": {"en": "better", "zh": "必须更好"},
    "not worse": {"en": "not worse", "zh": "不得更差"},
    "checks": {"en": "Checks", "zh": "检查"},
    "check": {"en": "check", "zh": "检查项"},
    "outcome": {"en": "outcome", "zh": "结果"},
    "found": {"en": "found", "zh": "依据"},
    "passed": {"en": "passed", "zh": "通过"},
    "no": {"en": "refused", "zh": "拒绝"},
    "open": {"en": "not judged", "zh": "未评判"},
    "held-out labels": {"en": "held-out labels", "zh": "留出标注"},
    "slices": {"en": "slices", "zh": "分组"},
    "calibration": {"en": "calibration", "zh": "置信度校准"},
    "replay texts": {"en": "forgetting", "zh": "遗忘"},
    "behaviour": {"en": "behaviour", "zh": "行为测试"},
    "speed": {"en": "speed", "zh": "速度"},
    "found.gain": {
        "en": "{gain} points of macro-F1 on {texts} texts, {confidence} "
        "% of resamples between {low} and {high}; must "
        "all be above {bound}. {gained} answers gained, {lost} lost, exact McNemar p = {chance}",
        "zh": "{texts} 条文本上宏平均 F1 变化 {gain} 个百分点，{confidence}% "
        "的重抽样在 {low} 与 {high} 之间，须全部高于 {bound}。"
        "改对 {gained} 个，改错 {lost} 个，McNemar 精确检验 p = {chance}",
    },
    "found.few": {"en": "Only {texts} texts: a weak verdict", "zh": "只有 {texts} 条文本，结论不稳"},
    "found.slices": {
        "en": "{judged} slices judged, {fallen} worse by more than {margin} points beyond chance",
        "zh": "评判 {judged} 个分组，其中 {fallen} 个下降超过 {margin} 个百分点且不能归于偶然",
    },
    "found.calibration": {
        "en": "{head}: error {after} points, before {before}, {rise} ({low} to {high}); may rise by {margin}",
        "zh": "{head}：校准误差 {after} 个百分点，原为 {before}，变化 {rise}（{low} 至 {high}），最多可升 {margin}",
    },
    "found.replay": {
        "en": "{texts} texts of what the champion knows: {measure} "
        "{after}, before {before}, {change} points; may lose {margin}",
        "zh": "现任模型已掌握的 {texts} 条文本：{measure} {after}，"
        "原为 {before}，变化 {change} 个百分点，最多可降 {margin}",
    },
    "found.replay.few": {
        "en": "Only {texts} texts of what the champion knows",
        "zh": "现任模型已掌握的文本只有 {texts} 条",
    },
    "found.nothing": {"en": "Nothing to judge by", "zh": "没有可供评判的数据"},
    "found.behaviour": {
        "en": "{after} of {cases} cases passed, before {before}; {fallen} capabilities fell",
        "zh": "{cases} 个用例通过 {after} 个，原为 {before} 个；{fallen} 项能力下降",
    },
    "found.speed": {
        "en": "{after} texts a second, before {before}: takes {slowdown} times as long; may take {most}",
        "zh": "每秒 {after} 条，原为 {before} 条：耗时为原来的 {slowdown} 倍，上限 {most} 倍",
    },
    "macro-F1": {"en": "macro-F1", "zh": "宏平均 F1"},
    "expected accuracy": {"en": "expected accuracy", "zh": "期望准确率"},
    "gain": {"en": "Gain on the held-out labels", "zh": "留出标注上的变化"},
    "mean": {"en": "mean of the heads", "zh": "两项平均"},
    "topic": {"en": "topic", "zh": "主题"},
    "sentiment": {"en": "sentiment", "zh": "情感"},
    "champion": {"en": "champion", "zh": "现任"},
    "candidate": {"en": "candidate", "zh": "候选"},
    "difference": {"en": "difference, points", "zh": "变化（百分点）"},
    "rows": {"en": "texts", "zh": "文本"},
    "part": {"en": "part", "zh": "组"},
    "language": {"en": "language", "zh": "语言"},
    "source": {"en": "source", "zh": "来源"},
    "class": {"en": "class", "zh": "类别"},
    "watchlist": {"en": "watchlist", "zh": "监测方案"},
    "slices.title": {"en": "Slices: share of right answers", "zh": "分组：答对的比例"},
    "slices.note": {
        "en": "The line is the interval of this slice alone; the "
        "dashed one is what may be lost. A slice is refused only "
        "if so many losses are no chance when all slices are looked at together (Holm).",
        "zh": "横线是该分组自身的区间，虚线是允许的下降。只有把所有分组合在一起看（"
        "Holm 校正）仍不能归于偶然的下降才会被拒绝。",
    },
    "slices.small": {
        "en": "Not judged ({count}): too few texts, or replay texts where people's answers judge the same slice",
        "zh": "未评判的分组（{count}）：文本太少，或同一分组已由人工标注评判",
    },
    "of.held-out labels": {"en": "held-out", "zh": "留出"},
    "of.replay texts": {"en": "replay", "zh": "回放"},
    "chance": {"en": "by chance", "zh": "偶然概率"},
    "changed": {"en": "gained / lost", "zh": "改对／改错"},
    "confusion": {"en": "Confusion, {head}", "zh": "混淆矩阵：{head}"},
    "confusion.note": {
        "en": "A line is a true class, in percent of its texts; the diagonal is right.",
        "zh": "每行是一个真实类别，数字为占该类文本的百分比；对角线为答对。",
    },
    "reliability": {"en": "Reliability, {head}", "zh": "可靠性：{head}"},
    "reliability.note": {
        "en": "On the diagonal a score is worth what it says.",
        "zh": "落在对角线上，说明置信度名副其实。",
    },
    "confidence": {"en": "confidence", "zh": "置信度"},
    "accuracy": {"en": "accuracy", "zh": "准确率"},
    "capability": {"en": "capability", "zh": "能力"},
    "cases": {"en": "cases", "zh": "用例"},
    "examples": {"en": "Answers that changed", "zh": "改变了的回答"},
    "examples.gained": {"en": "Gained: only the candidate is right", "zh": "改对：只有候选模型答对"},
    "examples.lost": {"en": "Lost: only the champion is right", "zh": "改错：只有现任模型答对"},
    "examples.none": {"en": "None.", "zh": "没有。"},
    "text": {"en": "text", "zh": "文本"},
    "truth": {"en": "true", "zh": "真实"},
    "learned": {"en": "Who learned from what", "zh": "训练与评判的数据"},
    "learned.from": {
        "en": "The candidate was trained from {champion}, on",
        "zh": "候选模型从 {champion} 出发，训练数据：",
    },
    "judged.on": {"en": "It was judged on held-out labels of", "zh": "评判所用的留出标注来自："},
    "dev": {"en": "On dev, which decided when to stop", "zh": "开发集（决定何时停止训练）"},
}


CLASSES_ZH: Final = {**TOPIC_NAMES_ZH, "negative": "负面", "neutral": "中性", "positive": "正面"}


def class_name(language: Language, name: str) -> str:
    """A class as people call it."""
    return CLASSES_ZH.get(name, name) if language == "zh" else name


def say(language: Language, key: str, **values: object) -> str:
    """A sentence or word.

    Raises:
        KeyError: there are no words for it.
    """
    return WORDS[key][language].format(**values)
