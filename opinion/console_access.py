"""How people get into the console, from the settings."""

from core.addresses import is_loopback
from core.settings import Settings
from storage.sessions import Lengths
from web.access import Access
from web.security import LOOPBACK_HOSTS
from web.single_sign_on import Options, SingleSignOn


def access(settings: Settings) -> Access | None:
    """Accounts, or None for a console that is open to whoever reaches it."""
    web = settings.web
    if web.access == "open":
        return None
    return Access(lengths=Lengths(web.session_idle, web.session_longest), sign_on=_sign_on(settings))


def allowed_hosts(settings: Settings, listen: str) -> tuple[str, ...]:
    """Names under which the console answers, beside addresses.

    A console without accounts that is opened to a network answers under any name, unless some are set.
    """
    if settings.web.access == "open" and not is_loopback(listen) and not settings.web.allowed_hosts:
        return ("*",)
    return (*LOOPBACK_HOSTS, listen, *settings.web.allowed_hosts)


def warnings(settings: Settings, listen: str) -> list[str]:
    """What to tell whoever opens the console to a network."""
    if is_loopback(listen):
        return []
    if settings.web.access == "open":
        return [f"Warning: whoever reaches {listen} can read and change everything; this console has no login."]
    if settings.web.trusted_proxies:
        return []
    return [
        f"Warning: {listen} is reached over plain http, so passwords can be read on the way. Put a proxy with TLS "
        "before it and name that in web.trusted_proxies."
    ]


def _sign_on(settings: Settings) -> SingleSignOn | None:
    oidc = settings.web.oidc
    if oidc.issuer is None:
        return None
    return SingleSignOn(
        Options(
            issuer=oidc.issuer,
            client_id=oidc.client_id,
            client_secret=oidc.client_secret.get_secret_value() if oidc.client_secret else "",
            scopes=tuple(oidc.scopes),
            name_claim=oidc.name_claim,
            role_claim=oidc.role_claim,
            roles=oidc.roles,
            default_role=oidc.default_role,
            allowed_domains=tuple(oidc.allowed_domains),
        )
    )
