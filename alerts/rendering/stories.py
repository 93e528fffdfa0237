"""One story for every message: of incidents, or of a digest."""

from alerts.rendering.contract import Evidence, RenderOptions
from alerts.rendering.digest import digest_story
from alerts.rendering.story import Story, incident_story
from alerts.routing.grouping import Message


def story_of(message: Message, evidence: Evidence, options: RenderOptions) -> Story:
    """What it says to people."""
    if message.digest is not None:
        return digest_story(message.digest, options)
    return incident_story(message, evidence, options)
