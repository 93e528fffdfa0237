"""apprise: title, body and kind of a short plain text."""

from typing import Any

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.escapes import plain
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, Tone, fit, lines_of
from alerts.routing.grouping import Message

MOST_BODY_CHARS = 3500  # the shortest limit of the big chat services is about 4,000
KINDS: dict[Tone, str] = {
    "critical": "failure",
    "warning": "warning",
    "info": "info",
    "acknowledged": "info",
    "resolved": "success",
}


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`{title, body, kind}`."""

    def build(story: Story) -> dict[str, Any]:
        body = "\n".join([*lines_of(story), *story.quotes, story.link])
        return {"title": story.title, "body": body, "kind": KINDS[story.tone]}

    return fit(
        story_of(message, evidence, options).mapped(plain), build, lambda made: len(made["body"]) <= MOST_BODY_CHARS
    )
