"""A source of data in a bucket: one object, or all objects below a prefix."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fer_models.errors import DataError
from fer_models.storage.s3.connection import S3Connection

FILE_KEY = ""
"""The key of the source itself, if it is one object."""
_MAX_NAME_BYTES = 255
_NUM_NEAR = 5
_READERS = 16


@dataclass(frozen=True)
class ObjectState:
    """What tells that an object has changed."""

    size: int
    etag: str


class S3Source:
    """An object or a prefix as it is now; every call asks the server.

    Example:
        source = S3Source("s3://bucket/faces")
        source.is_folder()  # True: there is no object `faces`, but some below `faces/`
        source.objects()  # {"happy/1.png": ObjectState(size=1823, etag="9b7..."), ...}
    """

    def __init__(self, url: str, is_wanted: Callable[[str], bool] = lambda _: True) -> None:
        """Nothing is contacted yet.

        Args:
            url: `s3://bucket` or `s3://bucket/prefix`.
            is_wanted: whether a file or folder of that name counts; others are left out.

        Raises:
            DataError: the URL names no bucket, or a part of its path can't be a file name.
        """
        self.bucket, _, self._prefix = url.removeprefix("s3://").rstrip("/").partition("/")
        if not self.bucket:
            raise DataError("no bucket given; expected s3://bucket/prefix")
        if self._prefix and (problem := _name_problem(self._prefix)):
            raise DataError(f"{problem}; correct the URL")
        self.url = f"s3://{self.bucket}" + (f"/{self._prefix}" if self._prefix else "")
        self.name = self.url.rpartition("/")[2]
        self.connection = S3Connection(self.bucket, "the URL")
        self._is_wanted = is_wanted

    def is_folder(self) -> bool:
        """Whether it is a prefix with objects below it, rather than an object; two small requests.

        Raises:
            DataError: there is neither.
            StoreError: the bucket can't be used.
        """
        if self._file():
            return False
        if self._page(Prefix=self._below, MaxKeys=1).get("Contents"):
            return True
        raise DataError(self._missing())

    def objects(self) -> dict[str, ObjectState]:
        """All objects by their path below the source, sorted; the path of one object is "".

        Raises:
            DataError: there are none, or some can't be files of one folder; lists all of them.
            StoreError: the bucket can't be used.
        """
        found = self._file()
        token: dict[str, str] = {}
        problems: list[str] = []
        while True:
            page = self._page(Prefix=self._below, **token)
            for entry in page.get("Contents", ()):
                self._add(entry, found, problems)
            if not page.get("IsTruncated"):
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        problems += self._conflicts(found)
        if problems:
            raise DataError(f"{self.url} can't be copied into a folder", problems)
        if not found:
            raise DataError(self._missing())
        return dict(sorted(found.items()))

    def path_of(self, key: str) -> str:
        """The path that s3fs reads an object by."""
        return f"{self.bucket}/{self._below}{key}" if key else f"{self.bucket}/{self._prefix}"

    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """The bytes of objects, many at a time; None for one that no longer exists.

        Raises:
            StoreError: the bucket can't be used.
        """
        with self.connection.errors(), ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._content, keys))

    def _content(self, key: str) -> bytes | None:
        try:
            content: bytes = self.connection.fs.cat_file(self.path_of(key))
        except FileNotFoundError:
            return None
        return content

    @property
    def _below(self) -> str:
        return f"{self._prefix}/" if self._prefix else ""

    def _file(self) -> dict[str, ObjectState]:
        """The source, if it is one object."""
        if not self._prefix:
            return {}
        # Not a HEAD request: its errors have no text. Of all keys with a prefix, it is the first.
        entries = self._page(Prefix=self._prefix, MaxKeys=1).get("Contents", ())
        found = [entry for entry in entries if entry["Key"] == self._prefix]
        return {FILE_KEY: _state(found[0])} if found else {}

    def _page(self, **request: Any) -> Mapping[str, Any]:
        with self.connection.errors():
            found: Mapping[str, Any] = self.connection.fs.call_s3(
                "list_objects_v2", Bucket=self.bucket, **request
            )
            return found

    def _add(
        self, entry: Mapping[str, Any], found: dict[str, ObjectState], problems: list[str]
    ) -> None:
        key = entry["Key"][len(self._below) :]
        if key.endswith("/") or not key:  # how consoles keep an empty folder
            if entry["Size"]:
                problems.append(f"{key!r} ends with / but has content; rename it")
        elif problem := _name_problem(key):
            problems.append(f"{problem}; rename it")
        elif all(self._is_wanted(part) for part in key.split("/")):
            found[key] = _state(entry)

    def _conflicts(self, found: Mapping[str, ObjectState]) -> list[str]:
        """Keys that are an object and a prefix of others, which no folder can hold."""
        example: dict[str, str] = {}
        for key in found:
            if key != FILE_KEY:
                parts = key.split("/")
                for depth in range(len(parts)):
                    example.setdefault("/".join(parts[:depth]), key)
        return [
            f"{self.path_of(key)} is both a file and a folder (of {self.path_of(example[key])}); "
            "rename one of them"
            for key in found
            if key in example
        ]

    def _missing(self) -> str:
        """A message with what there is instead."""
        above = self._prefix.rpartition("/")[0]
        prefix = f"{above}/" if above else ""
        page = self._page(Prefix=prefix, Delimiter="/", MaxKeys=_NUM_NEAR + 1)
        keys = [entry["Key"] for entry in page.get("Contents", ())]
        keys += [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        names = sorted(key[len(prefix) :] for key in keys if key != prefix)
        some = ", ".join(names[:_NUM_NEAR]) + (", ..." if len(names) > _NUM_NEAR else "")
        return (
            f"no object or folder of that name; s3://{self.bucket}/{prefix} contains "
            f"{some or 'nothing'}; correct the URL, or upload the data"
        )


def _state(entry: Mapping[str, Any]) -> ObjectState:
    return ObjectState(size=int(entry["Size"]), etag=str(entry["ETag"]).strip('"'))


def _name_problem(key: str) -> str:
    """Why a key can't be a path below a folder; "" if it can."""
    for part in key.split("/"):
        if not part:
            return f"{key!r} has an empty part"
        if part in (".", ".."):
            return f"{key!r} would leave the folder ({part})"
        if "\0" in part or len(part.encode(errors="surrogatepass")) > _MAX_NAME_BYTES:
            return f"{key!r} has a part that can't be a file name"
    return ""
