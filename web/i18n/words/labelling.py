"""Words of the page to label on."""

WORDS: dict[str, tuple[str, str]] = {
    "label": ("Label", "标注"),
    "label.who": ("Who answers?", "谁来标注？"),
    "label.who.why": (
        (
            "Every answer keeps its annotator, so that people can be compared and disagreements settled. The name "
            "stays in this browser."
        ),
        "每个答案都记下标注人，以便比较不同人的判断并裁定分歧。名字保存在这个浏览器里。",
    ),
    "label.name": ("Name", "名字"),
    "label.begin": ("Begin", "开始"),
    "label.today": ("today", "今天"),
    "label.ever": ("in all", "总计"),
    "label.waiting": ("in the queue", "待标注队列"),
    "label.undo": ("Undo", "撤销"),
    "label.skip": ("Skip", "跳过"),
    "label.submit": ("Submit and next", "提交，下一篇"),
    "label.sentiment": ("Sentiment", "情感"),
    "label.topic": ("Topic", "话题"),
    "label.verdict": ("The model's verdict", "模型的判断"),
    "label.people": ("People say:", "人工判断："),
    "label.parent": ("What it answers to, from", "它所回应的文档，来自"),
    "label.parent.unknown": ("What it answers to is not stored.", "它回应的文档不在库里。"),
    "label.adjudicate": ("This settles it: it wins over other people's answers", "裁定：优先于其他人的答案"),
    "label.empty": ("Nothing to label", "没有要标注的文档"),
    "label.empty.why": (
        "The queue is empty, and you have answered or skipped the newest documents.",
        "队列是空的，最新的文档你都已经标注或跳过。",
    ),
    "label.reason.title": ("Why this document was chosen", "为什么选出这一篇"),
    "label.reason.uncertain": ("the model is unsure", "模型没有把握"),
    "label.reason.diverse": ("rare content", "少见的内容"),
    "label.reason.alert": ("could change an alert", "可能改变一次告警"),
    "label.reason.random": ("random sample", "随机抽取"),
    "label.half": (
        "One question is open. Enter again to submit the other answer alone.",
        "还有一项没有选。再按一次回车，只提交已选的一项。",
    ),
    "label.lost": ("Not saved: the console does not answer. Try again.", "没有保存：控制台没有应答。请再试一次。"),
    "label.note.saved": ("Saved.", "已保存。"),
    "label.note.known": ("This answer had been saved before.", "这份答案之前已经保存过。"),
    "label.note.skipped": ("Skipped.", "已跳过。"),
    "label.note.undone": ("The last answer is taken back; choose again.", "已撤销上一个答案；可以重新选择。"),
    "label.note.nothing_to_undo": ("There is no answer to take back.", "没有可以撤销的答案。"),
    "label.note.changed": (
        "The document has changed meanwhile: judge what it says now.",
        "这篇文档在此期间有了改动，请按新的文字判断。",
    ),
    "label.note.gone": ("This document is no longer stored.", "这篇文档已不在库里。"),
    "label.note.unanswered": ("Nothing is chosen yet.", "还没有选择。"),
    "label.help": ("Keys", "快捷键"),
    "label.key.digits": (
        "choose in the current question, the one with the coloured edge",
        "选择当前这一项（左侧有色条的那一组）",
    ),
    "label.key.letters": ("choose the topic with this letter, at any time", "随时选择标有该字母的话题"),
    "label.key.submit": ("submit and go on", "提交，进入下一篇"),
    "label.key.skip": ("skip, leave it to others", "跳过，留给别人"),
    "label.key.undo": (
        "clear what is chosen; with nothing chosen, take the last answer back",
        "取消已选的；没有已选时撤销上一个答案",
    ),
    "label.key.back": ("back to the question before", "回到上一项"),
    "label.key.verdict": ("show or hide the model's verdict", "显示或隐藏模型的判断"),
    "label.key.help": ("show or hide this help", "显示或隐藏本说明"),
    "label.help.rules": (
        (
            "Sentiment: the attitude of the text itself, not whether the event is good or bad; plain facts are "
            "neutral. Topic: what the text is mainly about. Skip what you cannot tell."
        ),
        "情感：文字本身表达的态度，而不是事件好坏；只陈述事实为中性。话题：文字主要谈的事。拿不准就跳过。",
    ),
    "label.as": ("Annotator: {name}", "标注人：{name}"),
    "label.guideline": ("guideline {version}", "标注规范版本 {version}"),
}
