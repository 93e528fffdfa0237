"""Words of lists of documents."""

WORDS: dict[str, tuple[str, str]] = {
    "documents": ("Documents", "文档"),
    "documents.newest": ("Newest documents", "最新文档"),
    "documents.more": ("All documents", "所有文档"),
    "documents.next": ("Older documents", "更早的文档"),
    "documents.first": ("Back to the newest", "回到最新"),
    "documents.whole": ("Whole text", "全文"),
    "documents.source": ("Original", "原文"),
    "documents.scores": (
        "negative {negative}, neutral {neutral}, positive {positive}; model {model}",
        "负面 {negative}，中性 {neutral}，正面 {positive}；模型 {model}",
    ),
    "documents.revision": ("revision {n}", "第 {n} 次修订"),
    "documents.corrected": ("corrected", "人工更正"),
    "documents.corrected.title": (
        "corrected by {by} on {at}; the model said {judged}",
        "{by} 于 {at} 更正；模型判断为 {judged}",
    ),
    "documents.label": ("Label", "标注"),
    "documents.unsure": ("unsure", "不确定"),
    "documents.unsure.sentiment": (
        "The model is unsure of this sentiment: its best score is low.",
        "模型对该情感判断没有把握：最高得分偏低。",
    ),
    "documents.unsure.topic": (
        "The model is unsure of this topic: its best score is low.",
        "模型对该主题判断没有把握：最高得分偏低。",
    ),
    "documents.empty": ("No document matches", "没有符合条件的文档"),
    "documents.empty.why": (
        "There are documents, but none in this range with these filters.",
        "库里有文档，但在这个范围和筛选条件下没有。",
    ),
    "documents.empty.next": ("Show everything", "显示全部"),
}
