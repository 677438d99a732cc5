"""The bytes of a checkpoint in a store, so that readers fetch headers and nothing else."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeVar

from trainctl.kit.stores import layout
from trainctl.kit.stores.protocol import AbsentError, Store, StoreError

T = TypeVar("T")
AHEAD = 256 << 10  # read beyond what was asked for: a header's next words are asked for next
TAIL = 64 << 10  # what is read near a file's end is read to the end: a zip's directory
_HELD = 16 << 20  # bytes that are kept
_LONGEST_LIST = 100_000  # objects under a prefix; more are no checkpoint


class StoreSource:
    """A `Source`. key: of a checkpoint of ours, of an object, or a prefix with objects below it.

    Nothing is asked before something is. A store's error comes as OSError, `from` the store's.
    """

    def __init__(self, store: Store, key: str) -> None:
        self.where = f"{store.url}/{key}"
        self._store = store
        self._key = key
        self._keys: dict[str, str] = {}
        self._name = key.rpartition("/")[2]
        self._files: dict[str, int] | None = None
        self._spans: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    @property
    def name(self) -> str:
        self.files()
        return self._name

    @property
    def is_dir(self) -> bool:
        return "" not in self.files()

    def files(self) -> Mapping[str, int]:
        if self._files is None:
            self._files = self._asked(self._look)
        return self._files

    def read(self, file: str, start: int, length: int) -> bytes:
        size = self.files().get(file)
        if size is None:
            raise FileNotFoundError(errno.ENOENT, "is not there", f"{self.where}/{file}")
        end = min(start + length, size)
        if start >= end:
            return b""
        held = self._held(file, start, end)
        return held if held is not None else self._fetched(file, start, end, size)

    def _look(self) -> dict[str, int]:
        if layout.is_key(self._key):
            manifest = layout.read_manifest(self._store, self._key)
            self._name = os.path.basename(manifest.path)
            for record in manifest.files:
                self._keys[record.path] = layout.data_key(self._key, manifest, record.path)
            return {record.path: record.size for record in manifest.files}
        item = self._store.head(self._key)
        if item is not None:
            self._keys[""] = self._key
            return {"": item.size}
        return self._below()

    def _below(self) -> dict[str, int]:
        prefix = f"{self._key}/"
        found: dict[str, int] = {}
        for item in self._store.list(prefix):
            name = item.key[len(prefix) :]
            self._keys[name] = item.key
            found[name] = item.size
            if len(found) > _LONGEST_LIST:
                raise StoreError(f"{self.where} holds more than {_LONGEST_LIST} objects")
        if not found:
            raise AbsentError(f"{self.where}: there is nothing")
        return found

    def _held(self, file: str, start: int, end: int) -> bytes | None:
        for (name, begin), data in self._spans.items():
            if name == file and begin <= start and end <= begin + len(data):
                return data[start - begin : end - begin]
        return None

    def _fetched(self, file: str, start: int, end: int, size: int) -> bytes:
        if end > size - TAIL:
            begin, stop = max(0, min(start, size - AHEAD)), size
        else:
            begin, stop = start, min(size, max(end, start + AHEAD))
        key = self._keys[file]
        data = self._asked(lambda: self._store.read(key, begin, stop - begin))
        self._hold(file, begin, data)
        return data[start - begin : end - begin]

    def _hold(self, file: str, begin: int, data: bytes) -> None:
        self._spans[file, begin] = data
        while sum(map(len, self._spans.values())) > _HELD:
            self._spans.popitem(last=False)

    def _asked(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except AbsentError as error:
            raise FileNotFoundError(errno.ENOENT, str(error), self.where) from error
        except StoreError as error:
            raise OSError(errno.EIO, str(error), self.where) from error
