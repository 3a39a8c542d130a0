"""Every command before every hostile answer ends as the table says, and goes on afterwards.

Nothing is lost, removed or paid twice, and no foreign exception is ever shown.
"""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from tests.hostile.answers import begin, hostility, patience
from tests.hostile.commands import COMMANDS
from tests.hostile.table import ALONE, CALLS, COLUMNS, SERVES, UNUSUAL, cell
from tests.hostile.world import RECORDINGS, World
from tests.support.hostile_answers import Hostile
from tests.support.interceptor import ABOUT_AN_OUTPUT, ABOUT_METADATA, KINDS, can_answer
from tools.docs import COMMANDS as NAMES

CELLS = [
    (command, kind, answer)
    for command, kinds in CALLS.items()
    for kind in kinds
    for answer in COLUMNS
    if cell(command, kind, answer)
]
LOST_TASKS = ("push", "import", Hostile.ENDLESS)
"""The tasks never arrive: two pushes look for them, for a hundred seconds each."""
DIAGONAL = [
    next(each for each in CELLS if each[0] == command and each[2] == answer)
    for number, command in enumerate(CALLS)
    for answer in [COLUMNS[number % len(COLUMNS)]]
    if any(each[0] == command and each[2] == answer for each in CELLS)
]

ONE_OF_EACH = {each[2]: each for each in (*DIAGONAL[1::2], *DIAGONAL[::2])}
AGAIN = [each for each in DIAGONAL if each != ONE_OF_EACH[each[2]]]
"""Of these `make test` gives the answer to another command."""


def named(cells, long=()):
    """The cells as parameters with names to choose them by; one process shares an emulator."""
    return [
        pytest.param(
            *each,
            id=" ".join(getattr(part, "name", part) for part in each),
            marks=[
                *[pytest.mark.long] * (each in long),
                *[pytest.mark.xdist_group("ministack")] * COMMANDS[each[0]].emulated,
                *[pytest.mark.timeout(400)] * (each == LOST_TASKS),
            ],
        )
        for each in cells
    ]


@pytest.fixture
def world(tmp_path, request):
    """An account with recordings and an empty folder to work in; its services are not there yet."""
    emulated = COMMANDS[request.node.callspec.params["command"]].emulated
    made = World(tmp_path, request.getfixturevalue("ministack") if emulated else "")
    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


def survives(world, command, kind, answer):
    """Assert that a command ends as its cell says, loses nothing, and is cured by the cure."""
    wanted, given = cell(command, kind, answer), COMMANDS[command]
    assert wanted
    with world.served():
        begin(world, given)
        tasks, objects, truth = world.lines(), world.objects(), world.lines("ground_truth.jsonl")
        failed = world.failed(given.output)

        world.interceptor.intercept(hostility(kind, answer))
        outcome = world.run(*given.arguments, **patience(answer))
        assert world.interceptor.hits
        world.interceptor.intercept(None)

        said = outcome.out + outcome.err
        assert outcome.code == wanted.code, said
        for text in wanted.says:
            assert text in said, f"{text!r} is not in {said}"
        assert "Traceback" not in said
        assert "should not happen" not in said
        assert not world.decoy_asked
        assert world.lines()[: len(tasks)] == tasks
        assert wanted.code == 0 or world.lines("ground_truth.jsonl") == truth
        assert world.failed(given.output) - failed == wanted.fails
        assert recordings(objects) <= world.objects()
        if not command.startswith("clean"):
            assert objects <= world.objects()
        is_cured(world, given, wanted)


def is_cured(world, given, wanted):
    """The same command goes well afterwards, and nothing was started twice."""
    if wanted.fails and given.retried:
        assert world.run("retry").code == 0
    outcome = world.run(*given.arguments)
    assert outcome.code == 0, outcome.out + outcome.err
    assert given.done(world), outcome.out + outcome.err
    allowed = given.jobs + wanted.fails
    assert all(count <= allowed for count in world.interceptor.starts.values())
    assert set(world.created().values()) <= {1}
    jobs = Counter(world.interceptor.starts).total()
    assert jobs <= given.jobs * (len(RECORDINGS) + 1) + wanted.fails


def recordings(objects):
    """Those of a bucket's objects that are recordings."""
    return {each for each in objects if each.startswith("calls/")}


@pytest.mark.hostile
@pytest.mark.parametrize(("command", "kind", "answer"), named(CELLS))
def test_a_command_survives_an_answer(world, command, kind, answer):
    """A command ends as the table says, loses nothing, and does its work once the cause is gone."""
    survives(world, command, kind, answer)


@pytest.mark.parametrize(("command", "kind", "answer"), named(DIAGONAL, long=AGAIN))
def test_a_diagonal_of_the_table_holds(world, command, kind, answer):
    """One cell of each command, with another answer for each."""
    survives(world, command, kind, answer)


@pytest.mark.parametrize("command", named((each,) for each in CALLS))
def test_a_row_has_every_kind_of_call_that_its_command_makes(world, command):
    """A call that the table does not know of would not be tried."""
    with world.served():
        begin(world, COMMANDS[command])
        outcome = world.run(*COMMANDS[command].arguments)

        assert outcome.code == 0, outcome.err
        assert COMMANDS[command].done(world)
        calls = set(world.interceptor.calls)
        if command.endswith(" --output"):  # the other calls stand in the row without it
            calls &= ABOUT_AN_OUTPUT
        if command.startswith("run --config "):
            calls &= ABOUT_METADATA
        assert calls == set(CALLS[command])


def test_the_other_commands_call_nobody(tmp_path):
    """What a command does without any service no service can spoil."""
    world = World(tmp_path, "")
    with world.served():
        COMMANDS["pull"].prepare(world)
        world.interceptor.calls.clear()
        codes = {name: world.run(*name.split(), *more).code for name, more in ALONE.items()}

        assert not world.interceptor.calls
        assert codes == dict.fromkeys(ALONE, 0)


def test_the_table_has_every_command():
    """A command that is new talks to somebody or to nobody: the table says which."""
    rows = {name.removesuffix(", resumed").split(" --")[0] for name in CALLS}
    rows = {name.rpartition(", then ")[2] for name in rows}

    assert set(NAMES) == rows | {*ALONE, SERVES}
    assert CALLS.keys() == COMMANDS.keys()


def test_the_table_has_a_cell_for_every_answer():
    """A cell is empty only where the service never answers so, and no exception is left over."""
    empty = [
        (command, kind, answer)
        for command, kinds in CALLS.items()
        for kind in kinds
        for answer in COLUMNS
        if cell(command, kind, answer) is None and can_answer(kind, answer)
    ]
    unused = [
        each
        for each in UNUSUAL
        if not any(cell(command, *each[1:]) for command in CALLS if each[0] in ("*", command))
    ]

    assert empty == unused == []
    assert {kind for kinds in CALLS.values() for kind in kinds} <= KINDS.keys()
