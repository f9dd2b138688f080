"""Loaded by every process that a fast test starts: it may not load TensorFlow either."""

from __future__ import annotations

import sys


class NoTensorFlow:
    """Refuses to load TensorFlow."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name in {"tensorflow", "keras"}:
            raise ImportError(f"a fast test loads {name}: it should ask for the fixture `tensorflow`")


sys.meta_path.insert(0, NoTensorFlow())  # type: ignore[arg-type]
