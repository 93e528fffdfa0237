"""E-mail: subject, text, HTML, and the thread that the message belongs to; the notifier makes a message of it."""

from base64 import b64encode
from typing import Any

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.escapes import html
from alerts.rendering.pagerduty import thread_of
from alerts.rendering.stories import story_of
from alerts.rendering.story import Story, Tone, lines_of
from alerts.rendering.words import OPEN
from alerts.routing.grouping import Message

COLOURS: dict[Tone, str] = {
    "critical": "#b3261e",
    "warning": "#b26a00",
    "info": "#1a5fb4",
    "acknowledged": "#5e5c64",
    "resolved": "#26734d",
}
PICTURE = '<p><img src="cid:chart" alt="" style="max-width:100%"></p>'


def render(message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """`{subject, text, html, threads, picture}`; the picture is base64, shown where the HTML says `cid:chart`."""
    story = story_of(message, evidence, options)
    picture = None if options.link_only else options.picture
    return {
        "subject": story.title,
        "text": "\n".join([story.title, "", *lines_of(story), "", *story.quotes, "", story.link, ""]),
        "html": _page(story.mapped(html), OPEN[options.language], has_picture=picture is not None),
        "threads": [message.thread] if message.digest is not None else [thread_of(row) for row in message.members],
        "picture": b64encode(picture).decode() if picture else None,
    }


def _page(story: Story, link: str, *, has_picture: bool) -> str:
    lines = [f"<p>{line.strip()}</p>" for line in lines_of(story)]
    quotes = [f'<p style="border-left:3px solid #ccc;padding-left:8px">{quote}</p>' for quote in story.quotes]
    return "\n".join(
        [
            '<!doctype html><html><head><meta charset="utf-8"></head>',
            '<body style="font-family:sans-serif;color:#222">',
            f'<h2 style="color:{COLOURS[story.tone]};font-size:18px">{story.title}</h2>',
            *lines,
            *([PICTURE] if has_picture else []),
            *quotes,
            f'<p><a href="{html(story.link)}">{link}</a></p>',
            "</body></html>",
            "",
        ]
    )
