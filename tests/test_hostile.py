"""Pictures as they really are, through the whole command: one row for each file, with the right status and reason."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SHARED, Folder, read_image
from PIL import Image, ImageOps

from labeler import labeling
from labeler.executors import worker
from labeler.executors.executor import Task
from labeler.executors.processes import Processes
from labeler.executors.worker import Worker
from labeler.images import pillow
from labeler.images.picture import ImageError
from labeler.records import Row, Settings, Status
from labeler.storage import local
from labeler.tables import reader

HOSTILE = SHARED / "hostile"
NAMES = [
    *(b"two words.jpg", "\N{GRINNING FACE} \u00e9.jpg".encode(), b"line\nbreak.jpg", b"a,b.jpg", b'it\'s "it".jpg'),
    *(b"-o.jpg", b"=1+1.jpg", b"+1.jpg", b"@SUM(A1).jpg", b"\ttab.jpg", b"'quoted.jpg", b"not \xff\xfe utf-8.jpg"),
    *(b"looks\\xff escaped.jpg", b"CAPITALS.JPEG", b" .jpg", b"carriage\rreturn.jpg", b"100%.jpg", b"[red]x.jpg"),
]


def classify(*arguments: object, status: int) -> bytes:
    """Run the command in a process of its own and return what it said on stderr."""
    command = [sys.executable, "-m", "labeler", "classify", *map(os.fspath, arguments)]  # type: ignore[arg-type]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == status, done.stderr
    return done.stderr


def rows_of(folder: Folder, model: Path, *options: str, status: int, table: str = "t.csv") -> dict[str, Row]:
    """Classify a folder into a table beside it, without a word on stderr; return the rows by file."""
    out = folder.path.parent / table
    said = classify(folder.path, "--out", out, "--model", model, "--quiet", "--faces", "whole", *options, status=status)
    rows = list(reader.read(out))

    assert said == b""
    assert len({row.file for row in rows}) == len(rows)
    return {row.file: row for row in rows}


@pytest.mark.parametrize("table", ["t.csv", "t.jsonl", "t.parquet"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_name_leads_back_to_its_file(folder: Folder, model: Path, table: str, workers: str) -> None:
    deep = os.fsencode(folder.path) + b"/" + b"/".join([b"d" * 200] * 3)
    os.makedirs(deep)
    for index, path in enumerate([*(os.fsencode(folder.path) + b"/" + name for name in NAMES), deep + b"/deep.jpg"]):
        Image.new("RGB", (40 + index, 50)).save(folder.path.parent / "made.jpg")
        os.rename(folder.path.parent / "made.jpg", path)
    rows = rows_of(folder, model, "--workers", workers, status=0, table=table)
    found = {name: width_of(folder.path / name) for name in rows}

    assert sorted(found.values()) == list(range(40, 40 + len(NAMES) + 1))
    assert {name: row.width for name, row in rows.items()} == found


def width_of(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


def test_what_is_no_plain_file_is_never_opened_and_has_its_row(folder: Folder, model: Path) -> None:
    folder.picture("good.jpg")
    folder.picture("folder.jpg/inside.jpg")
    os.mkfifo(folder.path / "pipe.jpg")  # Without a writer: to open it would wait for ever.
    (folder.path / "zero.jpg").symlink_to("/dev/zero")
    (folder.path / "loop.jpg").symlink_to("loop.jpg")
    (folder.path / "nowhere.jpg").symlink_to("gone")
    (folder.path / "kernel.jpg").symlink_to("/proc/version")  # Of zero bytes, says its size.
    folder.file("empty.jpg", b"")
    folder.file("random.jpg", np.random.default_rng(1).bytes(5000))
    here = os.getcwd()
    os.chdir(folder.path)  # The path of a socket is short.
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket.jpg")
    os.chdir(here)
    rows = rows_of(folder, model, status=1)
    server.close()
    refused = {name: (str(row.status), row.reason) for name, row in rows.items() if row.status is not Status.OK}

    assert sorted(set(rows) - set(refused)) == ["folder.jpg/inside.jpg", "good.jpg"]
    assert refused == {
        "empty.jpg": ("unreadable", "the file is empty"),
        "kernel.jpg": ("unsupported", "not an image in a known format"),
        "loop.jpg": ("unreadable", "Too many levels of symbolic links"),
        "nowhere.jpg": ("unreadable", "No such file or directory"),
        "pipe.jpg": ("unreadable", "not a regular file"),
        "random.jpg": ("unsupported", "not an image in a known format"),
        "socket.jpg": ("unreadable", "not a regular file"),
        "zero.jpg": ("unreadable", "not a regular file"),
    }


def as_worker(task: Callable[..., None], *arguments: object) -> None:
    worker.begin()
    task(*arguments)


def in_a_worker(task: Callable[..., None], *arguments: object) -> int | None:
    """Run a function in a worker process; return its exit code."""
    context = multiprocessing.get_context("spawn")  # Threads survive no fork.
    process = context.Process(target=as_worker, args=(task, *arguments))
    process.start()
    process.join(120)
    return process.exitcode


def read_without_rights(path: Path) -> None:
    if os.getuid() == 0:
        os.setuid(65534)
    with pytest.raises(ImageError, match="Permission denied"):
        read_image(str(path), 64, 64, 10**8)


def test_a_file_without_permission_says_so(folder: Folder) -> None:
    path = folder.picture("locked.jpg")
    for parent in path.parents:
        if parent.stat().st_uid == os.getuid() and os.getuid() == 0 and str(parent) not in {"/", "/tmp"}:
            os.chmod(parent, 0o755)
    os.chmod(path, 0o000)

    assert in_a_worker(read_without_rights, path) == 0


def test_a_file_that_is_another_one_when_it_is_opened_is_looked_at_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.picture("a.jpg")
    look = os.stat

    def stat_then_swap(name: str) -> os.stat_result:
        found = look(name)
        path.unlink()
        os.mkfifo(path)
        return found

    monkeypatch.setattr(local.os, "stat", stat_then_swap)
    with pytest.raises(ImageError, match="not a regular file"):
        read_image(str(path), 64, 64, 10**8)


def test_a_file_that_vanishes_between_discovery_and_reading_has_its_row(folder: Folder, model: Path) -> None:
    names = [folder.picture(f"{index}.jpg").name for index in range(3)]
    (folder.path / "1.jpg").unlink()
    rows = labeling.BatchLabeler(Settings(model=str(model), root=str(folder.path)))(names)

    assert [row.reason for row in rows] == ["", "No such file or directory", ""]


def test_a_file_that_grows_while_it_is_read_is_never_read_beyond_the_limit(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.picture("a.bmp")
    open_ = os.open

    def open_then_grow(name: str, flags: int) -> int:
        descriptor = open_(name, flags)
        os.truncate(path, 50_000_000)
        return descriptor

    monkeypatch.setattr(local.os, "open", open_then_grow)
    with pytest.raises(ImageError, match="the limit is 16,777,216"):
        read_image(str(path), 64, 64, 1_000_000)


def scan_bomb() -> bytes:
    """A JPEG of 200 KB whose 10,000 scans each go over 25 million pixels: 20 s of processor time."""
    stream = io.BytesIO()
    Image.new("L", (5000, 5000)).save(stream, "JPEG", progressive=True)
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0x10)
    return stream.getvalue()[:-2] + scan * 10_000 + b"\xff\xd9"


LONGEST_S = 0.3
"""The CPU time that a photo may take in these tests; it is a minute otherwise."""


def looker(path: Path) -> Task[list[int]]:
    """Return what decodes the files of a folder and returns their widths."""
    look = labeling.Looker(Settings(root=str(path)))
    return lambda names: [look(name).width for name in names]


def look_at(path: Path, times: int) -> None:
    Worker(partial(looker, path.parent), LONGEST_S)([path.name] * times)


@pytest.mark.heavy
def test_a_picture_that_would_take_for_ever_ends_its_worker(folder: Folder) -> None:
    path = folder.file("bomb.jpg", scan_bomb())

    assert in_a_worker(look_at, path, 1) == -signal.SIGPROF


def stand_in(file: str, reason: str) -> list[Row]:
    return [Row(file).without_label(Status.UNREADABLE, reason)]


@pytest.mark.heavy
@pytest.mark.parametrize("bomb", ["0.jpg", "5.jpg", "9.jpg"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_picture_that_would_take_for_ever_costs_its_own_row(
    folder: Folder, model: Path, workers: int, bomb: str
) -> None:
    names = [f"{number}.jpg" for number in range(10)]
    for seed, name in enumerate(names):
        folder.noise(name, seed)
    settings = Settings(model=str(model), root=str(folder.path))
    expected = [row for row in labeling.BatchLabeler(settings)(names) if row.file != bomb]
    folder.file(bomb, scan_bomb())
    executor = Processes(workers, stand_in, ["labeler.labeling"], LONGEST_S)
    batches = executor.map(partial(labeling.BatchLabeler, settings), [names[:6], names[6:]])
    rows = {row.file: row for row in chain.from_iterable(batches)}

    assert list(rows) == names
    assert rows.pop(bomb).reason == "reading it takes more than 0.3 s of processor time"
    assert list(rows.values()) == expected


def look_for_a_second(path: Path) -> None:
    def until_then() -> Iterator[str]:
        while time.process_time() < began + 1:
            yield path.name

    began = time.process_time()
    Worker(partial(looker, path.parent), LONGEST_S)(until_then())


def work_afterwards(path: Path) -> None:
    look_at(path, 1)
    began = time.process_time()
    while time.process_time() < began + 2 * LONGEST_S:
        pass


@pytest.mark.heavy
@pytest.mark.parametrize("work", [look_for_a_second, work_afterwards])
def test_the_time_is_that_of_one_picture_not_of_all_nor_of_what_comes_after_them(
    folder: Folder, work: Callable[[Path], None]
) -> None:
    assert in_a_worker(work, folder.noise("a.png", seed=1, side=300)) == 0


def needs_hostile() -> list[str]:
    if not HOSTILE.exists():
        pytest.skip("../shared/data/hostile is not here; it holds odd, old and broken pictures")
    pytest.importorskip("pillow_heif").register_heif_opener()
    return sorted(path.relative_to(HOSTILE).as_posix() for path in HOSTILE.rglob("[!.]*") if path.is_file())


def reference(name: str) -> tuple[Status, Image.Image | None]:
    """Read a file with Pillow as it is: its formats without ours, its own limits but the number of pixels."""
    try:
        image = Image.open(HOSTILE / name, formats=pillow.FORMATS)
        if image.width * image.height > Settings().max_pixels:
            return Status.TOO_LARGE, None
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # Pillow clips 16 bits to white; their high byte is meant.
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        upright.info.pop("transparency", None)
        return Status.OK, upright.convert("RGB")
    except Image.UnidentifiedImageError:
        return Status.UNSUPPORTED, None
    except Image.DecompressionBombError:
        return Status.TOO_LARGE, None
    except Exception:  # noqa: BLE001 - codecs raise almost anything
        return Status.UNREADABLE, None


DIFFERENT = {
    "pillow/16bit.s.tif": "signed pixels: Pillow takes them for unsigned, we refuse",
    "pillow/png_decompression_dos.png": "a bomb in a text, which we never unpack",
    "png_suite/tests/bugfixes/cicp_pq.png": "a chunk for colours that Pillow misreads and libpng reads",
    "png_suite/tests/bugfixes/issue#430.png": "a chunk that Pillow takes for broken and libpng passes over",
    "png_suite/tests/bugfixes/x_interlaced_chck.png": "a wrong checksum, which Pillow does not compare",
    "png_suite/tests/pngsuite/xcsn0g01.png": "a wrong checksum, which Pillow does not compare",
    "png_suite/tests/bugfixes/x_issue#230.1.png": "a broken header that claims too many pixels",
}
"""Files whose status differs from Pillow's, with the reason. Besides: where Pillow knows the format no more after a
damage, but the first bytes say what it was, we say `unreadable`, and Pillow `unsupported`."""

DAMAGED = {
    "exif_samples/jpg/corrupted.jpg": "Corrupt JPEG data: premature end of data segment",
    "pillow/hopper_bad_exif.jpg": "Corrupt JPEG data: 1214 extraneous bytes before marker 0xd0",  # Stripes all over.
}
"""Files that are shown as they are, of which libjpeg says that a part is lost; Pillow never asks it."""

DARKER = {"pillow/12bit.cropped.tif": "12 bits: we scale them, Pillow and the reference take them for 16"}
"""Pixels that differ, with the reason."""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_all_hostile_files_have_one_row_and_the_status_that_pillow_gives(
    model: Path, tmp_path: Path, workers: str
) -> None:
    names = needs_hostile()
    out = tmp_path / "t.csv"
    options = ("--all-files", "--faces", "whole", "--workers", workers, "--quiet")
    said = classify(HOSTILE, "--out", out, "--model", model, *options, status=1)
    rows = {row.file: row for row in reader.read(out)}
    damaged = {row.file: row.reason for row in rows.values() if row.status is Status.DAMAGED}
    rows |= {name: rows[name]._replace(status=Status.OK) for name in damaged}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {name: reference(name)[0] for name in names}
    different = {name for name in names if rows[name].status != expected[name]}
    recognised = {n for n in different if (rows[n].status, expected[n]) == (Status.UNREADABLE, Status.UNSUPPORTED)}

    assert said == b""
    assert sorted(rows) == names
    assert damaged == DAMAGED
    assert {(name, rows[name].status, expected[name]) for name in different - recognised - set(DIFFERENT)} == set()
    assert set(DIFFERENT) - different == set()
    assert all((HOSTILE / name).read_bytes()[:8].startswith(pillow.SIGNATURES) for name in recognised)


def test_hostile_files_that_are_whole_have_the_pixels_that_pillow_gives() -> None:
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in needs_hostile():
            _, upright = reference(name)
            if upright is None or name in {*DIFFERENT, *DARKER}:
                continue
            picture = read_image(str(HOSTILE / name), 64, 1280, Settings().max_pixels)
            small = [np.asarray(one.resize((16, 16), Image.Resampling.BOX), int) for one in
                     (upright, Image.fromarray(picture.pixels))]  # fmt: skip
            if (picture.width, picture.height) != upright.size or abs(small[0] - small[1]).max() > 12:
                wrong.append(name)

    assert wrong == []


@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_the_eight_orientations_of_the_example_set_give_the_same_picture(kind: str) -> None:
    needs_hostile()
    read = [read_image(str(HOSTILE / "exif_orientation" / f"{kind}_{n}.jpg"), 64, 1280, 10**8) for n in range(1, 9)]
    small = [np.asarray(Image.fromarray(one.pixels).resize((16, 16), Image.Resampling.BOX), int) for one in read]

    assert len({(one.width, one.height) for one in read}) == 1
    assert max(abs(one - small[0]).mean() for one in small) <= 1  # Each shows its number; turned wrongly it is 50.


LIMIT_PIXELS = Settings().max_pixels
AT_THE_LIMIT = {
    "JPEG": ("RGB", 1, {"progressive": True, "subsampling": 0}),
    "CMYK": ("CMYK", 2, {"progressive": True}),
    "PNG": ("RGBA", 1, {"compress_level": 1}),
    "GIF": ("P", 1, {}),
    "TIFF": ("RGBA", 1, {"compression": "tiff_lzw"}),
    "BMP": ("L", 1, {}),
    "WEBP": ("RGBA", 2, {"method": 0}),
    "JPEG2000": ("RGBA", 3, {}),
    "AVIF": ("RGBA", 3, {"speed": 10, "subsampling": "4:4:4"}),
    "HEIF": ("RGBA", 2, {"chroma": 444, "enc_params": {"preset": "ultrafast"}}),
}
MEASURE = """
import sys
from labeler.labeling import BatchLabeler
from labeler.records import Settings
row = BatchLabeler(Settings(root="/", model=sys.argv[2], faces="detect"))([sys.argv[1].lstrip("/")])[0]
print(row.status, next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
"""`VmHWM` is the peak of this process; `ru_maxrss` would be that of the test that started it, if that was higher."""


@pytest.mark.slow
@pytest.mark.parametrize("form", AT_THE_LIMIT)
def test_the_largest_legal_picture_of_each_format_stays_below_a_gigabyte(
    tmp_path: Path, model: Path, form: str
) -> None:
    mode, weight, options = AT_THE_LIMIT[form]
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    side = int((LIMIT_PIXELS / weight) ** 0.5) // 8 * 8
    path = tmp_path / "large"
    Image.linear_gradient("L").resize((side, side)).convert(mode).save(
        path, "JPEG" if form == "CMYK" else form, **options
    )
    command = [sys.executable, "-c", MEASURE, str(path), str(model)]
    status, peak_kib = subprocess.check_output(command, cwd=ROOT, text=True).split()
    print(f"{form} {side} x {side}: {int(peak_kib) / 1024:.0f} MiB")

    assert (status, int(peak_kib) < 2**20) == ("no_face", True), f"{peak_kib} KiB"
