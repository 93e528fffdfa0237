"""People who log in, with passwords that cost nothing to check."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine

from core.passwords import Passwords
from core.roles import Role
from storage import people

PASSWORD: Final = "four unrelated small words"


def cheap() -> Passwords:
    """The real thing with the least cost."""
    return Passwords(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)))


def settle(engine: Engine, name: str, role: Role = "viewer", password: str = PASSWORD) -> int:
    """Somebody who has changed their one-time password already."""
    hashed = cheap().hash(password)
    with engine.begin() as connection:
        made = people.add(connection, name, role, hashed, by="test")
        people.set_password(connection, made.id, hashed, must_change=False)
    return made.id


@contextmanager
def browser(url: str, *, address: str = "127.0.0.1", **headers: str) -> Iterator[httpx.Client]:
    """What a browser sends with its own pages' forms, over plain http in a network: `Origin` alone."""
    sent = {"origin": url, "accept": "text/html", "accept-language": "en"} | headers
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=url, headers=sent, transport=transport, timeout=30) as client:
        yield client


def log_in(client: httpx.Client, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    """Send the form of the login page."""
    return client.post("/login", data={"name": name, "password": password, **fields})
