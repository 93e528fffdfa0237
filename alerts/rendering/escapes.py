"""Text made harmless for one kind of markup each. What they are given is one visible line (`evidence.excerpt`).

Where a target's own escapes are not understood by all its clients, characters are replaced by their full-width twins:
they look alike, mean nothing, and cannot be cut in two. Letters and digits stay, so that erasure finds its quotes.
"""

import html as entities

MARKUP = str.maketrans({"<": "‹", ">": "›", "`": "'", "*": "＊", "_": "＿", "[": "［", "]": "］", "@": "＠"})
_MARKDOWN = MARKUP | str.maketrans({"~": "～", "#": "＃", "|": "｜", "\\": "＼", "&": "＆"})
_MRKDWN = str.maketrans({"*": "＊", "_": "＿", "~": "～", "`": "'", "@": "＠"})


def plain(text: str) -> str:
    """For targets that may take anything for anything (apprise)."""
    return text.translate(MARKUP)


def markdown(text: str) -> str:
    """For the markdown of 飞书 (lark_md), 企业微信 and 钉钉: no formatting, no link, no mention, no HTML."""
    return text.translate(_MARKDOWN)


def mrkdwn(text: str) -> str:
    """For Slack: its three entities (api.slack.com/reference/surfaces/formatting#escaping), and no formatting."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").translate(_MRKDWN)


def html(text: str) -> str:
    """For HTML text and quoted attributes."""
    return entities.escape(text, quote=True)
