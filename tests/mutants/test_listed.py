"""The list of mutants fits the product."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.listed import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda each: each.name)
def test_a_mutant_is_a_program_with_one_place_changed(mutant: Mutant):
    """Its text is in its file exactly once, and what becomes of the file is still Python."""
    whole = (ROOT / mutant.file).read_text(encoding="utf-8")

    broken = mutant.applied_to(whole)

    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(whole))


@pytest.mark.parametrize("mutant", mutants(), ids=lambda each: each.name)
def test_a_mutant_has_tests_or_a_reason_for_none(mutant: Mutant):
    """Each names tests that are there, unless nothing could notice it."""
    assert bool(mutant.tests) is not bool(mutant.equivalent)
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8")


def test_every_mutant_has_a_name_of_its_own():
    """A name on the command line means one mutant."""
    names = [each.name for each in mutants()]

    assert len(names) == len(set(names))
