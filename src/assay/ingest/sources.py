"""Where imported files lie: paths, patterns, folders and buckets; compressed or not."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Literal, cast
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from assay.errors import FileError

Kind = Literal["jsonl", "json", "csv", "tsv", "parquet", "otlp"]

KINDS: Final[dict[str, Kind]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pb": "otlp",
    ".bin": "otlp",
    ".binpb": "otlp",
    ".otlp": "otlp",
}
_COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_GLOB: Final = re.compile(r"[*?\[]")
_OPTIONS: Final = re.compile(r"[?][a-z_]+=.*$")
"""What follows an address: `?region=eu-west-1&endpoint_override=...`."""
_CHUNK: Final = 2**20

_ENDINGS: Final = ".jsonl, .json, .csv, .tsv, .parquet or .binpb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file. `is_named`: it was asked for by name, not found in a folder or by a pattern."""

    name: str
    kind: Kind
    compression: str = ""
    size_bytes: int
    modified_ns: int
    is_named: bool = True
    is_local: bool = True
    _files: fs.FileSystem = field(repr=False, compare=False)
    _path: str = field(repr=False)

    @property
    def identity(self) -> str:
        """The same for as long as the file is: its place, its size and when it was last changed."""
        place = str(Path(self.name).absolute()) if self.is_local and not self._scheme else self.name
        return f"{place}\0{self.size_bytes}\0{self.modified_ns}"

    @property
    def _scheme(self) -> bool:
        return "://" in self.name

    def open(self) -> BinaryIO:
        """Its bytes, decompressed, from the start. Raises FileError where it can't be opened."""
        try:
            raw = self._files.open_input_stream(self._path, compression=self.compression or None)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.name, error) from None
        return io.BufferedReader(cast("io.RawIOBase", raw), _CHUNK)

    def open_whole(self) -> pa.NativeFile:
        """For formats that are read from any place (Parquet)."""
        if self.compression:
            raise FileError(f"{self.name} is a compressed Parquet file: decompress it first")
        try:
            return self._files.open_input_file(self._path)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.name, error) from None

    def check_unchanged(self) -> None:
        """Raises FileError where the file is another one by now."""
        found = self._files.get_file_info(self._path)
        if (found.size, _modified_ns(found)) != (self.size_bytes, self.modified_ns):
            raise FileError(f"{self.name} changed while it was read: import it again")

    def fetched(self, folder: Path) -> Source:
        """The same file on this machine's disk; the file itself where it is there already."""
        if self.is_local:
            return self
        path = folder / f"{sha256(self._path.encode()).hexdigest()[:16]}-{PurePosixPath(self._path).name}"
        try:
            with (
                self._files.open_input_stream(self._path, compression=None) as bytes_in,
                path.open("wb") as out,
            ):
                shutil.copyfileobj(bytes_in, out, _CHUNK)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.name, error) from None
        os.utime(path, ns=(self.modified_ns, self.modified_ns))
        return replace(self, is_local=True, _files=fs.LocalFileSystem(), _path=str(path))


def find_sources(places: Sequence[str]) -> list[Source]:
    """The files at these places, each once, in order of name within a place.

    A place is a path, a folder (all files in it that can be imported), a pattern with `*`, `?`, `[ab]`
    or `**`, or an address: `s3://`, `gs://`, `abfs://` or `file://`. Raises FileError where nothing is.
    """
    found: dict[tuple[str, str], Source] = {}
    for place in places:
        for source in _find(place):
            found.setdefault((source._path, source._files.type_name), source)
    return list(found.values())


def local_source(path: Path) -> Source:
    """The file at a path. Raises FileError where there is none, or one of another kind."""
    (source,) = _find(str(path), is_pattern=False)
    return source


def _find(place: str, *, is_pattern: bool = True) -> Iterator[Source]:
    files, path, prefix = _filesystem(place)
    if not prefix and Path(path).is_file():
        is_pattern = False
    parts = path.split("/")
    first = next((n for n, part in enumerate(parts) if is_pattern and _GLOB.search(part)), None)
    if first is not None:
        base, pattern = "/".join(parts[:first]), re.compile(_pattern("/".join(parts[first:])))
        yield from _matching(place, files, prefix, base or ("" if prefix else "."), pattern)
        return
    info = _info(place, files, path.rstrip("/") or "/")
    if info.type == fs.FileType.File:
        source = _source(files, prefix, info, is_named=True)
        if source is None:
            raise FileError(
                f"{place} is no file that can be imported: give one that ends in {_ENDINGS} "
                "(.gz or .zst may follow)"
            )
        yield source
    elif info.type == fs.FileType.Directory:
        yield from _matching(place, files, prefix, info.path, None)
    else:
        raise FileError(f"{place} can't be read: No such file or folder")


def _filesystem(place: str) -> tuple[fs.FileSystem, str, str]:
    """Who opens it, its path there, and what stands before the path in the name that people see."""
    scheme = urlsplit(place).scheme.lower() if "://" in place else ""
    if not scheme:
        return fs.LocalFileSystem(), place, ""
    if scheme in ("http", "https"):
        raise FileError(f"{place}: download it first (curl -O), then import the file")
    found = _OPTIONS.search(place)
    options = found[0] if found else ""
    address = place.removesuffix(options)
    wild = _GLOB.search(address)
    cut = len(address) if wild is None else address.rindex("/", 0, wild.start()) + 1
    try:
        files, path = fs.FileSystem.from_uri(address[:cut] + options)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise FileError(
            f"{place} is no place that files can be read from: {error}. Give a path, or an address that "
            "begins with s3://, gs:// or abfs://"
        ) from None
    whole = f"{path.rstrip('/')}/{address[cut:]}" if address[cut:] else path
    return files, whole, "" if scheme == "file" else f"{scheme}://"


def _info(place: str, files: fs.FileSystem, path: str) -> fs.FileInfo:
    try:
        (info,) = files.get_file_info([path])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(place, error) from None
    return info


def _matching(
    place: str, files: fs.FileSystem, prefix: str, base: str, pattern: re.Pattern[str] | None
) -> Iterator[Source]:
    try:
        infos = files.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(place, error) from None
    count = 0
    for info in sorted(infos, key=lambda info: info.path):
        rest = info.path.removeprefix(base).lstrip("/") if base != "." else info.path.removeprefix("./")
        hidden = any(part.startswith((".", "_")) for part in rest.split("/"))
        if info.type != fs.FileType.File or hidden or (pattern and not pattern.fullmatch(rest)):
            continue
        source = _source(files, prefix, info, is_named=False)
        if source is not None:
            count += 1
            yield source
    if not count:
        raise FileError(f"{place}: no file there can be imported; they end in {_ENDINGS}")


def _pattern(text: str) -> str:
    """`*`, `?` and `[...]` stay within a folder's name, `**` does not."""
    folders = re.sub(r"\*\*/", "\0", text)
    pieces = re.split(r"(\0|\*+|\?|\[[^\]/]+\])", folders)
    wild = {"\0": "(?:[^/]+/)*", "*": "[^/]*", "**": ".*", "?": "[^/]"}
    return "".join(
        wild.get(piece) or (piece.replace("[!", "[^") if piece[:1] == "[" else re.escape(piece))
        for piece in pieces
    )


def _source(files: fs.FileSystem, prefix: str, info: fs.FileInfo, *, is_named: bool) -> Source | None:
    path = info.path.removeprefix("./")
    name = PurePosixPath(path)
    compression = _COMPRESSIONS.get(name.suffix.lower(), "")
    kind = KINDS.get((name.with_suffix("") if compression else name).suffix.lower())
    if kind is None:
        return None
    return Source(
        name=prefix + path,
        kind=kind,
        compression=compression,
        size_bytes=info.size,
        modified_ns=_modified_ns(info),
        is_named=is_named,
        is_local=isinstance(files, fs.LocalFileSystem),
        _files=files,
        _path=path,
    )


def _modified_ns(info: fs.FileInfo) -> int:
    return info.mtime_ns or 0


def _unreadable(name: str, error: Exception) -> FileError:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileError(f"{name} can't be read: {text}")
