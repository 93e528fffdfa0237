"""Web addresses in one spelling, so that the same page has the same address whoever shared it."""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_PORTS: Final = {"http": "80", "https": "443"}
_HOST: Final = re.compile(r"([^:\[\]]+|\[[0-9a-fA-F:.]+\])(?::(\d*))?")
_SPACE_OR_CONTROL: Final = re.compile(r"[\s\x00-\x20]")
# Parameters that say who shared a page and how a reader came, never which page it is. `from` does so on the sites
# below only: elsewhere it may be a currency, a day or a place.
_TRACKING: Final = re.compile(
    r"utm_\w+|spm|spm_id_from|scm|share_\w+|sharer_\w+|shareid|share|fbclid|gclid|dclid|msclkid|yclid|twclid|igshid|"
    r"igsh|mc_[ce]id|vd_source|xsec_source|xsec_token|weibo_id|from_source|refer_flag|is_from_webapp|_hs(?:enc|mi)|"
    r"ref_src|ref_url|si_src|isappinstalled|nsukey|tt_from|unique_k",
    re.IGNORECASE,
)
_WAY_IN: Final = re.compile(r"from|sourceFrom|scene|source|ref|referer", re.IGNORECASE)
_SITES: Final = re.compile(
    r"(?:^|\.)(?:weibo\.(?:com|cn)|qq\.com|zhihu\.com|toutiao\.com|163\.com|sina\.(?:com\.)?cn|sohu\.com|bilibili\.com|"
    r"xiaohongshu\.com|douyin\.com|ifeng\.com|thepaper\.cn|twitter\.com|x\.com)$"
)


def canonical(url: str) -> str:
    """The address with scheme and host in lower case, without the default port, tracking parameters and fragment.

    A fragment that begins with "!" or "/" names a page and stays, and so does whatever is no http address. Never
    raises; a second call changes nothing.
    """
    if not url[:8].lower().startswith(("http://", "https://")) or _SPACE_OR_CONTROL.search(url):
        return url
    try:
        scheme, authority, path, query, fragment = urlsplit(url)
    except ValueError:  # such as an open bracket
        return url
    user, at, host = authority.rpartition("@")
    if not (named := _HOST.fullmatch(host)):
        return url
    host, port = named[1].lower(), named[2]
    is_site = _SITES.search(host) is not None
    if port and port != _PORTS[scheme]:
        host += f":{port}"
    kept = [
        part
        for part in query.split("&")
        if part
        and not _TRACKING.fullmatch(name := part.partition("=")[0])
        and not (is_site and _WAY_IN.fullmatch(name))
    ]
    fragment = fragment if fragment.startswith(("!", "/")) else ""
    return urlunsplit((scheme, user + at + host, path or "/", "&".join(kept), fragment))
