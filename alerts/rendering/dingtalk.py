"""钉钉: markdown for a group's custom robot (open.dingtalk.com, 自定义机器人接入), not yet signed."""

from typing import Any

import msgspec

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.escapes import markdown
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, fit, lines_of
from alerts.rendering.words import OPEN
from alerts.routing.grouping import Message

MOST_BYTES = 20_000


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`{msgtype, markdown: {title, text}, at}`; `at` mentions nobody."""

    def build(story: Story) -> dict[str, Any]:
        lines = [
            f"#### {story.title}",
            *(line.strip() for line in lines_of(story)),
            *(f"> {quote}" for quote in story.quotes),
            f"[{OPEN[options.language]}]({story.link})",
        ]
        return {
            "msgtype": "markdown",
            # a line of its own each: one line break alone is none in this markdown
            "markdown": {"title": story.title, "text": "\n\n".join(lines)},
            "at": {"atMobiles": [], "isAtAll": False},
        }

    story = story_of(message, evidence, options).mapped(markdown)
    return fit(story, build, lambda made: len(msgspec.json.encode(made)) <= MOST_BYTES)
