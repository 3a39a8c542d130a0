"""What the state file remembers of cleaning."""

from __future__ import annotations

import time

from pipeline.state.cleanup import Cleaning, open_for_cleaning
from tests.support.state_files import begun, written


def test_results_that_are_deleted_later_are_remembered(tmp_path):
    """Whoever deletes the records first and the transcripts a week after is asked for neither."""
    path = tmp_path / "state"
    with begun(path) as state:
        written(state, "a.mp3")

    with open_for_cleaning(path) as state:
        due = []
        for results_too in (False, True):
            what = Cleaning(time.time() + 1, results_too)
            due.append(state.count_due(what))
            for each in next(page for page in state.due(what) if page):
                state.note_cleaned(each, results_too=results_too)
            due.append(state.count_due(what))

    assert due == [1, 0, 1, 0]
