"""Flags that would change nothing beside others are refused, not ignored."""

from __future__ import annotations

import shlex

import pytest

IDLE = {
    "labeling-config --layout focus": "--layout would do nothing: tasks of kind transcript",
    "plan s3://b/ --exact --sample 9": "--sample would do nothing: --exact reads every header",
    "plan s3://b/ --exact --seed 9": "--seed would do nothing",
    "plan s3://b/ --ray-address a:1": "--ray-address would do nothing",
    "run s3://b/ --transcript-format srt": "--transcript-format would do nothing",
    "search word --count --limit 5": "--limit would do nothing: --count prints no places",
    "clean --older-than 1d --dry-run --json": "--json would do nothing: --dry-run prints names",
    "transcripts --to t --lines 1": "--lines would do nothing: no subtitles are written",
    "serve . --seed 7": "--seed would do nothing: no fault is played",
    "iam apply --bucket b --user u --no-key --show-key": "--show-key would do nothing",
    "iam apply --bucket b --role r --key-profile p": "--key-profile would do nothing",
    "convert srt --recordings x --dev 0.1 --test 0.1": "--dev and --test would do nothing: srt",
    "convert vtt --recordings x": "--recordings would do nothing: vtt names no file of audio",
    "convert nemo --state s": "--state would do nothing: only reviews are converted",
    "compare s3://b/ --from . --sample 9": "--sample would do nothing: --from transcribes nothing",
    "compare s3://b/ --from . --vocabulary calls": "--vocabulary would do nothing",
    "push --project 1 --layout list": "--layout would do nothing: a project that is there",
    "push --create Calls --layout list --label-config x": "--layout would do nothing: --label-con",
    "push --project 1 --ground-truth g": "--ground-truth would do nothing: every task is pushed",
}


@pytest.mark.parametrize("line", IDLE)
def test_a_flag_that_would_do_nothing_is_refused(run, line):
    """One sentence names it and says why, before anything is done."""
    outcome = run(*shlex.split(line))

    assert outcome.code == 2
    assert IDLE[line] in outcome.err
    assert list(run.folder.iterdir()) == []


def test_the_environment_may_say_more_than_a_command_needs(run):
    """What is set for several commands is no flag of this one."""
    run.use(TRANSCRIBE_PIPELINE_LAYOUT="focus", TRANSCRIBE_PIPELINE_RAY_ADDRESS="a:1")

    assert run("labeling-config").code == 0


def test_what_comes_later_on_a_line_may_take_something_back(run):
    """Who adds `--engine local` to a long command need not take its other flags away."""
    outcome = run("quality", "--ray-address", "a:1", "--engine", "local")

    assert "would do nothing" not in outcome.err
