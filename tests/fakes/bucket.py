"""An S3 service in this process: it behaves, unless a test tells it how not to.

It answers as Amazon S3 does where our client depends on it, keeps everything in memory, and notes
every request. `trouble` is asked first and may answer instead; `tamper` may change what is
answered.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

BUCKET = "bucket"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
PAGE = 3  # of a list, so that few objects make several


class Seen(NamedTuple):
    """A request. key: "" where it is about the bucket. headers: names in lower case."""

    method: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """cut: so many bytes of the body are sent, then the connection is closed."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    cut: int | None = None
    length: int | None = None  # that a HEAD tells


class Held(NamedTuple):
    data: bytes
    etag: str
    crc32: str


class Upload(NamedTuple):
    key: str
    begun: float
    parts: dict[int, Held]


def error(status: int, code: str, inner: str = "", **headers: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>told so</Message>{inner}</Error>".encode()
    return Answer(status, body, {name.replace("_", "-"): text for name, text in headers.items()})


def crc_text(data: bytes) -> str:
    return base64.b64encode(struct.pack(">I", zlib.crc32(data))).decode()


class Bucket:
    """Use it by `with`. checksums, conditions: whether it knows such things.

    certificate: a file with one and its key, to be asked by HTTPS.
    """

    def __init__(
        self, *, checksums: bool = True, conditions: bool = True, certificate: str = ""
    ) -> None:
        self.objects: dict[str, Held] = {}
        self.uploads: dict[str, Upload] = {}
        self.seen: list[Seen] = []
        self.trouble: Callable[[Seen], Answer | None] = lambda _: None
        self.tamper: Callable[[Seen, Answer], Answer] = lambda _, answer: answer
        self._checksums = checksums
        self._conditions = conditions
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.answer = self.answer
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, method: str, *names: str) -> list[Seen]:
        """Requests by this method whose query has all these names."""
        return [one for one in self.seen if one.method == method and set(names) <= set(one.query)]

    def answer(self, seen: Seen) -> Answer:
        with self._lock:
            self.seen.append(seen)
            answer = self.trouble(seen) or self._serve(seen)
            return self.tamper(seen, answer)

    def _serve(self, seen: Seen) -> Answer:
        if seen.key and not self._is_whole(seen):
            return error(400, "BadDigest")
        if not seen.key:
            return self._about_the_bucket(seen)
        if "uploadId" in seen.query or "uploads" in seen.query:
            return self._in_parts(seen)
        return {"PUT": self._put, "GET": self._get, "HEAD": self._get, "DELETE": self._delete}[
            seen.method
        ](seen)

    def _is_whole(self, seen: Seen) -> bool:
        told = seen.headers.get("x-amz-checksum-crc32")
        if seen.method != "PUT" or not told or not self._checksums:
            return True
        return told == crc_text(seen.body)

    def _put(self, seen: Seen) -> Answer:
        there = self.objects.get(seen.key)
        if self._conditions:
            if seen.headers.get("if-none-match") == "*" and there is not None:
                return error(412, "PreconditionFailed")
            wanted = seen.headers.get("if-match")
            if wanted and there is None:
                return error(404, "NoSuchKey")
            if wanted and there is not None and wanted != there.etag:
                return error(412, "PreconditionFailed")
        source = unquote(seen.headers.get("x-amz-copy-source", "")).removeprefix(f"/{BUCKET}/")
        if source:
            if source not in self.objects:
                return error(404, "NoSuchKey")
            self.objects[seen.key] = self.objects[source]
            return _xml("CopyObjectResult", f"<ETag>{self.objects[source].etag}</ETag>")
        self.objects[seen.key] = self._held(seen.body)
        return Answer(200, headers=self._told(self.objects[seen.key]))

    def _held(self, data: bytes) -> Held:
        return Held(data, f'"{hashlib.md5(data).hexdigest()}"', crc_text(data))

    def _told(self, held: Held) -> dict[str, str]:
        return {"ETag": held.etag} | (
            {"x-amz-checksum-crc32": held.crc32} if self._checksums else {}
        )

    def _get(self, seen: Seen) -> Answer:
        held = self.objects.get(seen.key)
        if held is None:
            return error(404, "NoSuchKey")
        if seen.headers.get("if-match", held.etag) != held.etag:
            return error(412, "PreconditionFailed")
        headers = {"ETag": held.etag, "Last-Modified": formatdate(usegmt=True)}
        if seen.method == "HEAD":
            return Answer(200, headers=headers | self._told(held), length=len(held.data))
        span = seen.headers.get("range", "").removeprefix("bytes=")
        if not span:
            return Answer(200, held.data, headers)
        start, _, end = span.partition("-")
        if int(start) >= len(held.data):
            return error(416, "InvalidRange")._replace(
                headers={"Content-Range": f"bytes */{len(held.data)}"}
            )
        body = held.data[int(start) : int(end) + 1]
        last = int(start) + len(body) - 1
        headers["Content-Range"] = f"bytes {start}-{last}/{len(held.data)}"
        return Answer(206, body, headers)

    def _delete(self, seen: Seen) -> Answer:
        self.objects.pop(seen.key, None)
        return Answer(204)

    def _about_the_bucket(self, seen: Seen) -> Answer:
        if "delete" in seen.query:
            root = ET.fromstring(seen.body)
            for key in root.iter("Key"):
                self.objects.pop(key.text or "", None)
            return _xml("DeleteResult", "")
        if "uploads" in seen.query:
            inner = "".join(
                f"<Upload><Key>{escape(one.key)}</Key><UploadId>{name}</UploadId>"
                f"<Initiated>{_moment(one.begun)}</Initiated></Upload>"
                for name, one in self.uploads.items()
                if one.key.startswith(seen.query.get("prefix", ""))
            )
            return _xml("ListMultipartUploadsResult", inner + "<IsTruncated>false</IsTruncated>")
        return self._list(seen)

    def _list(self, seen: Seen) -> Answer:
        prefix, after = seen.query["prefix"], seen.query.get("continuation-token", "")
        names: dict[str, str] = {}
        for key, held in self.objects.items():
            rest = key[len(prefix) :]
            if not key.startswith(prefix):
                continue
            if "delimiter" in seen.query and "/" in rest:
                folder = prefix + rest.partition("/")[0] + "/"
                inner = f"<Prefix>{quote_plus(folder)}</Prefix>"
                names[folder] = f"<CommonPrefixes>{inner}</CommonPrefixes>"
            else:
                names[key] = (
                    f"<Contents><Key>{quote_plus(key)}</Key><Size>{len(held.data)}</Size>"
                    f"<LastModified>{_moment(0)}</LastModified><ETag>{held.etag}</ETag></Contents>"
                )
        left = sorted((name for name in names if name > after), key=str.encode)
        page, more = left[:PAGE], len(left) > PAGE
        inner = "".join(names[name] for name in page)
        inner += f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
        if more:
            inner += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        return _xml("ListBucketResult", inner)

    def _in_parts(self, seen: Seen) -> Answer:
        if "uploads" in seen.query:
            name = f"upload-{len(self.seen)}"
            self.uploads[name] = Upload(seen.key, time.time(), {})
            return _xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")
        upload = self.uploads.get(seen.query["uploadId"])
        if upload is None:
            return error(404, "NoSuchUpload")
        if seen.method == "PUT":
            held = self._held(seen.body)
            upload.parts[int(seen.query["partNumber"])] = held
            return Answer(200, headers=self._told(held))
        if seen.method == "DELETE":
            del self.uploads[seen.query["uploadId"]]
            return Answer(204)
        return self._parts(upload) if seen.method == "GET" else self._complete(seen, upload)

    def _parts(self, upload: Upload) -> Answer:
        inner = "<IsTruncated>false</IsTruncated>"
        for number, held in sorted(upload.parts.items()):
            crc32 = f"<ChecksumCRC32>{held.crc32}</ChecksumCRC32>" if self._checksums else ""
            inner += (
                f"<Part><PartNumber>{number}</PartNumber><Size>{len(held.data)}</Size>"
                f"<ETag>{held.etag}</ETag>{crc32}</Part>"
            )
        return _xml("ListPartsResult", inner)

    def _complete(self, seen: Seen, upload: Upload) -> Answer:
        numbers = [int(one.text or "0") for one in ET.fromstring(seen.body).iter("PartNumber")]
        data = b"".join(upload.parts[number].data for number in numbers)
        told = seen.headers.get("x-amz-checksum-crc32", "")
        if self._checksums and told != crc_text(data):
            return error(400, "BadDigest")
        etag = f'"{hashlib.md5(data).hexdigest()}-{len(numbers)}"'
        self.objects[seen.key] = Held(data, etag, crc_text(data))
        del self.uploads[seen.query["uploadId"]]
        return _xml("CompleteMultipartUploadResult", f"<ETag>{etag}</ETag>")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def _xml(root: str, inner: str) -> Answer:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return Answer(200, f'<{root} xmlns="{space}">{inner}</{root}>'.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    answer: Callable[[Seen], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._do

    def _do(self) -> None:
        url = urlsplit(self.path)
        size = int(self.headers.get("content-length") or 0)
        assert isinstance(self.server, _Server)
        answer = self.server.answer(
            Seen(
                self.command,
                unquote(url.path).removeprefix(f"/{BUCKET}").lstrip("/"),
                dict(parse_qsl(url.query, keep_blank_values=True)),
                {name.lower(): text for name, text in self.headers.items()},
                self.rfile.read(size),
            )
        )
        self.send_response_only(answer.status)
        for name, text in {"Date": formatdate(usegmt=True), **answer.headers}.items():
            self.send_header(name, text)
        length = len(answer.body) if answer.length is None else answer.length
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        if answer.cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None: ...
