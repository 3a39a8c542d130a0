"""What a source holds, and which of it is taken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Input
from pipeline.config.transcription import EXTENSIONS
from pipeline.errors import NoSuchSource
from pipeline.model import SourceObject
from pipeline.recordings.folder import FolderSource, walk
from pipeline.recordings.formats import (
    LARGEST,
    MEDIA_FORMATS,
    certain_format,
    extension,
    known_extensions,
)
from pipeline.recordings.selection import Selection, Skipped, tally_skipped

if TYPE_CHECKING:
    from pathlib import Path


EVERYTHING = Selection("", Input())
ODD_NAMES = (
    "a b.mp3",
    "übung.wav",
    "line\nbreak.flac",
    "100%+#?.ogg",
    " .mp3",
    "'\"\\.amr",
    "🚆.m4a",
)


def entry(key: str = "a.mp3", size: int = 7, storage: str = "") -> SourceObject:
    return SourceObject(key, "9f86", size, storage)


def reason(selection: Selection, key: str) -> str | None:
    return selection.why_skipped(entry(key))


def make(folder: Path, *names: str, content: bytes = b"RIFF") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(folder: Path) -> dict[str, SourceObject]:
    return {each.key: each for each in walk(folder)}


def test_what_is_not_audio_is_told_by_extension():
    """The three most frequent extensions are named, so that a wrong source shows at once."""
    skipped = Skipped()
    for key in ("a.txt", "b.TXT", "c/d.json", "e", "f.mp3.bak", "g.mp3.bak"):
        skipped.count(entry(key), "not audio")
    skipped.count(entry("h.mp3"), "excluded")

    said = tally_skipped(skipped.by_reason, skipped.not_audio)

    assert skipped.not_audio == {".txt": 2, ".bak": 2, ".json": 1, "without extension": 1}
    assert said == "6 not audio (2 .bak, 2 .txt, 1 .json, …), 1 excluded"


def test_keys_that_end_in_anything_cost_no_memory():
    """What is no extension that a person would write is counted as one kind."""
    skipped = Skipped()
    for key in ("a." + "x" * 13, "a.b\nc", *(f"a.e{number}" for number in range(1_500))):
        skipped.count(entry(key), "not audio")

    assert len(skipped.not_audio) == 1_000
    assert skipped.not_audio["other"] == 503
    assert skipped.by_reason == {"not audio": 1_502}


def test_what_is_skipped_is_told_without_extensions_of_an_earlier_version():
    """A state file that knows no extensions is told as it was."""
    assert tally_skipped({"excluded": 1, "not audio": 2}, {}) == "2 not audio, 1 excluded"


@pytest.mark.parametrize(
    ("skipped", "why"),
    [
        (entry("a/"), "folder marker"),
        (entry("calls.mp3/", size=0), "folder marker"),
        (entry("a.txt"), "not audio"),
        (entry("a"), "not audio"),
        (entry("mp3"), "not audio"),
        (entry(".mp3"), "not audio"),
        (entry("a.mp3.json"), "not audio"),
        (entry("a.mp3/b"), "not audio"),
        (entry(size=0), "empty object"),
        (entry(size=LARGEST + 1), "over 2 GB"),
        (entry(storage="GLACIER"), "archived in Glacier"),
        (entry(storage="DEEP_ARCHIVE"), "archived in Glacier"),
        (entry(storage="SYMBOLIC_LINK"), "symbolic link"),
        (entry(storage="UNREADABLE_NAME"), "unreadable name"),
    ],
)
def test_what_is_no_recording_is_skipped_for_a_reason(skipped, why):
    """Everything that is not taken has a reason, and it is this one."""
    assert why == EVERYTHING.why_skipped(skipped)


@pytest.mark.parametrize(
    "storage", ["", "STANDARD", "STANDARD_IA", "GLACIER_IR", "REDUCED_REDUNDANCY"]
)
def test_recordings_that_can_be_read_at_once_are_taken(storage):
    """Storage classes that answer without a restore are no reason to skip."""
    assert EVERYTHING.why_skipped(entry(storage=storage)) is None


@pytest.mark.parametrize("size", [1, LARGEST])
def test_the_smallest_and_the_largest_are_taken(size):
    """A file of one byte and one of exactly 2 GB are within the service's limits."""
    assert EVERYTHING.why_skipped(entry(size=size)) is None


@given(st.sampled_from(sorted(MEDIA_FORMATS)), st.data())
def test_extensions_are_known_in_any_case(media_format, data):
    """.mp3, .MP3 and .Mp3 are the same extension, for every format of the service."""
    mixed = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in media_format)

    assert extension(f"a.b/c d.{mixed}") == media_format
    assert EVERYTHING.why_skipped(entry(f"a.{mixed}")) is None


@pytest.mark.parametrize(
    ("key", "media_format"),
    [
        *[("a.MP3", "mp3"), ("a.wav", "wav"), ("a.mp4", None), ("a.m4a", None), ("a.txt", None)],
        *[("a.opus", "ogg"), ("a.WAVE", "wav"), ("a.mpga", "mp3"), ("a.m4b", None)],
    ],
)
def test_only_a_certain_format_is_told(key, media_format):
    """Where an extension stands for several containers the service looks for itself."""
    assert media_format == certain_format(key, known_extensions(EXTENSIONS))


@pytest.mark.parametrize("key", [f"a.{each}" for each in EXTENSIONS])
def test_other_extensions_of_the_same_containers_are_taken(key):
    """What people call .opus, .oga, .mpga or .wave is a recording, as .ogg, .mp3 or .wav is."""
    assert reason(EVERYTHING, key) is None
    assert reason(EVERYTHING, key.upper()) is None


def test_extensions_are_a_setting():
    """The table in the settings takes the place of the usual one; the service's own names stay."""
    selection = Selection("", Input(extensions={"snd": "wav"}))

    assert reason(selection, "a.snd") is None
    assert reason(selection, "a.opus") == "not audio"
    assert reason(selection, "a.ogg") is None


def test_a_key_without_extension_is_a_recording_where_somebody_says_so():
    """Without its name to go by, a key is taken where it is named or its format is, else not."""
    selection = Selection("", Input(), lambda key: key.startswith("calls/"))

    assert reason(selection, "calls/0a1b") is None
    assert reason(selection, "calls/a.txt") == "not audio"
    assert reason(selection, "0a1b") == "not audio"


def test_globs_are_relative_to_the_source():
    """With the source s3://bucket/calls/ the glob 2026/* means calls/2026/*."""
    selection = Selection("calls/", Input(["2026/*.mp3"]))

    assert reason(selection, "calls/2026/a.mp3") is None
    assert reason(selection, "calls/2025/a.mp3") == "not included"
    assert reason(selection, "calls/calls/2026/a.mp3") == "not included"


def test_globs_of_a_source_that_ends_inside_a_name_begin_at_the_folder():
    """With the source s3://bucket/calls/20 the glob 2026/* still means calls/2026/*."""
    assert reason(Selection("calls/20", Input(["2026/*"])), "calls/2026/a.mp3") is None
    assert reason(Selection("ca", Input(["calls/*"])), "calls/a.mp3") is None


@pytest.mark.parametrize(
    ("include", "exclude", "why"),
    [
        ((), (), None),
        (["*"], (), None),
        (["*.wav"], (), "not included"),
        (["*.wav", "*.mp3"], (), None),
        (["calls/*.mp3"], (), None),
        (["Calls/*"], (), "not included"),
        (["a.mp3"], (), "not included"),
        (["calls/[0-9]?/*"], (), None),
        ((), ["calls/*"], "excluded"),
        ((), ["*.wav", "*/a.mp3"], "excluded"),
        ((), ["*.wav"], None),
        (["*.mp3"], ["*"], "excluded"),
    ],
)
def test_globs_choose(include, exclude, why):
    """One matching include is enough, one matching exclude is too much; * matches / as well."""
    assert why == reason(Selection("", Input(include, exclude)), "calls/26/a.mp3")


@given(st.text("ab*.?[]/\n", max_size=8))
def test_a_key_is_matched_as_a_whole(key):
    """A glob without wildcards takes exactly the key that it spells."""
    literal = "".join(f"[{c}]" if c in "*?[" else c for c in key)

    assert reason(Selection("", Input([literal])), f"{key}.mp3") == "not included"
    assert reason(Selection("", Input([f"{literal}.mp3"])), f"{key}.mp3") != "not included"


def test_odd_names_come_through_byte_for_byte(tmp_path):
    """Spaces, umlauts, line breaks, quotes and emoji in a name are in the key as they are."""
    make(tmp_path, *ODD_NAMES, "deep/er/a.mp3")

    keys = [each.key for each in walk(tmp_path)]

    assert {*ODD_NAMES, "deep/er/a.mp3"} == set(keys)
    assert len(set(keys)) == len(keys)


def test_a_name_that_is_no_unicode_is_skipped_with_its_reason(tmp_path):
    """A name of other bytes can be no key: it is counted, and the others are taken."""
    make(tmp_path, "a.mp3")
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.mp3", "wb"):  # noqa: PTH123 # bytes are no Path
        pass

    reasons = sorted(str(EVERYTHING.why_skipped(each)) for each in walk(tmp_path))

    assert reasons == ["None", "unreadable name"]
    assert all(each.key.encode() for each in walk(tmp_path))


def test_symbolic_links_are_not_followed(tmp_path):
    """A link is skipped with its reason, one to a folder too; it is not walked into."""
    make(tmp_path, "inside/a.mp3", "outside/b.mp3")
    (tmp_path / "inside/link.mp3").symlink_to(tmp_path / "outside/b.mp3")
    (tmp_path / "inside/loop").symlink_to(tmp_path)
    (tmp_path / "inside/broken.mp3").symlink_to("nowhere")

    reasons = {e.key: EVERYTHING.why_skipped(e) for e in walk(tmp_path / "inside")}

    link = "symbolic link"
    assert reasons == {"a.mp3": None, "link.mp3": link, "broken.mp3": link, "loop": link}


def test_a_file_has_its_size(tmp_path):
    """The size of an entry is that of the file, in bytes."""
    make(tmp_path, "a.mp3", content=b"12345")
    make(tmp_path, "empty.mp3", content=b"")

    assert {e.key: e.size for e in walk(tmp_path)} == {"a.mp3": 5, "empty.mp3": 0}


def test_a_changed_file_has_another_etag(tmp_path):
    """New content or a new time of change is a new etag, and nothing else is."""
    make(tmp_path, "a.mp3", "same.mp3")
    before = found(tmp_path)
    os.utime(tmp_path / "a.mp3", ns=(1, 1))

    after = found(tmp_path)

    assert before["a.mp3"].etag != after["a.mp3"].etag
    assert before["same.mp3"].etag == after["same.mp3"].etag


def test_a_file_that_goes_away_meanwhile_is_left_out(tmp_path):
    """A file that was deleted while the folder is read does not end the listing."""
    make(tmp_path, "a.mp3", "b.mp3", "c.mp3")
    entries = walk(tmp_path)
    next(entries)
    (tmp_path / "b.mp3").unlink()

    assert [each.key for each in entries] == ["c.mp3"]


def test_a_missing_folder_is_refused(tmp_path):
    """A folder that is not there is an error, not an empty source."""
    with pytest.raises(NoSuchSource, match="none can't be read: No such file"):
        list(walk(tmp_path / "none"))


async def test_a_folder_is_read_page_by_page(tmp_path):
    """Every file of a large folder is on exactly one page of at most 1,000."""
    make(tmp_path, *(f"{n}.mp3" for n in range(1200)), content=b"")

    pages = [page async for page in FolderSource(tmp_path, "bucket").pages()]

    assert [len(page) for page in pages] == [1000, 200]
    assert len({each.key for page in pages for each in page}) == 1200


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_recording_of_a_folder_has_a_uri_that_leads_to_it(tmp_path, name):
    """Decoding the URI that a task holds gives the file's own path again."""
    source = FolderSource(tmp_path, "bucket")

    uri = source.audio_uri(name)

    assert unquote(urlsplit(uri).path) == str(tmp_path / name)
    assert source.media_uri(name) == f"s3://bucket/{name}"
