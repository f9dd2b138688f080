"""Connections to remote stores: by obstore, and by pyarrow for names that obstore refuses. Both by the same options."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url
from pyarrow import fs

from labeler.errors import LabelerError, one_line
from labeler.storage import aws_profile
from labeler.storage.address import Address

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FAILURES = (BaseError, ValueError, OSError)
"""What obstore and pyarrow raise."""


_REFUSALS = (FileNotFoundError, PermissionDeniedError, UnauthenticatedError)
_REFUSED = re.compile(r"status code: 4\d\d")
_TOLD = re.compile(r"<Code>(?P<code>[^<]+)</Code>\s*<Message>(?P<message>[^<]+)</Message>")
"""The words of S3 and of those that answer like it."""

_METADATA = re.compile(r"//(?:169\.254\.|metadata\.google)")
"""The servers of a cloud's machine that are asked last for credentials."""


class Limits(NamedTuple):
    """Upper limits on requests; obstore's own defaults would try for three minutes."""

    tries: int = 4
    trying_s: float = 60
    """Seconds after which a request is not repeated."""
    silence_s: float = 30
    """Seconds in which nothing comes, before and in an answer."""
    whole_s: float = 600
    """Seconds of one request with its answer, for a large object on a slow line."""


LIMITS = Limits()

_S3 = ("s3", "s3a")
_KEYS = {"access_key": "access_key_id", "secret_key": "secret_access_key", "session_token": "session_token"}


def connected(at: Address) -> ObjectStore:
    """Return obstore's store of an address, with the credentials of the environment or of the machine.

    Raises:
        LabelerError: the address, or what the environment says of its store, makes no sense.
    """
    options = dict(at.options)
    config: dict[str, Any] = aws_profile.options(os.environ) if at.scheme in _S3 else {}
    config |= {name: options[name] for name in ("endpoint", "region") if options.get(name)}
    if options.get("anonymous"):
        config["skip_signature"] = True
    client = {
        "timeout": timedelta(seconds=LIMITS.whole_s),
        "read_timeout": timedelta(seconds=LIMITS.silence_s),
        "allow_http": True,  # Where the address or the environment names such an endpoint; the default is HTTPS.
    }
    retries = {"max_retries": LIMITS.tries - 1, "retry_timeout": timedelta(seconds=LIMITS.trying_s)}
    try:
        made: ObjectStore = cast("Any", from_url)(
            at.place, config=config, client_options=client, retry_config=retries
        )  # Its overloads tell the stores apart by types that are known statically.
    except FAILURES as exc:
        raise LabelerError(f"{at.place} cannot be used: {reason(exc)}") from exc
    return made


def file_system(at: Address) -> tuple[fs.FileSystem, str]:
    """Return pyarrow's file system of an address, and the path in it of what lies there.

    Raises:
        LabelerError: pyarrow knows no such store.
    """
    options = dict(at.options)
    make = next((make for schemes, make in _FILE_SYSTEMS.items() if at.scheme in schemes), None)
    if make is None:
        raise LabelerError(f"{at.place} holds names that cannot be addressed, and they cannot be passed over here")
    try:
        return make(options), f"{at.bucket}/{at.name}".rstrip("/")
    except FAILURES as exc:
        raise LabelerError(f"{at.place} cannot be used: {reason(exc)}") from exc


def _s3(options: Mapping[str, str]) -> fs.FileSystem:
    found = {**_own_endpoint(), **aws_profile.options(os.environ), **options}
    scheme, _, host = (found.get("endpoint") or "https://").partition("://")
    keys = {} if options.get("anonymous") else {own: found.get(f"aws_{name}") for own, name in _KEYS.items()}
    return fs.S3FileSystem(
        anonymous=bool(options.get("anonymous")),
        region=found.get("region"),
        **keys,
        scheme=scheme,
        endpoint_override=host.rstrip("/") or None,
        connect_timeout=LIMITS.silence_s,
        request_timeout=LIMITS.silence_s,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=LIMITS.tries),
    )


def _own_endpoint() -> dict[str, str]:
    """Return the endpoint of the environment; obstore finds it by itself."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {"endpoint": endpoint} if endpoint else {}


def _gcs(options: Mapping[str, str]) -> fs.FileSystem:
    scheme, _, host = options.get("endpoint", "https://").partition("://")
    return fs.GcsFileSystem(
        anonymous=bool(options.get("anonymous")),
        scheme=scheme,
        endpoint_override=host.rstrip("/") or None,
        retry_time_limit=timedelta(seconds=LIMITS.trying_s),
    )


def _azure(options: Mapping[str, str]) -> fs.FileSystem:
    """Return the file system of the account that Azure's own variables name; without a key, Azure's tools find one."""
    account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")
    key = None if options.get("anonymous") else os.environ.get("AZURE_STORAGE_ACCOUNT_KEY")
    return fs.AzureFileSystem(account_name=account, account_key=key)


_FILE_SYSTEMS: dict[tuple[str, ...], Callable[[Mapping[str, str]], fs.FileSystem]] = {
    _S3: _s3,
    ("gs",): _gcs,
    ("az", "azure", "abfs", "abfss", "adl"): _azure,
}


def version(tag: str | None, size: int, modified: float) -> str:
    """Return what says that an object changed: its entity tag or, where its store gives none, size and time."""
    return tag.strip('"') if tag else f"{size}-{int(modified)}"


def reason(exc: BaseException) -> str:
    """Return the store's own words for a failure, else obstore's without what it adds for its developers."""
    if _METADATA.search(str(exc)):
        return (
            "no credentials were found, neither in the environment nor of this machine; public buckets need none: "
            "--anonymous"
        )
    if told := _TOLD.search(str(exc)):
        return one_line(f"{told['message']} ({told['code']})")
    return one_line(str(exc).partition("\n\nDebug source")[0].replace("\n", " "))


def is_refusal(exc: BaseException) -> bool:
    """Say whether a store has answered that it will not do what was asked: it is there, and would say so again."""
    return isinstance(exc, _REFUSALS) or bool(_REFUSED.search(str(exc)))
