"""Channels in the settings: what is wrong is named with its place, and never with its secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.channels import ChannelSettings
from core.errors import ConfigError
from core.settings import load_settings

GOOD: dict[str, dict[str, Any]] = {
    "webhook": {"url": "https://a.example/hook", "secret": "s"},
    "alertmanager": {"url": "http://am:9093", "allow_private_addresses": True},
    "pagerduty": {"secret": "key"},
    "email": {"url": "smtp://u:p@mail.example", "sender": "a@b.example", "to": ["c@d.example"]},
    "feishu": {"url": "https://open.feishu.cn/open-apis/bot/v2/hook/x", "secret": "s"},
    "wecom": {"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x"},
    "dingtalk": {"url": "https://oapi.dingtalk.com/robot/send?access_token=x", "secret": "s"},
    "slack": {"url": "https://hooks.slack.com/services/x"},
    "apprise": {"url": "discord://x/y"},
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPINION_CONFIG", raising=False)


@pytest.mark.parametrize("kind", GOOD)
def test_every_type_can_be_written(kind: str) -> None:
    """What each type needs is enough, and no secret shows when it is printed."""
    made = ChannelSettings.model_validate({"name": "ops", "type": kind} | GOOD[kind])
    assert "secret='" not in repr(made)
    assert made.per_minute == {"feishu": 100, "wecom": 20, "dingtalk": 20, "slack": 60}.get(kind)


@pytest.mark.parametrize(
    ("channel", "cause"),
    [
        ({"type": "webhook"}, "webhook needs `url`"),
        ({"type": "pagerduty"}, "pagerduty needs `secret`: the routing key"),
        ({"type": "webhook", "url": "ftp://h/geheim"}, "`url` of webhook has to be http://… or https://…"),
        ({"type": "webhook", "url": "http:///geheim"}, "`url` of webhook has to be"),
        ({"type": "webhook", "url": "http://h:geheim/"}, "`url` of webhook has to be"),
        ({"type": "slack", "url": "https://h/geheim", "secret": "geheim"}, "slack has no `secret`"),
        ({"type": "email", "url": "smtp://h:25", "sender": "a@b"}, "email needs `sender` and `to`"),
        ({"type": "email", "url": "smtp://h", "sender": "a@b\nBcc: x@y", "to": ["c@d"]}, "all of them addresses"),
        ({"type": "email", "url": "https://geheim", "sender": "a@b", "to": ["c@d"]}, "smtp://… or smtps://…"),
        ({"type": "slack", "url": "https://h/geheim", "to": ["c@d"]}, "only email has `sender` and `to`"),
        ({"type": "pigeon", "url": "https://h/geheim"}, "type: Input should be 'webhook'"),
        ({"type": "slack", "url": "https://h/geheim", "rate_per_minute": 0}, "rate_per_minute: Input should be"),
        ({"type": "slack", "url": "https://h/geheim", "color": "red"}, "color: Extra inputs are not permitted"),
        ({"type": "slack", "url": "https://h/geheim", "name": "a.b"}, "name: String should match pattern"),
    ],
)
def test_a_wrong_channel_is_named_and_its_secret_is_not(
    channel: dict[str, Any], cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file with its line, in the environment with the variable; neither message nor cause holds a secret."""
    written = {"name": "ops"} | channel
    (tmp_path / "opinion.yaml").write_text(f"alerts:\n  channels:\n    - {json.dumps(written)}\n")
    with pytest.raises(ConfigError) as found:
        load_settings()
    assert cause in found.value.message
    assert "opinion.yaml:3 alerts.channels.0" in found.value.message
    assert "geheim" not in f"{found.value.message}{found.value.__cause__}"
    (tmp_path / "opinion.yaml").unlink()
    monkeypatch.setenv("OPINION_ALERTS__CHANNELS", json.dumps([written]))
    with pytest.raises(ConfigError, match="OPINION_ALERTS__CHANNELS 0"):
        load_settings()


def test_a_name_stands_for_one_channel(tmp_path: Path) -> None:
    """The outbox knows receivers by their names."""
    one = {"name": "ops", "type": "slack", "url": "https://h/x"}
    (tmp_path / "opinion.yaml").write_text(f"alerts:\n  channels: {json.dumps([one, one])}\n")
    with pytest.raises(ConfigError, match=r"opinion\.yaml:2 alerts\.channels: .*more than one channel is named ops"):
        load_settings()
