"""What people may do. Each role may do what the ones before it may.

A viewer reads; an annotator labels; an analyst looks after incidents, watchlists, rules, silences and subscriptions;
an admin promotes models, puts dead letters back and manages people.
"""

from typing import Final, Literal, get_args

Role = Literal["viewer", "annotator", "analyst", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
