"""Slack: Block Kit for an incoming webhook (api.slack.com/reference/block-kit/blocks)."""

from typing import Any

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.escapes import mrkdwn
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, Tone, fit, lines_of
from alerts.rendering.words import OPEN, QUOTED
from alerts.routing.grouping import Message

SECTION_CHARS = 3000
MARKS: dict[Tone, str] = {
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "info": ":large_blue_circle:",
    "acknowledged": ":white_circle:",
    "resolved": ":large_green_circle:",
}


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`{text, blocks}`; `text` is what notifications show. `verbatim` keeps Slack from making links and mentions."""

    def build(story: Story) -> dict[str, Any]:
        sections = [f"{MARKS[story.tone]} *{story.title}*"]
        sections += ["\n".join(lines)] if (lines := list(lines_of(story))) else []
        quotes = [f"> {quote}" for quote in story.quotes]
        sections += ["\n".join([QUOTED[options.language], *quotes])] if quotes else []
        sections.append(f"<{mrkdwn_link(story.link)}|{OPEN[options.language]}>")
        return {"text": story.title, "blocks": [_section(text) for text in sections]}

    story = story_of(message, evidence, options).mapped(mrkdwn)
    return fit(story, build, _fits)


def mrkdwn_link(link: str) -> str:
    """A URL as it may stand between `<` and `|`."""
    return link.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _fits(made: dict[str, Any]) -> bool:
    return all(len(block["text"]["text"]) <= SECTION_CHARS for block in made["blocks"])
