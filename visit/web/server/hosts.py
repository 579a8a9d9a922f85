"""The names that this server may be asked for by, and the pages that may ask.

A page of another site cannot read what this server answers. But it can let its own name lead to
this machine (DNS rebinding), and is then, to the browser, of the same origin. So the ``Host`` that
is asked for must be one of this server's, and an ``Origin`` must be that host over http or https.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that a server may be asked for by.

    Attributes:
        names: Beside those of this machine alone: ``localhost`` and its addresses.
        any_address: Whether every numerical address is allowed. A browser asks for one only if that
            is what its user opened, so that no other site's name can lead there.
    """

    names: frozenset[str] = frozenset()
    any_address: bool = False

    @classmethod
    def of(cls, host: str = "127.0.0.1", allowed: Collection[str] = ()) -> Hosts:
        """Those of a server that listens on a host, and may be asked for by more names."""
        names = {name.lower().rstrip(".") for name in (host, *allowed)}
        address = _address(host)
        return cls(frozenset(names), address is not None and address.is_unspecified)

    def include(self, header: str | None) -> bool:
        """Whether a ``Host`` header names this server, at whatever port."""
        name = host_name(header)
        if name is None:
            return False
        address = _address(name)
        if address is None:
            return name == "localhost" or name in self.names
        return address.is_loopback or self.any_address or name in self.names


def host_name(header: str | None) -> str | None:
    """The name or address in a ``Host`` header, in lower case, or ``None`` where it holds none."""
    try:
        split = urlsplit(f"//{header}")
        _ = split.port
    except ValueError:
        return None
    if header is None or split.netloc != header or split.username is not None:
        return None
    return (split.hostname or "").rstrip(".") or None


def is_of(origin: str, host: str | None) -> bool:
    """Whether an ``Origin`` is a page of this host; ``null``, files and extensions are not."""
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and rest.lower() == (host or "").lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
