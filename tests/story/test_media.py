"""Media as real buckets hold it: other extensions, none at all, and what can't be read at once."""

from __future__ import annotations


def test_other_extensions_and_named_keys_are_transcribed(run, cloud):
    """An .opus is taken as Ogg; a key without extension once a manifest names it."""
    service = cloud()
    service.put("a.opus", "from a phone")
    service.put("0a1b", "from a recorder")
    service.put("notes.txt", "no recording")
    (run.folder / "named.txt").write_text("0a1b\nnotes.txt\n", encoding="utf-8")

    listed = run("run", "s3://audio/", "--json")
    named = run("run", "s3://audio/", "--manifest", "named.txt", "--json")

    assert listed.counts["not_audio"] == {".txt": 1, "without extension": 1}
    assert named.counts["not_audio"] == {".txt": 1}
    assert run.texts() == {
        "s3://audio/a.opus": "from a phone",
        "s3://audio/0a1b": "from a recorder",
    }
    assert listed.code == named.code == 0
