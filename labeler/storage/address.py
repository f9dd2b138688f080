"""Addresses: a folder of this machine, or a place of a remote store such as ``s3://bucket/photos``.

A remote address may end in options, which then travel with it: ``s3://bucket/photos?endpoint=http://127.0.0.1:9000``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from labeler.errors import LabelerError

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]+://")
"""A scheme has at least two letters: ``c://`` is a drive."""

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "http", "https"})
"""The schemes that obstore reads; fsspec reads the others."""

OPTIONS = ("endpoint", "anonymous", "region")
"""What an address may carry after a question mark; any other question mark belongs to a name."""

_ASKED = re.compile(rf"\?((?:{'|'.join(OPTIONS)})=[^?#]*)$")


class Address(NamedTuple):
    """A place of a remote store."""

    scheme: str
    bucket: str
    """The bucket, container or host."""
    name: str
    """What lies there, without slashes around it; empty for the bucket itself."""
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        path = f"{self.bucket}/{self.name}".rstrip("/")
        asked = f"?{urlencode(self.options, safe=':/')}" if self.options else ""
        return f"{self.scheme}://{path}{asked}"

    @property
    def place(self) -> str:
        """Return the address without its options, as it is shown."""
        return str(self._replace(options=()))


def is_remote(text: str) -> bool:
    """Say whether a text is an address of a remote store, and not a path."""
    return bool(_REMOTE.match(text)) and not text.startswith("file://")


def parse(text: str) -> Address:
    """Return a remote address in parts.

    Raises:
        LabelerError: it names no bucket.
    """
    asked = _ASKED.search(text)
    options = tuple(sorted(parse_qsl(asked[1]))) if asked else ()
    scheme, _, rest = (text[: asked.start()] if asked else text).partition("://")
    bucket, _, name = rest.partition("/")
    if not bucket:
        raise LabelerError(f"{text} names no bucket; an address looks like {scheme}://bucket/photos")
    return Address(scheme, bucket, name.strip("/"), options)


def shown(text: str) -> str:
    """Return an address without its options and the slash at its end, a path as it is but for that."""
    return parse(text).place if is_remote(text) else text.rstrip("/") or text


def local(text: str) -> str:
    """Return a path as it is, and that of a ``file://`` address."""
    return unquote(urlsplit(text).path) if text.startswith("file://") else text


def asking(text: str, options: Mapping[str, str]) -> str:
    """Return an address with more options; a path stays as it is."""
    if not options or not is_remote(text):
        return text
    found = parse(text)
    return str(found._replace(options=tuple(sorted({**dict(found.options), **options}.items()))))


def absolute(text: str) -> str:
    """Return a path in full; an address as it is, without slashes at its end."""
    return str(parse(text)) if is_remote(text) else os.path.abspath(local(text))


def divided(text: str) -> tuple[str, str]:
    """Return the address that a remote place lies at, and its name there."""
    found = parse(text)
    above, _, name = found.name.rpartition("/")
    return str(found._replace(name=above)), name


def below(root: str, file: str) -> str:
    """Return a file's name relative to a root, whether it is given so or in full."""
    if not is_remote(root) or not is_remote(file):
        return file.removeprefix(f"{root.rstrip('/')}/")
    return parse(file).name.removeprefix(f"{parse(root).name}/".lstrip("/"))
