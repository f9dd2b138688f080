"""A request that is refused, with the status of HTTP that says so."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """An answer to a request that cannot be done: 400 wrong, 403 not allowed, 404 not there, 409 not now."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
