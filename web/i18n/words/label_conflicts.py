"""Words of the pages on what annotators differ about, and how far they agree."""

WORDS: dict[str, tuple[str, str]] = {
    "conflicts": ("Conflicts", "分歧"),
    "conflicts.more": ("More about labelling", "标注相关页面"),
    "conflicts.said": ("What was said", "各人的判断"),
    "conflicts.right.sentiment": ("The right sentiment", "正确的情感"),
    "conflicts.right.topic": ("The right topic", "正确的话题"),
    "conflicts.settle": ("Settle", "裁定"),
    "conflicts.means": (
        "What you settle wins over all other answers, and a later ruling over yours. Models learn from it then.",
        "裁定优先于其他所有答案，之后的裁定又优先于之前的。模型会据此学习。",
    ),
    "conflicts.role": ("Only analysts settle conflicts.", "只有分析员可以裁定分歧。"),
    "conflicts.list": ("All that wait: {n}", "全部待裁定：{n}"),
    "conflicts.text": ("Text", "文本"),
    "conflicts.head": ("Question", "问题"),
    "conflicts.empty": ("Nobody disagrees", "没有分歧"),
    "conflicts.empty.why": (
        "A conflict is a text that people answer differently, without a majority. There is none that waits.",
        "分歧是指不同的人给出不同答案、且没有多数意见的文本。目前没有待裁定的。",
    ),
    "conflicts.note.settled": ("Settled.", "已裁定。"),
    "conflicts.note.known": ("That one is settled already.", "该条已经裁定过了。"),
    "conflicts.note.unanswered": ("Nothing is chosen yet.", "还没有选择答案。"),
    "agreement": ("Agreement", "一致性"),
    "agreement.together": ("How far people agree", "标注人之间的一致程度"),
    "agreement.who": ("Who", "标注人"),
    "agreement.all": ("all {n}", "全部 {n} 人"),
    "agreement.texts": ("Texts in common", "共同标注"),
    "agreement.same": ("Same answer", "答案相同"),
    "agreement.figure": ("Figure", "系数"),
    "agreement.means": ("What it means", "含义"),
    "agreement.good": ("good", "良好"),
    "agreement.fair": ("fair", "尚可"),
    "agreement.poor": ("poor", "偏低"),
    "agreement.why": (
        "Krippendorff's α for all together, Cohen's κ for a pair: 1 is full agreement, 0 what chance alone would "
        "give. From 0.8 on people agree well; below 0.67 the guideline is not clear enough.",
        "整体用 Krippendorff α，两人之间用 Cohen κ：1 表示完全一致，0 相当于随机。0.8 以上为良好；低于 0.67 说明标注"
        "规范还不够明确。",
    ),
    "agreement.empty": ("Nobody has answered about the same texts", "还没有人标注过相同的文本"),
    "agreement.empty.why": (
        "Agreement is measured on texts that two people or more have answered about. The queue hands some out twice.",
        "一致性用至少两人标注过的文本来衡量。队列会把一部分文本分发给两个人。",
    ),
    "agreement.queue": ("Waiting in the queue, by reason", "队列中待标注（按原因）"),
    "agreement.queue.empty": ("The queue is empty.", "队列是空的。"),
    "agreement.queue.more": (
        "In somebody's hands: {taken}; answered by too few: {partly}; answered: {done}, of them {day} in the last 24 "
        "h; given up: {skipped}.",
        "正在标注：{taken}；人数不足：{partly}；已完成：{done}（最近 24 小时 {day}）；放弃：{skipped}。",
    ),
    "agreement.progress": ("Answers by person, the last {n} days", "每人每天的答案数（最近 {n} 天）"),
    "agreement.progress.empty": ("Nobody has answered in these days.", "这些天没有人标注。"),
    "agreement.person": ("Person", "标注人"),
    "agreement.sum": ("Sum", "合计"),
}
