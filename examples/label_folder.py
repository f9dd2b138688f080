"""Label a folder of photos from Python and print what was found.

python examples/label_folder.py [FOLDER]
"""

import sys
from pathlib import Path

import labeler

folder = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "photos"

# Rows arrive while the work goes on, so a million photos take no more memory than ten. To use more cores, write
# labeler.label(folder, workers=4) and move the loop below a line `if __name__ == "__main__":`.
for row in labeler.label(folder):
    if row.status == "ok":
        print(f"{row.file}: {row.label} ({row.score:.0%})")
    else:
        # A file that cannot be used is a row too: nothing is skipped without a word.
        print(f"{row.file}: {row.status}, {row.reason}")
