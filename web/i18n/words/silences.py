"""Words of the page of silences, and of the form for a new one."""

WORDS: dict[str, tuple[str, str]] = {
    "nav.silences": ("Silences", "静默"),
    "silences": ("Silences", "静默"),
    "silences.which": ("Which silences", "显示哪些静默"),
    "silences.active": ("Not over", "未结束"),
    "silences.all": ("All", "全部"),
    "silences.new": ("New silence", "新建静默"),
    "silences.empty": ("Nothing is silenced", "没有静默"),
    "silences.empty.why": (
        "Whoever subscribes hears of every incident that fits. A silence keeps messages back for a while; incidents "
        "are still found and shown.",
        "订阅者会收到所有符合条件的事件。静默只在一段时间内不发消息，事件照常发现和显示。",
    ),
    "silences.note.saved": ("Silenced from now on.", "已静默，从现在起生效。"),
    "silences.note.expired": ("Ended. What still fires is told now.", "已结束。仍在发生的事件会重新通知。"),
    "silences.match": ("Labels", "标签条件"),
    "silences.match.hint": (
        'All have to hold. One a line, as topic="sports", source!=weibo or source=~"weibo|news"; severity is one, '
        "too.",
        '需全部成立，每行一个，例如 topic="sports"、source!=weibo、source=~"weibo|news"；severity（级别）也可以用。',
    ),
    "silences.hours": ("For", "时长"),
    "silences.hours.1": ("1 hour", "1 小时"),
    "silences.hours.4": ("4 hours", "4 小时"),
    "silences.hours.12": ("12 hours", "12 小时"),
    "silences.hours.24": ("1 day", "1 天"),
    "silences.hours.72": ("3 days", "3 天"),
    "silences.hours.168": ("1 week", "1 周"),
    "silences.until": ("or until", "或直到"),
    "silences.until.hint": ("Time of {zone}; goes before the length.", "{zone} 时间；填写后以它为准。"),
    "silences.comment": ("Why", "原因"),
    "silences.comment.hint": ("For whoever wonders later why nobody was told.", "写给以后想知道“为什么没通知”的人。"),
    "silences.make": ("Silence", "开始静默"),
    "silences.expire": ("End now", "立即结束"),
    "silences.expired_by": ("ended by {by}", "由 {by} 提前结束"),
    "silences.from": ("From", "开始"),
    "silences.to": ("Until", "结束"),
    "silences.by": ("Made by", "创建人"),
    "silences.state.waits": ("to come", "未开始"),
    "silences.state.active": ("active", "生效中"),
    "silences.state.over": ("over", "已结束"),
    "silences.opened": ("Open incidents: take their labels", "未结束的事件：用它的标签填写"),
    "silences.incident": ("incident {n}", "事件 {n}"),
    "silences.preview": ("What it would mute", "会静默什么"),
    "silences.preview.why": (
        "Open incidents whose labels fit show up here as you type.",
        "填写时，符合条件的未结束事件会显示在这里。",
    ),
    "silences.preview.now": ("Open incidents that it mutes: {n}", "会静默 {n} 起未结束的事件"),
    "silences.preview.none": (
        "None that is open now fits. It would mute those that come while it lasts.",
        "目前没有符合的未结束事件。生效期间新发生且符合的事件会被静默。",
    ),
    "silences.preview.past": ("Of the newest {m} incidents it fits {n}.", "最近 {m} 起事件中有 {n} 起符合。"),
    "fault.matcher": (
        '{cause}. Write it as topic="sports" or source=~"weibo|news".',
        '无法理解（{cause}）。请写成 topic="sports" 或 source=~"weibo|news"。',
    ),
    "fault.mutes_all": (
        "It also holds where the label is missing, so it would mute nearly everything: name a label that has to be "
        "there.",
        "没有该标签时也成立，几乎会静默所有事件：请写一个必须存在的标签。",
    ),
    "fault.until": (
        "The end has to lie ahead, and within a year.",
        "结束时间必须在将来，且不超过一年。",
    ),
}
