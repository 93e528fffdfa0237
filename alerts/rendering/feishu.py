"""飞书: an interactive card for a group's custom robot (open.feishu.cn, 自定义机器人使用指南), not yet signed."""

from typing import Any

import msgspec

from alerts.rendering.contract import Evidence, Language, RenderOptions
from alerts.rendering.escapes import markdown
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, Tone, fit, lines_of
from alerts.rendering.words import OPEN, QUOTED
from alerts.routing.grouping import Message

MOST_BYTES = 20_000  # of a request to a custom robot; a card alone may have 30,000
COLOURS: dict[Tone, str] = {
    "critical": "red",
    "warning": "orange",
    "info": "blue",
    "acknowledged": "grey",
    "resolved": "green",
}


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`{msg_type, card}`; quotes are `plain_text`, where nothing is markup."""

    def build(story: Story) -> dict[str, Any]:
        return {"msg_type": "interactive", "card": _card(story, options.language)}

    story = story_of(message, evidence, options).mapped(markdown)
    return fit(story, build, lambda made: len(msgspec.json.encode(made)) <= MOST_BYTES)


def _card(story: Story, language: Language) -> dict[str, Any]:
    elements: list[dict[str, Any]] = []
    if lines := list(lines_of(story)):
        elements.append({"tag": "div", "text": {"tag": "lark_md", "content": "\n".join(lines)}})
    if story.quotes:
        quoted = "\n".join([QUOTED[language], *story.quotes])
        elements += [{"tag": "hr"}, {"tag": "div", "text": {"tag": "plain_text", "content": quoted}}]
    open_it = {
        "tag": "button",
        "text": {"tag": "plain_text", "content": OPEN[language]},
        "type": "primary",
        "url": story.link,
    }
    elements.append({"tag": "action", "actions": [open_it]})
    return {
        "config": {"wide_screen_mode": True},
        "header": {"title": {"tag": "plain_text", "content": story.title}, "template": COLOURS[story.tone]},
        "elements": elements,
    }
