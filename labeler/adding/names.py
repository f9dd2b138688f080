"""The class names that the files of an export give."""

from __future__ import annotations

from labeler.adding.json_file import JsonFile


def of_labels(config: JsonFile) -> tuple[str, ...] | None:
    """Return the names of `id2label` in the order of the outputs; None where there are none.

    Raises:
        ModelError: the numbers have gaps, or a name is no text.
    """
    found = config.content.get("id2label")
    if found is None:
        return None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise config.wrong("has an id2label that does not map numbers to names")
    missing = [number for number in range(len(found)) if str(number) not in found]
    if missing:
        raise config.wrong(
            f"has an id2label with gaps: of {len(found)} names, none is for output {missing[0]} (or give --class-names)"
        )
    return tuple(found[str(number)] for number in range(len(found)))


def of_list(config: JsonFile, key: str) -> tuple[str, ...] | None:
    """Return the names of a list; None where there is none.

    Raises:
        ModelError: it is no list of texts.
    """
    found = config.content.get(key)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise config.wrong(f"has {key} that is no list of names")
    return tuple(found) or None
