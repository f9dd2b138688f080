"""Profile a table with the package `ydata-profiling`: a baseline for `labeler report`.

It is written as the package's README shows, with `minimal=True`, which its documentation advises for large tables.

    python benchmarks/profiling_script.py labels.csv page.html

It needs, in an environment of its own: pip install ydata-profiling "setuptools<81"
"""

from __future__ import annotations

import sys

import pandas as pd
from ydata_profiling import ProfileReport

table, page = sys.argv[1:]

ProfileReport(pd.read_csv(table), title="labels", minimal=True, progress_bar=False).to_file(page)
