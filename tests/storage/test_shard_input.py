"""Shards: tars and Parquet files whose members are labelled as the files of a folder are, however hostile they are."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ROOT
from pyarrow import parquet

from labeler import storage
from labeler.member import Member
from labeler.sources import Source
from labeler.storage.shards import Shards
from labeler.storage.store import FileError, key

PHOTO = (ROOT / "examples" / "photos" / "faces" / "hopper.jpg").read_bytes()
LIMIT = 1 << 24


def info(name: str, size: int = 0, **attributes: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = size
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def tar_of(path: Path, members: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            tar.addfile(info(name, len(content)), io.BytesIO(content))
    return path


def names(folder: Path, **options: bool) -> list[str]:
    return [str(name) for name in Source([folder], **options)]


def contents(folder: Path) -> dict[str, bytes]:
    """Return what the photos of a folder hold, read by the members that a walk gives."""
    store = storage.at(str(folder))
    return {str(name): store.read(name, LIMIT).data for name in Source([folder])}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_gives_its_photos(tmp_path: Path, form: int) -> None:
    members = {"b.jpg": b"b", "a/c.png": b"c" * 1000, "été.jpg": b"e", "x/" * 60 + "y.jpg": b"long"}
    tar_of(tmp_path / "s.tar", members, form)

    assert contents(tmp_path) == {f"s.tar/{name}": content for name, content in members.items()}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_of_any_length_are_kept(tmp_path: Path, form: int) -> None:
    name = "/".join(["folder" * 20] * 5) + "/ü" * 3 + ".jpg"
    tar_of(tmp_path / "s.tar", {name: b"1"}, form)

    assert contents(tmp_path) == {f"s.tar/{name}": b"1"}


def test_a_shard_comes_where_a_folder_of_its_name_would(tmp_path: Path) -> None:
    for name in ("z.jpg", "a/1.jpg", "m.tar.jpg/1.jpg", "n/2.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PHOTO)
    tar_of(tmp_path / "m.tar", {"c/1.jpg": b"1", "b.jpg": b"2", "a.jpg": b"3"})
    tar_of(tmp_path / "a" / "0.TAR", {"x.jpg": b"1"})

    found = names(tmp_path)

    assert found == sorted(found, key=key)
    assert set(found) == {
        *("z.jpg", "a/1.jpg", "a/0.TAR/x.jpg", "m.tar.jpg/1.jpg", "n/2.jpg"),
        *("m.tar/a.jpg", "m.tar/b.jpg", "m.tar/c/1.jpg"),
    }


def test_other_members_are_counted_and_hidden_ones_are_not(tmp_path: Path) -> None:
    tar_of(tmp_path / "s.tar", {"1.jpg": b"1", "1.json": b"{}", "1.cls": b"3", "._1.jpg": b"", ".x/2.jpg": b""})
    source = Source([tmp_path])

    assert list(source) == ["s.tar/1.jpg"]
    assert source.passed_over == 2
    assert names(tmp_path, all_files=True) == ["s.tar/1.cls", "s.tar/1.jpg", "s.tar/1.json"]


def test_members_of_one_name_have_a_row_each(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for name, content in (("a.jpg", b"1"), ("a.jpg", b"22"), ("a~2.jpg", b"333"), ("./a.jpg", b"4444")):
            tar.addfile(info(name, len(content)), io.BytesIO(content))

    found = contents(tmp_path)

    assert found == {
        "s.tar/a.jpg": b"1",
        "s.tar/a~2.jpg": b"22",
        "s.tar/a~2~2.jpg": b"333",
        "s.tar/a~3.jpg": b"4444",
    }


def test_a_hard_link_has_the_bytes_of_what_it_leads_to(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.addfile(info("a.jpg", 3), io.BytesIO(b"abc"))
        tar.addfile(info("b.jpg", type=tarfile.LNKTYPE, linkname="a.jpg"))

    assert contents(tmp_path) == {"s.tar/a.jpg": b"abc", "s.tar/b.jpg": b"abc"}


@pytest.mark.parametrize(
    ("member", "shown", "reason"),
    [
        (info("l.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "l.jpg", "a symbolic link"),
        (info("l.jpg", type=tarfile.LNKTYPE, linkname="none.jpg"), "l.jpg", "not in the shard"),
        (info("s.jpg", type=tarfile.GNUTYPE_SPARSE), "s.jpg", "a sparse file"),
        (info("../../up.jpg"), "(..)/(..)/up.jpg", "leads out"),
        (info("a/../up.jpg"), "a/(..)/up.jpg", "leads out"),
    ],
    ids=["symlink", "hard-link", "sparse", "above", "within"],
)
def test_what_is_no_plain_photo_costs_a_row_that_says_why(
    tmp_path: Path, member: tarfile.TarInfo, shown: str, reason: str
) -> None:
    with tarfile.open(tmp_path / "s.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(member)
        tar.addfile(info("z.jpg", 1), io.BytesIO(b"z"))
    found = list(Source([tmp_path]))

    assert set(found) == {f"s.tar/{shown}", "s.tar/z.jpg"}
    with pytest.raises(FileError, match=reason):
        storage.at(str(tmp_path)).read(next(name for name in found if name.endswith(shown)), LIMIT)


def test_folders_devices_and_absolute_names_do_no_harm(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.addfile(info("folder.jpg", type=tarfile.DIRTYPE))
        tar.addfile(info("fifo.jpg", type=tarfile.FIFOTYPE))
        tar.addfile(info("null.jpg", type=tarfile.CHRTYPE))
        tar.addfile(info("/etc//a.jpg", 1), io.BytesIO(b"1"))
        tar.addfile(info("odd\udcff\n.jpg", 1), io.BytesIO(b"2"))

    assert contents(tmp_path) == {"s.tar/etc/a.jpg": b"1", "s.tar/odd\udcff\n.jpg": b"2"}


def test_a_name_that_is_a_plain_text_is_found_in_its_shard(tmp_path: Path) -> None:
    tar_of(tmp_path / "s.tar", {"a/1.jpg": b"1", "2.jpg": b"2"})
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "folder.tar" / "3.jpg").write_bytes(b"3")
    store = storage.at(str(tmp_path))

    assert [store.read(name, LIMIT).data for name in ("s.tar/a/1.jpg", "folder.tar/3.jpg")] == [b"1", b"3"]
    assert store.read(f"{tmp_path}/s.tar/2.jpg", LIMIT).data == b"2"
    assert store.version("s.tar/2.jpg") == store.version("s.tar")
    with pytest.raises(FileError, match="no such file in the shard"):
        store.read("s.tar/none.jpg", LIMIT)
    with pytest.raises(FileError):
        store.read("none.tar/none.jpg", LIMIT)


def cut_in_content(content: bytes) -> bytes:
    return content[: 512 + 1024 + 512 + 100]


def cut_in_header(content: bytes) -> bytes:
    return content[: 512 + 1024 + 100]


def broken_header(content: bytes) -> bytes:
    return content[:1536] + b"\xff" * 200 + content[1736:]


def endless_size(content: bytes) -> bytes:
    with_size = bytearray(content)
    with_size[1536 + 124 : 1536 + 136] = b"\x80" + b"\x7f" * 11
    header = bytes(with_size[1536:2048])
    total = sum(header) - sum(header[148:156]) + 256
    with_size[1536 + 148 : 1536 + 156] = b"%06o\0 " % total
    return bytes(with_size)


@pytest.mark.parametrize("damage", [cut_in_content, cut_in_header, broken_header, endless_size])
def test_members_before_the_damage_are_given_and_a_row_says_what_happened(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tar_of(tmp_path / "s.tar", {"a.jpg": b"a" * 1000, "b.jpg": b"b" * 1000})
    path.write_bytes(damage(path.read_bytes()))
    (tmp_path / "z.jpg").write_bytes(PHOTO)
    found = list(Source([tmp_path]))
    store = storage.at(str(tmp_path))

    assert found == ["z.jpg", "s.tar/", "s.tar/a.jpg"]
    assert store.read(found[2], LIMIT).data == b"a" * 1000
    with pytest.raises(FileError, match=r"the shard is damaged: .*1 files before"):
        store.read(found[1], LIMIT)
    with pytest.raises(FileError, match="the shard is damaged"):
        store.read("s.tar/", LIMIT)


@pytest.mark.parametrize("content", [b"", b"words", b"\0" * 100, PHOTO], ids=["empty", "words", "zeros", "photo"])
@pytest.mark.parametrize("name", ["s.tar", "s.parquet"])
def test_a_file_that_is_only_called_like_a_shard_costs_one_row(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = list(Source([tmp_path]))

    assert found == [f"{name}/"]
    with pytest.raises(FileError):
        storage.at(str(tmp_path)).read(found[0], LIMIT)


def test_a_tar_without_its_last_blocks_is_whole(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "s.tar", {"a.jpg": b"a" * 100, "b.jpg": b"b" * 100})
    path.write_bytes(path.read_bytes()[: 512 + 512 + 512 + 100])

    assert contents(tmp_path) == {"s.tar/a.jpg": b"a" * 100, "s.tar/b.jpg": b"b" * 100}


def test_a_shard_that_changes_while_it_is_read_gives_no_wrong_bytes(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "s.tar", {"a.jpg": b"a", "b.jpg": b"b"})
    (member, _) = Source([tmp_path])
    tar_of(path, {"c.jpg": b"c" * 1000, "a.jpg": b"a"})

    with pytest.raises(FileError, match="changed while it was read"):
        storage.at(str(tmp_path)).read(member, LIMIT)


def test_a_member_stays_what_it_is_on_its_way_to_a_worker(tmp_path: Path) -> None:
    tar_of(tmp_path / "s.tar", {"a.jpg": b"abc"})
    (member,) = Source([tmp_path], absolute=True)
    assert isinstance(member, Member)
    sent = pickle.loads(pickle.dumps(member))

    assert sent == member == f"{tmp_path}/s.tar/a.jpg"
    assert (sent.shard, sent.at, sent.problem, sent.block) == (member.shard, member.at, "", None)
    assert storage.at(str(tmp_path)).read(sent, LIMIT).data == b"abc"


def test_a_member_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    tar_of(tmp_path / "s.tar", {"a.jpg": b"abc"})
    (member,) = Source([tmp_path])

    with pytest.raises(FileError, match="3 bytes; the limit is 2") as raised:
        storage.at(str(tmp_path)).read(member, 2)
    assert raised.value.size == 3


def test_a_compressed_tar_is_counted_and_one_that_is_named_says_what_to_do(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as tar:
        tar.addfile(info("a.jpg", 1), io.BytesIO(b"a"))
    walked = Source([tmp_path])

    assert list(walked) == []
    assert (walked.passed_over, walked.compressed) == (1, 1)
    assert list(Source([tmp_path / "s.tar.gz"])) == ["s.tar.gz"]
    with pytest.raises(FileError, match="unpack it"):
        storage.at(str(tmp_path)).read("s.tar.gz", LIMIT)


def test_streaming_gives_the_members_in_the_order_of_the_shard(tmp_path: Path) -> None:
    tar_of(tmp_path / "s.tar", {"b.jpg": b"b", "a.jpg": b"a"})
    store: Shards = storage.at(str(tmp_path))

    assert list(store.streamed("s.tar")) == ["s.tar/b.jpg", "s.tar/a.jpg"]
    assert store.members("s.tar") == ["s.tar/a.jpg", "s.tar/b.jpg"]


def test_a_listing_names_each_shard_in_the_place_of_its_members(tmp_path: Path) -> None:
    for name in ("z.jpg", "a/1.jpg", "n/2.jpg", "n/3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PHOTO)
    for name in ("m.tar", "b.tar", "n/0.tar", "x.tar"):
        tar_of(tmp_path / name, {"c/1.jpg": b"1", "b.jpg": b"2", "b.json": b"3"})
    source = Source([tmp_path])
    listed = [name for page in source.listed() for name in page.names]
    opened = [[name] if name.endswith(".jpg") else list(source.members(name)) for name in listed]

    assert len(listed) == 8
    assert [name for some in opened for name in some] == list(source)


def test_shards_are_read_in_several_threads(tmp_path: Path) -> None:
    rows = [(b"%d" % number, None) for number in range(200)]
    parquet.write_table(rows_of(*rows), tmp_path / "p.parquet", row_group_size=30)
    tar_of(tmp_path / "s.tar", {f"{number}.jpg": b"%d" % number for number in range(200)})
    store = storage.at(str(tmp_path))
    wanted = {f"p.parquet/{number:06}.jpg": b"%d" % number for number in range(200)}
    wanted |= {f"s.tar/{number}.jpg": b"%d" % number for number in range(200)}

    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: store.read(name, LIMIT).data, wanted)
        assert list(found) == list(wanted.values())


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def rows_of(*rows: tuple[bytes | None, str | None]) -> pa.Table:
    return pa.table({"label": [0] * len(rows), "image": pa.array([{"bytes": b, "path": p} for b, p in rows], IMAGE)})


def test_rows_of_a_parquet_file_are_named_by_number_and_file_name(tmp_path: Path) -> None:
    table = rows_of((b"1", "x/b.jpg"), (b"2", None), (b"3", "x/b.jpg"), (b"4", "a\\../c\0.png"))
    parquet.write_table(table, tmp_path / "s.parquet", row_group_size=2)

    assert contents(tmp_path) == {
        "s.parquet/000000-b.jpg": b"1",
        "s.parquet/000001.jpg": b"2",
        "s.parquet/000002-b.jpg": b"3",
        "s.parquet/000003-c.png": b"4",
    }
    assert storage.at(str(tmp_path)).read("s.parquet/000002-b.jpg", LIMIT).data == b"3"


def test_a_row_without_an_image_costs_that_row(tmp_path: Path) -> None:
    parquet.write_table(rows_of((None, "a.jpg"), (b"2", "b.jpg")), tmp_path / "s.parquet")
    first, second = Source([tmp_path])
    store = storage.at(str(tmp_path))

    with pytest.raises(FileError, match="holds no image"):
        store.read(first, LIMIT)
    assert store.read(second, LIMIT).data == b"2"


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
def test_a_binary_column_holds_images_by_its_name(tmp_path: Path, kind: pa.DataType, codec: str) -> None:
    images = [b"%d" % number * 100 for number in range(100)]
    table = pa.table({"other": pa.array(images[::-1], kind), "JPG": pa.array(images, kind)})
    parquet.write_table(table, tmp_path / "s.parquet", row_group_size=40, compression=codec)
    found = contents(tmp_path)

    assert list(found.values()) == images
    store = storage.at(str(tmp_path))
    assert [store.read(name, LIMIT).data for name in [*reversed(found)]] == images[::-1]


def test_a_table_is_no_shard_unless_it_is_named(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"file": ["a.jpg"], "label": ["happy"]}), tmp_path / "labels.parquet")
    walked = Source([tmp_path])

    assert list(walked) == []
    assert walked.passed_over == 1
    (named,) = Source([tmp_path / "labels.parquet"])
    assert named == "labels.parquet/"
    with pytest.raises(FileError, match="without a column of images"):
        storage.at(str(tmp_path)).read(named, LIMIT)


def test_damage_within_a_parquet_file_costs_the_rows_that_it_hits(tmp_path: Path) -> None:
    images = [bytes([number]) * 5000 for number in range(40)]
    table = pa.table({"image": pa.array(images, pa.binary())})
    path = tmp_path / "s.parquet"
    parquet.write_table(table, path, row_group_size=10, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36
    path.write_bytes(content)
    store = storage.at(str(tmp_path))
    found = list(Source([tmp_path]))

    assert len(found) == 40
    with pytest.raises(FileError, match="damaged"):
        store.read(found[0], LIMIT)
    assert store.read(found[10], LIMIT).data == images[10]
    assert store.read(found[39], LIMIT).data == images[39]
