"""Which actions of a review are in force: an undo is an event, and to redo is to undo the undo."""

from __future__ import annotations

from labeler.tables.reviews import Event, Kind

Action = tuple[str, str]
"""A reviewer and the identity of an action: nobody undoes what another said."""


class Actions:
    """The actions of a review. The order in which events are added does not matter."""

    def __init__(self) -> None:
        self._began: dict[Action, tuple[str, str]] = {}
        """The order of each action's first event; an undo counts only for what came before it, so no two undo each
        other."""
        self._undos: dict[Action, Event] = {}
        self._undone: set[Action] | None = set()

    def add(self, event: Event) -> None:
        """Add an event, once or more often."""
        action = event.reviewer, event.action
        self._began[action] = min(event.order, self._began.get(action, event.order))
        if event.kind is Kind.UNDO:
            earlier = self._undos.get(action, event)
            self._undos[action] = min(event, earlier, key=lambda one: one.order)
            self._undone = None

    def in_force(self, event: Event) -> bool:
        """Say whether no action in force undoes that of an event."""
        return (event.reviewer, event.action) not in self.undone

    @property
    def undone(self) -> set[Action]:
        """Return the actions that are not in force."""
        if self._undone is None:
            self._undone = set()
            for undo in sorted(self._undos.values(), key=lambda one: one.order, reverse=True):
                target = undo.reviewer, undo.undoes
                is_later = target in self._began and self._began[target] < undo.order
                if is_later and (undo.reviewer, undo.action) not in self._undone:
                    self._undone.add(target)
        return self._undone

    def undo_of(self, action: str, reviewer: str) -> Event | None:
        """Return the undo, or redo, that an action of a reviewer is; None if it is none."""
        return self._undos.get((reviewer, action))

    def target(self, undo: Event) -> str:
        """Return the action whose labels change with an undo: through undos of undos, that which is none."""
        action, seen = undo.undoes, {undo.action}
        while (further := self._undos.get((undo.reviewer, action))) and action not in seen:
            seen.add(action)
            action = further.undoes
        return action

    def to_undo(self, reviewer: str) -> str:
        """Return the action that an undo of this reviewer's undoes: the last in force; empty if there is none."""
        found = [
            (order, action)
            for (who, action), order in self._began.items()
            if who == reviewer and (who, action) not in self._undos and (who, action) not in self.undone
        ]
        return max(found)[1] if found else ""

    def to_redo(self, reviewer: str) -> str:
        """Return the undo that a redo undoes: the last in force, unless something was labelled since."""
        own = [one for one in self._undos.values() if one.reviewer == reviewer]
        redoable = [
            one for one in own if self.in_force(one) and (one.reviewer, one.undoes) not in self._undos
        ]  # An undo of an undo is a redo.
        labelled = (order for who, order in self._labelled() if who == reviewer)
        latest = max(redoable, key=lambda one: one.order, default=None)
        return latest.action if latest and latest.order > max(labelled, default=("", "")) else ""

    def _labelled(self) -> list[tuple[str, tuple[str, str]]]:
        return [(action[0], order) for action, order in self._began.items() if action not in self._undos]
