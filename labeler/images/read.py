"""Read and decode a file of a store: failing to read and failing to decode are one kind of error."""

from __future__ import annotations

from labeler.images.decode import decode, largest_file, out_of_memory
from labeler.images.picture import ImageError, Picture
from labeler.records import Status
from labeler.storage.store import Content, FileError, Store


def read(store: Store, name: str, shorter: int, longer: int, max_pixels: int) -> tuple[Picture, Content]:
    """Return a file's upright image and its content; for the sides and the limit see `decode`.

    Raises:
        ImageError: the file cannot be read, or its image cannot be used; the error has the version.
    """
    found = content(store, name, max_pixels)
    try:
        return decode(found.data, shorter, longer, max_pixels), found
    except ImageError as exc:
        exc.version = found.version
        raise


def content(store: Store, name: str, max_pixels: int) -> Content:
    """Return the content of a file whose image may have ``max_pixels`` pixels.

    Raises:
        ImageError: the file cannot be read, or is too large.
    """
    try:
        return store.read(name, largest_file(max_pixels))
    except FileError as exc:
        if exc.size:
            raise ImageError(Status.TOO_LARGE, f"{exc.reason} (1.5 x --max-pixels)", exc.version) from exc
        raise ImageError(Status.UNREADABLE, exc.reason, exc.version) from exc
    except MemoryError as exc:
        raise out_of_memory() from exc
