"""A connection to a host: straight or through a proxy, its certificate always checked.

HTTPS goes through the proxy that `https_proxy` names, unless `no_proxy` names the host. Plain
HTTP, which is for stores near by and a machine's own metadata, goes straight.
"""

from __future__ import annotations

import http.client
from functools import lru_cache
from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

_AUTHORITIES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")  # the first that is set


class Host(NamedTuple):
    is_tls: bool
    name: str
    port: int

    @property
    def header(self) -> str:
        """As the Host header has it: without the port where it goes without saying."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == (443 if self.is_tls else 80) else f"{name}:{self.port}"


def host_of(url: str) -> Host:
    """Raises ValueError for what is no http:// or https:// URL of a host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL of a service: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a service: write https://HOST")
    is_tls = parts.scheme == "https"
    return Host(is_tls, parts.hostname, port or (443 if is_tls else 80))


def fresh(host: Host, environ: Mapping[str, str], seconds: float) -> http.client.HTTPConnection:
    """A connection that is made when it is first used."""
    if not host.is_tls:
        return http.client.HTTPConnection(host.name, host.port, timeout=seconds)
    files = [environ[name] for name in _AUTHORITIES if environ.get(name)]
    context = _context((files or [""])[0], environ.get("SSL_CERT_DIR", ""))
    proxy = _proxy(host, environ)
    if proxy is None:
        return http.client.HTTPSConnection(host.name, host.port, timeout=seconds, context=context)
    through = http.client.HTTPSConnection(proxy.name, proxy.port, timeout=seconds, context=context)
    through.set_tunnel(host.name, host.port)
    return through


@lru_cache(maxsize=4)  # reading the authorities takes longer than a handshake
def _context(file: str, folder: str) -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context(cafile=file or None, capath=folder or None)


def _proxy(host: Host, environ: Mapping[str, str]) -> Optional[Host]:
    named = environ.get("https_proxy") or environ.get("HTTPS_PROXY")
    if not named or _goes_straight(host.name, environ):
        return None
    return host_of(named if "://" in named else f"http://{named}")


def _goes_straight(name: str, environ: Mapping[str, str]) -> bool:
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for part in listed.split(","):
        suffix = part.strip().lstrip(".").lower()
        if suffix == "*" or (suffix and ("." + name.lower()).endswith("." + suffix)):
            return True
    return False
