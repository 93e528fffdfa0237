"""Words of the light page behind a signed link."""

WORDS: dict[str, tuple[str, str]] = {
    "phone.negatives": ("negative documents", "负面文档"),
    "phone.documents": ("documents", "文档"),
    "phone.letters": ("dead letters", "死信"),
    "phone.interval": ("usually {lower} to {upper}", "通常 {lower} 至 {upper}"),
    "phone.over": ("It is over.", "事件已结束。"),
    "phone.words": ("In their words", "原文"),
    "phone.console": ("Open in the console", "在控制台打开"),
    "phone.zone": ("Times are of {zone}.", "时间为 {zone} 时区。"),
    "phone.refused": ("This link is not valid any more", "链接已失效"),
    "phone.refused.why": (
        "It may be over, or not complete. Newer messages carry a newer link; the console shows everything.",
        "可能已过期或不完整。新消息里有新的链接；全部内容请在控制台查看。",
    ),
}
