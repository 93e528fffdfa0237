"""企业微信: markdown for a group's robot (developer.work.weixin.qq.com/document/path/91770)."""

from typing import Any

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.escapes import markdown
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, Tone, fit, lines_of
from alerts.rendering.words import OPEN
from alerts.routing.grouping import Message

MOST_BYTES = 4096  # of `content`, in UTF-8
COLOURS: dict[Tone, str] = {
    "critical": "warning",
    "warning": "warning",
    "info": "info",
    "acknowledged": "comment",
    "resolved": "info",
}


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`{msgtype, markdown: {content}}`."""

    def build(story: Story) -> dict[str, Any]:
        lines = [
            f'**<font color="{COLOURS[story.tone]}">{story.title}</font>**',
            *lines_of(story),
            *(f"> {quote}" for quote in story.quotes),
            f"[{OPEN[options.language]}]({story.link})",
        ]
        return {"msgtype": "markdown", "markdown": {"content": "\n".join(lines)}}

    story = story_of(message, evidence, options).mapped(markdown)
    return fit(story, build, lambda made: len(made["markdown"]["content"].encode()) <= MOST_BYTES)
