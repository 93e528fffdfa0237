"""The few words that stand on every message, in the receiver's language."""

from collections.abc import Mapping

from alerts.rendering.contract import Language

OPEN: Mapping[Language, str] = {"zh": "查看", "en": "Open", "both": "查看 / Open"}
"""The link to the console."""
QUOTED: Mapping[Language, str] = {"zh": "原文：", "en": "In their words:", "both": "原文 / in their words:"}
"""Above quotes, where a block of them must not become empty, whatever is erased from it."""
