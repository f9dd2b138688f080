"""Run labeler with every JPEG decoded at full scale: a baseline for `labeler classify` on large photos.

    python benchmarks/full_decode_script.py classify FOLDER --out labels.csv ...

Worker processes import the main module anew, so its top-level code changes them, too.
"""

from __future__ import annotations

from labeler.__main__ import main
from labeler.images import decode, pillow


def reduction(*_: int) -> int:
    """Return the scale denominator 1 for every image."""
    return 1


for module in (decode, pillow):
    assert callable(module.reduction)
    module.reduction = reduction  # type: ignore[assignment] # The same arguments, without names.

if __name__ == "__main__":
    main()
