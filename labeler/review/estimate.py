"""What the blind answers of a review say so far, worked out in the background while the person goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace

from labeler.certify import certified
from labeler.certify.certified import Certified
from labeler.certify.draw import Draw
from labeler.certify.gathered import Gathered, gather
from labeler.errors import LabelerError
from labeler.tables.corrections import HashOf, Reviews
from labeler.tables.index import Index
from labeler.tables.reviews import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What ``cards`` cards say: the half-width of the interval of the accuracy, and how many more narrow it as wanted.

    The accuracy itself is left out: who knows it answers accordingly.
    """

    cards: int = 0
    half_width: float | None = None
    """None where there are too few cards."""
    more: int | None = None
    sure: dict[int, int] = field(default_factory=dict)
    """See `Gathered.sure`."""


class Estimate:
    """The draw of a table, and what is known by its cards; both are worked out in a thread of their own.

    ``read`` returns all events so far; it is called in that thread, and reads the file.
    """

    def __init__(
        self, index: Index, read: Callable[[], Iterable[Event]], hash_of: HashOf, wanted: float, within: float
    ) -> None:
        self.within = within
        self.known = Known()
        self._index, self._read, self._hash_of, self._wanted = index, read, hash_of, wanted
        self._drawn: Future[Draw] | None = None
        self._asked = threading.Event()
        self._is_awaited = False
        self._gathered = threading.Event()
        self._lock = threading.Lock()

    @property
    def draw(self) -> Draw:
        """Return the draw; the first time that takes a second for a million faces.

        Raises:
            LabelerError: there can be none, see `Draw.of`.
        """
        self._start()
        assert self._drawn
        return self._drawn.result()

    @property
    def is_drawn(self) -> bool:
        """Say whether `draw` does not take long."""
        return self._drawn is not None and self._drawn.done()

    def ask(self) -> None:
        """Have `known` worked out anew, soon."""
        self._start()
        self._is_awaited = True
        self._asked.set()

    def wait(self, seconds: float) -> None:
        """Wait until the answers that were there when `ask` was called first are gathered, at most so long."""
        if self._is_awaited:
            self._gathered.wait(seconds)

    def certified(self) -> Certified:
        """Return the certificate by the answers so far: 2 s for a million faces.

        Raises:
            LabelerError: the reviews cannot be read, or there can be no draw.
        """
        return certified.certified(self._gather(), self._wanted, self.within)

    def _gather(self) -> Gathered:
        return gather(self.draw, Reviews(self._read()), self._hash_of)

    def _start(self) -> None:
        with self._lock:
            if self._drawn is None:
                self._drawn = Future()
                threading.Thread(target=self._run, args=(self._drawn,), daemon=True).start()

    def _run(self, drawn: Future[Draw]) -> None:
        try:
            drawn.set_result(Draw.of(self._index))
        except Exception as exc:  # noqa: BLE001 - whoever waits for the draw raises it.
            drawn.set_exception(exc)
            return
        while self._asked.wait():
            self._asked.clear()
            # Where the reviews were damaged meanwhile, whoever writes or ends will say so.
            with suppress(LabelerError):
                found = self._gather()
                self.known = replace(self.known, sure=found.sure)
                self._gathered.set()
                if found.cards:
                    self.known = _known(certified.certified(found, self._wanted, self.within))
                del found  # It has 6 bytes for each face, and the next one is made beside it.
            self._gathered.set()


def _known(found: Certified) -> Known:
    known = Known(cards=found.certificate.cards, sure=found.gathered.sure)
    interval = found.certificate.model.accuracy.interval
    return known if interval is None else replace(known, half_width=(interval[1] - interval[0]) / 2, more=found.more)
