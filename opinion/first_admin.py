"""The first account: made when a console starts that has accounts and nobody in them."""

from sqlalchemy import Engine

from core.passwords import Passwords, one_time
from opinion.servers import say
from storage import people

NAME = "admin"


def make_first_admin(engine: Engine) -> bool:
    """Make `admin` with a one-time password and tell it to the terminal, this once; nothing if there is anybody.

    Whoever starts a console as a child calls this first: what a child says may go into a file.
    """
    with engine.connect() as connection:
        if people.is_anybody(connection):
            return False
    once = one_time()
    hashed = Passwords().hash(once)
    with engine.begin() as connection:
        is_made = people.add_first(connection, NAME, hashed)
    if is_made:
        say("")
        say(f"Log in to the console as  {NAME}  with the one-time password  {once}")
        say("It is shown this once, and changed at the first login. Lost? `opinion people password admin`")
        say("")
    return is_made
