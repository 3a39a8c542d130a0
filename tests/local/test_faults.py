import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local import Faults


@given(st.integers(), st.text(), st.integers())
def test_a_fault_that_is_off_never_happens_and_one_that_is_full_always(seed, operation, call):
    """The ends of the scale are certain."""
    assert not Faults(seed=seed).hits("throttle", operation, call)
    assert Faults(seed=seed, throttle=1.0).hits("throttle", operation, call)


def test_the_same_seed_hits_the_same_calls():
    """A run can be repeated."""
    one, same, other = Faults(7, cut=0.3), Faults(7, cut=0.3), Faults(8, cut=0.3)

    def hits(faults: Faults) -> list[bool]:
        return [faults.hits("cut", "GetObject", call) for call in range(200)]

    assert hits(one) == hits(same) != hits(other)


def test_a_rate_is_the_share_of_calls_that_are_hit():
    """A tenth of ten thousand calls is a thousand, give or take chance."""
    faults = Faults(throttle=0.1)

    hit = sum(faults.hits("throttle", "Get", call) for call in range(10_000))

    assert 900 < hit < 1100


def test_a_higher_rate_hits_every_call_of_the_lower_one():
    """Turning a fault up adds to what it hit before."""
    low, high = Faults(cut=0.2), Faults(cut=0.5)

    assert all(high.hits("cut", n) for n in range(500) if low.hits("cut", n))


@pytest.mark.parametrize("wrong", [{"cut": 1.1}, {"throttle": -0.1}, {"slow_seconds": -1}])
def test_a_rate_outside_its_scale_is_refused(wrong):
    """Rates lie between 0 and 1, times are not negative."""
    with pytest.raises(ValueError, match="must lie between"):
        Faults(**wrong)
