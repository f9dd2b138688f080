"""Model files: loaded without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from labeler import models


def test_what_ships_is_found_by_the_name_of_its_folder() -> None:
    assert "documented" in models.shipped(models.CLASSIFIER)
    assert list(models.shipped(models.DETECTOR)) == ["yunet"]


def test_loading_a_model_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    script = "from labeler import models; models.load(models.shipped(models.DETECTOR)['yunet'])"
    home = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    subprocess.run([sys.executable, "-c", script], env={**home, "HOME": str(tmp_path)}, check=True)

    assert list(tmp_path.rglob("*")) == []
