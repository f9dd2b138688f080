"""Run labeler with every JPEG decoded in full: what `labeler classify` is measured against on large pictures.

    python benchmarks/full_decode_script.py classify FOLDER --out labels.csv ...

Worker processes import the main module anew, so what stands at its top level holds for them, too.
"""

from __future__ import annotations

from labeler.__main__ import main
from labeler.images import decode, pillow


def reduction(*_: int) -> int:
    """Return the scale at which a picture is decoded: whatever its size, its own."""
    return 1


for module in (decode, pillow):
    assert callable(module.reduction)
    module.reduction = reduction  # type: ignore[assignment] # It takes the same, under no names.

if __name__ == "__main__":
    main()
