"""An S3 server that costs next to nothing: what is put is dropped, what is got is a folder's.

`python null_server.py FOLDER` prints its port. A bucket's objects are the folder's files, sent by
sendfile; uploads are taken out of the socket without being copied, and only their sizes and
checksums are remembered, so that it answers as S3 does. Nothing is signed or checked.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from email.utils import formatdate
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

_DROP = 4 << 20
_NOTHING = bytearray(_DROP)
_ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'


class Server:
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.put: dict[str, tuple[int, str]] = {}  # what was dropped: size and checksum
        self.parts: dict[str, int] = {}

    def serve(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb", buffering=16 << 10) as stream:
            try:
                while self._answer(connection, stream):
                    pass
            except OSError:
                pass

    def _answer(self, connection, stream) -> bool:
        line = stream.readline().split()
        if len(line) != 3:
            return False
        headers = {}
        while (row := stream.readline()) not in {b"\r\n", b""}:
            name, _, value = row.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        method, url = line[0].decode(), urlsplit(line[1].decode())
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = _drop(connection, stream, headers)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if method in {"PUT", "POST"}:
            self._take(connection, method, key, query, headers, size)
        elif method == "DELETE":
            _reply(connection, 204)
        elif not key or "uploads" in query or "list-type" in query:
            self._list(connection, query)
        else:
            self._give(connection, method, key, headers)
        return True

    def _take(self, connection, method, key, query, headers, size) -> None:
        checksum = headers.get("x-amz-checksum-crc32", "")
        told = {"ETag": _ETAG, **({"x-amz-checksum-crc32": checksum} if checksum else {})}
        if method == "PUT" and "uploadId" in query:
            self.parts[query["uploadId"]] = self.parts.get(query["uploadId"], 0) + size
            _reply(connection, 200, told)
        elif method == "PUT":
            self.put[key] = (size, checksum)
            _reply(connection, 200, told)
        elif "uploads" in query:
            name = f"u{len(self.parts)}"
            self.parts[name] = 0
            inner = f"<Bucket>b</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            _xml(connection, "InitiateMultipartUploadResult", inner)
        else:
            self.put[key] = (self.parts.pop(query["uploadId"], 0), checksum)
            _xml(connection, "CompleteMultipartUploadResult", f"<ETag>{_ETAG}</ETag>")

    def _give(self, connection, method, key, headers) -> None:
        path = os.path.join(self.folder, key)
        if key in self.put:
            size, checksum = self.put[key]
            told = {"x-amz-checksum-crc32": checksum} if checksum else {}
            _reply(connection, 200, {"ETag": _ETAG, **told}, length=size)
            return
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            _xml(connection, "Error", "<Code>NoSuchKey</Code>", 404)
            return
        size = os.fstat(file).st_size
        start, end, status, told = 0, size, 200, {"ETag": _ETAG, "Accept-Ranges": "bytes"}
        if headers.get("range", "").startswith("bytes="):
            first, _, last = headers["range"][6:].partition("-")
            start, end, status = int(first), min(int(last or size) + 1, size), 206
            told["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        _reply(connection, status, told, length=end - start)
        while method == "GET" and start < end:
            start += os.sendfile(connection.fileno(), file, start, end - start)
        os.close(file)

    def _list(self, connection, query) -> None:
        if "uploads" in query:
            _xml(connection, "ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")
            return
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        keys = [key for key in self._keys() if key.startswith(prefix) and key > after]
        page = keys[:1000]
        inner = "".join(map(self._listed, page))
        more = len(keys) > len(page)
        inner += f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        inner += f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        _xml(
            connection,
            "ListBucketResult",
            f"<Name>b</Name><Prefix>{escape(prefix)}</Prefix>{inner}",
        )

    def _keys(self) -> list[str]:
        found = [
            os.path.relpath(os.path.join(parent, name), self.folder)
            for parent, _, names in os.walk(self.folder)
            for name in names
        ]
        return sorted(found)

    def _listed(self, key: str) -> str:
        size = os.stat(os.path.join(self.folder, key)).st_size
        return (
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z"
            f"</LastModified><ETag>{_ETAG}</ETag><Size>{size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )


def _drop(connection, stream, headers) -> int:
    """Take a body out of the socket; its size."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            _skip(connection, stream, size + 2)
        while stream.readline() not in {b"\r\n", b""}:
            pass
    else:
        _skip(connection, stream, int(headers.get("content-length", "0")))
    told = headers.get("x-amz-decoded-content-length") or headers.get("content-length", "0")
    return int(told)


def _skip(connection, stream, size: int) -> None:
    held = len(stream.peek()[:size]) if size and len(stream.peek()) else 0
    stream.read(held)
    size -= held
    while size:
        count = connection.recv_into(_NOTHING, min(size, _DROP), socket.MSG_TRUNC)
        if not count:
            raise ConnectionError
        size -= count


def _xml(connection, root: str, inner: str, status: int = 200) -> None:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{root}>{inner}</{root}>'.encode()
    _reply(connection, status, {"Content-Type": "application/xml"}, body)


def _reply(connection, status: int, headers=None, body: bytes = b"", length: int | None = None):
    told = {"x-amz-request-id": "1", "Date": formatdate(usegmt=True), "Server": "null"}
    told |= {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", **(headers or {})}
    told["Content-Length"] = str(len(body) if length is None else length)
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    connection.sendall(f"HTTP/1.1 {status} -\r\n{lines}\r\n".encode() + body)


if __name__ == "__main__":
    Server(sys.argv[1]).serve()
