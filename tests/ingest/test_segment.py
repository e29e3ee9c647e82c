"""Whatever happens to a segment: reading never fails, invents nothing, loses only what was hit."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.ingest.payload import Payload
from assay.ingest.segment import FILE_HEAD, Damage, Parcel, SegmentReader, SegmentWriter

BODIES = st.lists(st.binary(max_size=60), min_size=1, max_size=8)


def write(folder: Path, bodies: list[bytes]) -> tuple[Path, list[int]]:
    """A segment with these bodies, and where each record ends."""
    writer = SegmentWriter(folder, 1)
    ends = []
    for number, body in enumerate(bodies):
        payload = Payload(kind="logs", body=body, content_type="a/b", received_ns=number)
        writer.write(list(writer.pack(Parcel(payload=payload, agent="é\0x", items=number))))
        ends.append(writer.size)
    writer.close()
    return writer.path, ends


def read(folder: Path) -> tuple[list[tuple[int, bytes]], list[Damage]]:
    reader, damages = SegmentReader(folder, 1, 0, None, again=True), list[Damage]()
    found = [
        (entry.parcel.payload.received_ns, entry.parcel.payload.body)
        for entry in reader.entries(damages.append)
    ]
    reader.close()
    return found, damages


@settings(deadline=None)
@given(BODIES)
def test_what_was_written_is_read(bodies: list[bytes]) -> None:
    with TemporaryDirectory() as name:
        write(Path(name), bodies)
        assert read(Path(name)) == (list(enumerate(bodies)), [])


@settings(deadline=None)
@given(BODIES, st.data())
def test_one_byte_costs_one_record(bodies: list[bytes], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        path, ends = write(Path(name), bodies)
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(FILE_HEAD, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        hit = next(number for number, end in enumerate(ends) if place < end)
        found, damages = read(Path(name))
        assert found == [(number, body) for number, body in enumerate(bodies) if number != hit]
        start = ends[hit - 1] if hit else FILE_HEAD
        assert [(damage.start, damage.stop) for damage in damages] == [(start, ends[hit])]


@settings(deadline=None)
@given(BODIES, st.data())
def test_a_file_cut_off_keeps_what_is_whole(bodies: list[bytes], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        path, ends = write(Path(name), bodies)
        size = data.draw(st.integers(FILE_HEAD, ends[-1]))
        path.write_bytes(path.read_bytes()[:size])
        found, damages = read(Path(name))
        assert found == [(n, body) for n, body in enumerate(bodies) if ends[n] <= size]
        assert all(damage.torn for damage in damages)


@settings(deadline=None)
@given(BODIES, st.binary(max_size=400), st.data())
def test_garbage_is_never_taken_for_a_record(
    bodies: list[bytes], garbage: bytes, data: st.DataObject
) -> None:
    with TemporaryDirectory() as name:
        path, _ = write(Path(name), bodies)
        content = path.read_bytes()
        place = data.draw(st.integers(0, len(content)))
        until = data.draw(st.integers(place, len(content)))
        path.write_bytes(content[:place] + garbage + content[until:])
        found, _ = read(Path(name))
        assert set(found) <= set(enumerate(bodies))
