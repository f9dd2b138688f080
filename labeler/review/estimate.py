"""What the blind answers of a review say so far, worked out in the background while the person goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from labeler.certify import certified
from labeler.certify.certified import Certified
from labeler.certify.draw import Draw
from labeler.certify.gathered import gather
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
        self._asked.set()

    def certified(self) -> Certified:
        """Return the certificate by the answers so far: 2 s for a million faces.

        Raises:
            LabelerError: the reviews cannot be read, or there can be no draw.
        """
        return certified.certified(gather(self.draw, Reviews(self._read()), self._hash_of), self._wanted, self.within)

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
            try:
                self.known = self._now()
            except LabelerError:  # The reviews were damaged meanwhile: whoever writes or ends will say so.
                continue

    def _now(self) -> Known:
        found = self.certified()
        if not found.gathered.cards:
            return Known()
        sure = found.gathered.sure
        interval = found.certificate.model.accuracy.interval
        if interval is None:
            return Known(cards=found.certificate.cards, sure=sure)
        half_width = (interval[1] - interval[0]) / 2
        return Known(cards=found.certificate.cards, half_width=half_width, more=found.more, sure=sure)
