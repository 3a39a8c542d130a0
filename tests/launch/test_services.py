"""What a run starts for itself is for itself alone."""

from __future__ import annotations

import gc
import os

import pytest

from pipeline.config.schema import Config
from pipeline.errors import CannotRun
from pipeline.launch.services import services
from pipeline.naming import parse_s3_uri
from pipeline.net.wait_times import WaitTimes


@pytest.fixture
def own_process(monkeypatch):
    """What a command sets for its whole process is as it was afterwards."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("own_process")
async def test_a_run_over_a_folder_reads_it_and_writes_nothing_into_it(tmp_path):
    """Through its own endpoint and with its own keys, objects are read, not put nor deleted."""
    (tmp_path / "one.mp3").write_text("sound")
    async with services(Config(), tmp_path, WaitTimes()) as (_, source, _, s3):
        place = parse_s3_uri(source.media_uri("one.mp3"))
        assert place is not None
        found = await s3.read(place)
        for refused in (s3.write(place, b"other"), s3.delete(place)):
            with pytest.raises(CannotRun):
                await refused

    assert found == b"sound"
    assert (tmp_path / "one.mp3").read_text() == "sound"
