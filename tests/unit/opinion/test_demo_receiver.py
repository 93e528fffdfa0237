"""The demo's webhook receiver, over a real socket."""

import httpx

from opinion.demo.receiver import Receiver


def test_keeps_what_it_is_sent() -> None:
    """Bodies are kept in order and answered with 200."""
    with Receiver() as receiver, httpx.Client() as client:
        statuses = [client.post(receiver.url, json={"status": s}).status_code for s in ("firing", "resolved")]
        assert statuses == [200, 200]
        assert receiver.bodies == [{"status": "firing"}, {"status": "resolved"}]


def test_refuses_what_is_not_json() -> None:
    """A body that is not JSON is answered with 400 and not kept."""
    with Receiver() as receiver, httpx.Client() as client:
        assert client.post(receiver.url, content=b"{").status_code == 400
        assert receiver.bodies == []
