import pytest

from pipeline.local.errors import Refused
from pipeline.local.store import open_store, transcript_path


def test_what_is_stored_is_read_back_until_it_is_discarded():
    """Each path has a content of its own; a later one takes the place of an earlier one."""
    with open_store() as store:
        for path, content in (("/a", b"one"), ("/b", b""), ("/c", "drei ü".encode()), ("/a", b"1")):
            store.put(path, content)
        found = [store.read(path) for path in ("/a", "/b", "/c")]
        store.discard("/a")
        store.discard("/none")

        with pytest.raises(Refused, match="NoSuchKey"):
            store.read("/a")
    assert found == [b"1", b"", "drei ü".encode()]


def test_a_new_job_of_the_same_name_has_another_path():
    """The job's number is in it."""
    assert transcript_path("job", 7) != transcript_path("job", 8)
