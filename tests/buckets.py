"""A real S3 server on loopback, in this process: moto's. Objects are put into it without a request each."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_ACCOUNT, _PARTITION = "123456789012", "aws"
"""Where moto keeps the buckets of requests without a known signature."""

CREDENTIALS = {  # Never those of who runs the tests.
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Bucket:
    """A bucket of the server."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint = endpoint
        self.name = name

    def address(self, name: str = "", endpoint: str = "") -> str:
        """Return the address of a folder of the bucket, by this endpoint if it is not another's."""
        return f"s3://{self.name}/{name}?endpoint={endpoint or self.endpoint}"

    def put(self, name: str, content: bytes) -> None:
        """Put an object, or replace it."""
        _backend().put_object(self.name, name, content)

    def publish(self) -> None:
        """Let everybody read all objects."""
        from moto.s3.models import get_canned_acl

        for key in _backend().get_bucket(self.name).keys.values():
            key.set_acl(get_canned_acl("public-read"))

    def remove(self, name: str) -> None:
        """Remove an object."""
        _backend().delete_object(self.name, name)

    def content(self, name: str) -> bytes:
        """Return an object's content."""
        found = _backend().get_object(self.name, name)
        assert found is not None, name
        return bytes(found.value)

    def names(self) -> set[str]:
        """Return the names of all objects."""
        return set(_backend().get_bucket(self.name).keys)

    def upload(self, folder: Path, below: str = "") -> None:
        """Put the files of a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{below}/{path.relative_to(folder).as_posix()}".lstrip("/"), path.read_bytes())


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a running S3 server."""
    pytest.importorskip("obstore")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # It tells of every request.
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket; the credentials for it are in the environment of all tests."""
    _backend().create_bucket("photos", "us-east-1")
    yield Bucket(s3_endpoint, "photos")
    _backend().reset()


def _backend():  # type: ignore[no-untyped-def]
    from moto.s3.models import s3_backends

    return s3_backends[_ACCOUNT][_PARTITION]
