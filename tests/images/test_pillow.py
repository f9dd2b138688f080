"""Every format a user has: whole and true, or refused with the reason; never half, never beyond its memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, read_image
from PIL import Image, ImageOps, ImageSequence, PngImagePlugin

from labeler import sources
from labeler.images import pillow
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.records import Status

LIMIT = 1_000_000
WIDTH, HEIGHT = 90, 60


def scene() -> Image.Image:
    """Colours that grow across and down, with noise, so that no two rows or columns are alike."""
    across = np.linspace(0, 215, WIDTH)[None, :].repeat(HEIGHT, axis=0)
    down = np.linspace(0, 215, HEIGHT)[:, None].repeat(WIDTH, axis=1)
    noise = np.random.default_rng(0).integers(0, 40, (HEIGHT, WIDTH))
    return Image.fromarray((np.dstack([across, down, np.full_like(down, 40)]) + noise[:, :, None]).astype(np.uint8))


def gray16() -> Image.Image:
    return Image.fromarray(np.asarray(scene().convert("L"), np.uint16) * 257)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def frames(form: str, **options: object) -> bytes:
    others = [ImageOps.invert(scene()), ImageOps.mirror(scene())]
    return saved(scene(), form, save_all=True, append_images=others, **options)


def inverted_cmyk() -> bytes:
    """A CMYK JPEG as Adobe's programs write it: Pillow writes the mark and inverts, so do they."""
    content = saved(scene().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in content
    return content


def translucent(mode: str) -> Image.Image:
    image = scene().convert("RGBA")
    image.putalpha(Image.fromarray(np.linspace(0, 255, WIDTH * HEIGHT).astype(np.uint8).reshape(HEIGHT, WIDTH)))
    return image.convert(mode)


def palette_with_transparency(form: str) -> bytes:
    return saved(scene().convert("P"), form, transparency=7)


MADE: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(scene(), "JPEG", quality=95),
    "progressive jpeg": lambda: saved(scene(), "JPEG", quality=95, progressive=True),
    "gray jpeg": lambda: saved(scene().convert("L"), "JPEG", quality=95),
    "inverted cmyk jpeg": inverted_cmyk,
    "jpeg with restarts": lambda: saved(scene(), "JPEG", restart_marker_blocks=4),
    "png": lambda: saved(scene(), "PNG"),
    "16-bit png": lambda: saved(gray16(), "PNG"),
    "1-bit png": lambda: saved(scene().convert("1"), "PNG"),
    "palette png": lambda: palette_with_transparency("PNG"),
    "gray and alpha png": lambda: saved(translucent("LA"), "PNG"),
    "transparent png": lambda: saved(translucent("RGBA"), "PNG"),
    "animated png": lambda: frames("PNG"),
    "animated png whose default is no frame": lambda: frames("PNG", default_image=True),
    "gif": lambda: palette_with_transparency("GIF"),
    "animated gif": lambda: frames("GIF"),
    "webp": lambda: saved(scene(), "WEBP", quality=95),
    "transparent webp": lambda: saved(translucent("RGBA"), "WEBP", lossless=True, exact=True),
    "animated webp": lambda: frames("WEBP", lossless=True),
    "tiff": lambda: saved(scene(), "TIFF"),
    "tiff lzw": lambda: saved(scene(), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: saved(scene(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff jpeg": lambda: saved(scene(), "TIFF", compression="jpeg"),
    "tiff fax": lambda: saved(scene().convert("1"), "TIFF", compression="group4"),
    "16-bit tiff": lambda: saved(gray16(), "TIFF"),
    "cmyk tiff": lambda: saved(scene().convert("CMYK"), "TIFF"),
    "gray and alpha tiff": lambda: saved(translucent("LA"), "TIFF"),
    "tiff of three pages": lambda: frames("TIFF", compression="tiff_lzw"),
    "ico": lambda: saved(scene(), "ICO", sizes=[(WIDTH, HEIGHT)]),
    "ico of a bmp": lambda: saved(scene(), "ICO", sizes=[(WIDTH, HEIGHT)], bitmap_format="bmp"),
    "bmp": lambda: saved(scene(), "BMP"),
    "dib": lambda: saved(scene(), "DIB"),
    "jpeg 2000": lambda: saved(scene(), "JPEG2000"),
    "jpeg 2000 codestream": lambda: saved(scene(), "JPEG2000", no_jp2=True),
    "avif": lambda: saved(scene(), "AVIF", quality=95),
    "heic": lambda: saved(scene(), "HEIF", quality=95),
    "tga": lambda: saved(scene(), "TGA", compression="tga_rle"),
    "ppm": lambda: saved(scene(), "PPM"),
    "16-bit pgm": lambda: b"P5\n%d %d\n65535\n" % (WIDTH, HEIGHT) + np.asarray(gray16()).astype(">u2").tobytes(),
    "pcx": lambda: saved(scene(), "PCX"),
    "sgi": lambda: saved(scene(), "SGI"),
}
"""A file of every format and every kind of pixels."""

SIXTEEN_BITS = {name for name in MADE if name.startswith("16-bit")}


def reference(name: str, content: bytes) -> np.ndarray:
    """Return what Pillow itself makes of the first frame; of 16 bits the high byte, for Pillow clips them to white."""
    if name in SIXTEEN_BITS:
        return np.asarray(scene().convert("L").convert("RGB"), int)
    first = next(ImageSequence.Iterator(Image.open(io.BytesIO(content))))
    return np.asarray(first.convert("RGB"), int)


def read(path: Path, content: bytes, max_pixels: int = LIMIT) -> Picture:
    path.write_bytes(content)
    return read_image(str(path), 64, 1280, max_pixels)


@pytest.mark.parametrize("name", MADE)
def test_every_format_gives_the_pixels_that_pillow_gives(tmp_path: Path, name: str) -> None:
    content = MADE[name]()
    picture = read(tmp_path / "named.jpg", content)  # Always a wrong suffix: the content decides.
    tolerance = 4 if "jpeg" in name else 0  # Another libjpeg, and other rounding of colours.

    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert abs(picture.pixels - reference(name, content)).max() <= tolerance


def status_and_pixels(path: Path, content: bytes) -> tuple[Status, Pixels | None]:
    try:
        return Status.OK, read(path, content).pixels
    except ImageError as exc:
        return exc.status, None


@pytest.mark.parametrize("name", MADE)
def test_wherever_a_picture_is_cut_it_is_refused_or_still_whole(tmp_path: Path, name: str) -> None:
    content = MADE[name]()
    whole = read(tmp_path / "x", content).pixels
    ends = {*range(1, len(content), max(1, len(content) // 40)), *range(len(content) - 12, len(content))}
    for end in sorted(ends):
        status, pixels = status_and_pixels(tmp_path / "x", content[:end])
        if status is Status.OK:
            assert (pixels == whole).all(), f"cut at {end} of {len(content)}"
        else:
            assert status is Status.UNREADABLE or end < 64, f"cut at {end}: {status}"


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "AVIF", "HEIF", "JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_in_every_format_that_has_one(
    tmp_path: Path, form: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(scene(), form, exif=exif.tobytes(), **({"lossless": True} if form == "WEBP" else {"quality": 95}))
    picture = read(tmp_path / "x", content)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"), int)

    assert (picture.height, picture.width) == upright.shape[:2] == picture.pixels.shape[:2]
    assert abs(picture.pixels - upright).max() <= 4
    assert (picture.width < picture.height) == (orientation >= 5)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_xmp_turns_a_picture_as_exif_does(tmp_path: Path, form: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    picture = read(tmp_path / "x", saved(scene(), form, **({"xmp": xmp} if form == "JPEG" else {"pnginfo": texts})))

    assert (picture.width, picture.height) == (HEIGHT, WIDTH)


def test_a_12_bit_tiff_is_as_bright_as_it_was(tmp_path: Path) -> None:
    samples = np.full(64 * 64, 0x800, np.uint16)
    packed = bytes(b for a, c in samples.reshape(-1, 2) for b in (a >> 4, (a & 15) << 4 | c >> 8, c & 255))
    pixels = read(tmp_path / "x", tiff({258: 12, 278: 64, 279: len(packed)}, packed)).pixels

    assert (pixels == 128).all()


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_that_do_not_say_what_is_white_are_refused(tmp_path: Path, kind: type) -> None:
    content = saved(Image.fromarray(np.ones((60, 90), kind)), "TIFF")
    with pytest.raises(ImageError, match="which value is white") as caught:
        read(tmp_path / "x", content)

    assert caught.value.status is Status.UNSUPPORTED


@pytest.mark.parametrize("form", ["DDS", "EPS", "PDF", "XBM", "IM", "SPIDER", "MSP"])
def test_other_formats_of_pillow_are_not_even_tried(tmp_path: Path, form: str) -> None:
    image = {"XBM": "1", "MSP": "1", "SPIDER": "F"}.get(form, "RGB")
    with pytest.raises(ImageError, match="not an image in a known format"):
        read(tmp_path / "x", saved(scene().convert(image), form))


def test_every_suffix_is_of_a_format_that_is_decoded() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.init()
    known = Image.registered_extensions()
    apart = {".dib": "DIB", ".jpe": "JPEG", ".hif": "HEIF", ".jfif": "JPEG"}

    assert {known.get(suffix) or apart[suffix] for suffix in sources.SUFFIXES} <= {*pillow.FORMATS, "MPO"}


def tiff(tags: dict[int, int], data: bytes, width: int = 64, height: int = 64) -> bytes:
    """Return a gray TIFF, its pixels right behind the tags."""
    first = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1} | tags
    begin = 8 + 2 + 12 * (len(first) + 1) + 4
    fields = sorted((first | {273: begin}).items())
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + body + bytes(4) + data


def claims(name: str) -> bytes:
    """Return a small file whose header claims 60,000 x 60,000 pixels."""
    huge = 60_000
    if name == "gif":
        return b"GIF89a" + struct.pack("<HH", huge, huge) + saved(scene(), "GIF")[10:]
    if name == "png":
        return saved(scene(), "PNG").replace(struct.pack(">II", WIDTH, HEIGHT), struct.pack(">II", huge, huge), 1)
    if name == "webp":
        sides = (struct.pack("<I", side - 1)[:3] for side in (huge, huge))
        return (
            b"RIFF" + struct.pack("<I", 1000) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"".join(sides) + bytes(980)
        )
    if name == "tiff":
        return tiff({}, bytes(100), huge, huge)
    if name == "bmp":
        return saved(scene(), "BMP").replace(struct.pack("<ii", WIDTH, HEIGHT), struct.pack("<ii", huge, huge), 1)
    if name == "jpeg":
        content = saved(scene(), "JPEG")
        return content.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", huge, huge), 1)
    if name == "ico":
        png = claims("png")
        png = png[:29] + struct.pack(">I", zlib.crc32(png[12:29])) + png[33:]
        return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png
    content = saved(scene(), {"jp2": "JPEG2000", "heic": "HEIF", "avif": "AVIF"}[name])
    if name == "jp2":
        return content.replace(struct.pack(">II", HEIGHT, WIDTH), struct.pack(">II", huge, huge), 1)
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", huge, huge) + content[at + 8 :]


def peak_kib(*, anew: bool = False) -> int:
    """Return the most memory that this process has had, since it was last asked anew."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0])


@pytest.mark.parametrize("name", ["gif", "png", "webp", "tiff", "bmp", "jpeg", "ico", "jp2"])
def test_a_bomb_is_too_large_before_it_is_decoded(tmp_path: Path, name: str) -> None:
    content = claims(name)
    before = peak_kib(anew=True)
    with pytest.raises(ImageError) as caught:
        read(tmp_path / "x", content, max_pixels=100_000_000)

    assert (caught.value.status, "--max-pixels" in caught.value.reason) == (Status.TOO_LARGE, True)
    assert peak_kib() - before < 50_000


@pytest.mark.parametrize("name", ["heic", "avif"])
def test_a_box_that_lies_about_the_size_of_a_phones_picture_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError) as caught:
        read(tmp_path / "x", claims(name), max_pixels=100_000_000)

    assert caught.value.status in {Status.TOO_LARGE, Status.UNREADABLE}


@pytest.mark.parametrize(("form", "weight"), [("JPEG2000", 3), ("WEBP", 2), ("AVIF", 3), ("HEIF", 2), ("TIFF", 1)])
def test_the_limit_counts_what_decoding_costs(tmp_path: Path, form: str, weight: int) -> None:
    content = saved(scene(), form)
    enough = WIDTH * HEIGHT * weight

    assert read(tmp_path / "x", content, max_pixels=enough).width == WIDTH
    with pytest.raises(ImageError, match="--max-pixels"):
        read(tmp_path / "x", content, max_pixels=enough - 1)


def test_a_large_picture_is_reduced_to_what_is_needed_and_says_its_full_size(tmp_path: Path) -> None:
    large = scene().resize((WIDTH * 20, HEIGHT * 20))
    path = tmp_path / "x.bmp"
    large.save(path)
    picture = read_image(str(path), 64, 400, 10_000_000)

    assert (picture.width, picture.height, picture.pixels.shape) == (1800, 1200, (300, 450, 3))
    assert abs(picture.pixels - np.asarray(large.reduce(4), int)).max() == 0


def test_a_large_cmyk_jpeg_is_reduced_once(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    scene().resize((1800, 1200)).convert("CMYK").save(path)

    assert read_image(str(path), 64, 400, 10_000_000).pixels.shape == (300, 450, 3)


STARVED = """
import resource, sys
from labeler import storage
from labeler.images.picture import ImageError
from labeler.images.read import read
from labeler.images.picture import ImageError, Picture, Pixels
read(storage.at(''), sys.argv[2], 64, 64, 10**8)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 60_000_000,) * 2)
for path in sys.argv[1:3]:
    try:
        print(read(storage.at(''), path, 64, 64, 10**8)[0].width)
    except ImageError as exc:
        print(exc.status, exc.reason)
"""


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_a_picture_that_memory_is_short_for_costs_itself_and_not_the_next(tmp_path: Path, form: str) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    Image.new("RGB", (5000, 5000), (1, 2, 3)).save(
        large, form, **({"compression": "packbits"} if form == "TIFF" else {})
    )
    scene().save(small, form)
    command = [sys.executable, "-c", STARVED, large, small]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.stdout.splitlines() == ["too_large there is not enough memory to read it", str(WIDTH)], done.stderr
