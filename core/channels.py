"""Channels as people write them in the settings: where alerts go, and how each receiver wants them."""

from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

ChannelType = Literal[
    "webhook", "alertmanager", "pagerduty", "email", "feishu", "wecom", "dingtalk", "slack", "apprise"
]
Language = Literal["zh", "en", "both"]

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
SCHEMES: Final[dict[str, tuple[str, ...]]] = {"email": ("smtp", "smtps", "smtp+plain")}
HTTP: Final = ("http", "https")
SECRETS: Final[dict[str, str]] = {
    "webhook": "signs the body",
    "alertmanager": "the bearer token",
    "pagerduty": "the routing key",
    "feishu": "the robot's 签名校验 key",
    "dingtalk": "the robot's 加签 key",
}
"""Which types have one, and what it is there."""
PER_MINUTE: Final[dict[str, int]] = {"feishu": 100, "wecom": 20, "dingtalk": 20, "slack": 60}
"""What the services let a robot send."""


class ChannelSettings(BaseModel):
    """One receiver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w-]{1,64}$", description="Letters, digits, - and _; identifies it in the outbox.")
    type: ChannelType = Field(description="What is spoken there.")
    url: SecretStr | None = Field(None, description="Where it is; holds secrets of most services.")
    secret: SecretStr | None = Field(None, description="Key, token or routing key, by type.")
    sender: str | None = Field(None, description="E-mail: the address that alerts come from.")
    to: list[str] = Field(default_factory=list, description="E-mail: who gets them.")
    language: Language = Field("both", description="What people there read.")
    link_only: bool = Field(False, description="Send nothing that was crawled: kind, severity and a link.")
    rate_per_minute: int | None = Field(None, ge=1, description="At most so many messages; a default by type.")
    allow_private_addresses: bool = Field(False, description="Let this one be in the private network.")

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        """Messages never quote `url` or `secret`: they are printed and logged."""
        if self.type == "pagerduty":
            if self.secret is None:
                raise ValueError(f"{self.name}: pagerduty needs `secret`: {SECRETS['pagerduty']}")
        elif self.url is None:
            raise ValueError(f"{self.name}: {self.type} needs `url`")
        if self.secret is not None and self.type not in SECRETS:
            raise ValueError(f"{self.name}: {self.type} has no `secret`; it belongs into `url`")
        self._check_url()
        if self.type == "email":
            if not (
                self.sender and self.to and all("@" in one and one.isprintable() for one in [self.sender, *self.to])
            ):
                raise ValueError(f"{self.name}: email needs `sender` and `to`, all of them addresses")
        elif self.sender or self.to:
            raise ValueError(f"{self.name}: only email has `sender` and `to`")
        return self

    def _check_url(self) -> None:
        if self.type == "apprise":
            return  # its own schemes by the hundred; an unknown one is told at the first message
        wanted = SCHEMES.get(self.type, HTTP)
        try:
            parts = urlsplit(self.address)
            is_right = parts.scheme in wanted and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is no number
            is_right = False
        if not is_right:
            raise ValueError(f"{self.name}: `url` of {self.type} has to be {' or '.join(f'{s}://…' for s in wanted)}")

    @property
    def address(self) -> str:
        """The URL in plain text."""
        return self.url.get_secret_value() if self.url else PAGERDUTY_URL

    @property
    def per_minute(self) -> int | None:
        """Set or by type; None: no limit."""
        return self.rate_per_minute or PER_MINUTE.get(self.type)


def repeated_names(channels: list[ChannelSettings]) -> list[str]:
    """Names that more than one channel has."""
    names = [channel.name for channel in channels]
    return sorted({name for name in names if names.count(name) > 1})
