"""A light S3 server on loopback: the files of a folder, or a generated listing, each answer after a fixed latency.

    python benchmarks/bucket_server.py FOLDER [--latency-ms 20] [--generated 10000000]

It answers GET, HEAD and byte ranges, and lists (ListObjectsV2). Whatever the bucket's name is, it is the folder. It
prints its port, and with SIGTERM ends. Its processor time stands in /proc, so that a benchmark can leave it out.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import os
import signal
from pathlib import Path
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

PAGE = 1000
ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{}&quot;</ETag>"
    "<Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
HEAD = '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
STAMP = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"


class Bucket:
    """The files of a folder, in memory: their names in order; their contents stay in the page cache."""

    def __init__(self, folder: Path) -> None:
        found = (Path(above, file) for above, _, files in os.walk(folder) for file in files)
        self.sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}
        self.names = sorted(self.sizes, key=os.fsencode)
        self._folder = str(folder)

    def read(self, name: str, start: int, length: int) -> bytes:
        """Return bytes of a file."""
        descriptor = os.open(f"{self._folder}/{name}", os.O_RDONLY)
        try:
            return os.pread(descriptor, length, start)
        finally:
            os.close(descriptor)

    def listing(self, prefix: str, after: str) -> bytes:
        """Return a page of names that begin with a prefix and come after another."""
        first = bisect.bisect_left(self.names, prefix)
        first = max(first, bisect.bisect_right(self.names, after))
        page = [name for name in self.names[first : first + PAGE] if name.startswith(prefix)]
        more = first + PAGE < len(self.names) and len(page) == PAGE
        return page_of("".join(ENTRY.format(escape(name), tag(name), self.sizes[name]) for name in page), page, more)


class Generated:
    """A listing of any number of names in folders of a thousand, made as it is asked for."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._page = "".join(
            ENTRY.format(f"FOLDER/{number:03}.jpg", f"{number:025}NUMBER", 3000) for number in range(PAGE)
        )

    def listing(self, prefix: str, after: str) -> bytes:
        """Return the folder that comes after a name."""
        folder = int(after.removeprefix(prefix)[:6]) + 1 if after else 0
        here = f"{prefix}{folder:06}"
        more = (folder + 1) * PAGE < self._count
        content = self._page.replace("FOLDER", here).replace("NUMBER", f"{folder:07}")
        return page_of(content, [f"{here}/999.jpg"], more)


def page_of(content: str, page: list[str], more: bool) -> bytes:
    """Return a page of a listing."""
    token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
    counts = f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
    return f"{HEAD}<Name>bucket</Name>{counts}{token}{content}</ListBucketResult>".encode()


def tag(name: str) -> str:
    """Return an entity tag."""
    return f"{hash(name) & 0xFFFFFFFFFFFFFFFF:032x}"


class Connection(asyncio.Protocol):
    """Answers the requests of a connection, one after the other, each after the latency."""

    def __init__(self, bucket: Bucket | Generated, latency_s: float) -> None:
        self._bucket, self._latency_s = bucket, latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete: none has a body."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            loop = asyncio.get_running_loop()
            loop.call_later(self._latency_s, self._send, self._answer(head.decode("latin-1")))

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)  # type: ignore[attr-defined]

    def _answer(self, head: str) -> bytes:
        request, *lines = head.split("\r\n")
        method, target, _ = request.split(" ", 2)
        path, _, query = target.partition("?")
        name = unquote(path).lstrip("/").partition("/")[2]
        if not name:
            asked = {key: values[0] for key, values in parse_qs(query, keep_blank_values=True).items()}
            after = asked.get("continuation-token") or asked.get("start-after") or ""
            content = self._bucket.listing(asked.get("prefix", ""), after)
            return f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        size = self._bucket.sizes.get(name) if isinstance(self._bucket, Bucket) else None
        if size is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        start, length, status, extent = 0, size, "200 OK", ""
        for line in lines:
            if line.lower().startswith("range:"):
                first, _, last = line.partition("=")[2].partition("-")
                start = int(first)
                length = min(int(last or size - 1), size - 1) - start + 1
                status, extent = "206 Partial Content", f"Content-Range: bytes {start}-{start + length - 1}/{size}\r\n"
        answer = f'HTTP/1.1 {status}\r\nETag: "{tag(name)}"\r\n{STAMP}{extent}Content-Length: {length}\r\n\r\n'.encode()
        return answer if method == "HEAD" else answer + self._bucket.read(name, start, length)


async def serve(bucket: Bucket | Generated, latency_s: float) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bucket, latency_s), "127.0.0.1", 0, backlog=1024)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--generated", type=int, default=0)
    arguments = parser.parse_args()
    served = Generated(arguments.generated) if arguments.generated else Bucket(arguments.folder)
    asyncio.run(serve(served, arguments.latency_ms / 1000))
