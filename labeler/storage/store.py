"""The seam to where files lie: a name to bytes, in one order that the names alone decide."""

from __future__ import annotations


def key(name: str) -> str:
    """Return what names are compared by: the files of a folder come before its subfolders, both sorted by name.

    A name has forward slashes and no NUL, which separates the folders here: it sorts before any other character.
    Python compares strings by code point, so the order depends on neither locale nor file system.
    """
    folder, slash, file = name.rpartition("/")
    return f"{folder.replace('/', chr(0))}\0\0{file}" if slash else f"\0{file}"
