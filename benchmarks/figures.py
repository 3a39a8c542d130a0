"""What a benchmark hands back: figures, each beside its goal; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `value` and `goal` are in `unit`; the goal is a bound from above unless `at_least`. `more`
    explains the value, `beside` holds what the alternatives did in the same run.
    """

    what: str
    value: float
    unit: str
    goal: float
    at_least: bool = False
    more: str = ""
    beside: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def row(self) -> str:
        """The figure as a row of Markdown."""
        goal = f"{'≥' if self.at_least else '≤'} {self.goal:g} {self.unit}".rstrip()
        value = amount(self.value, self.unit) + (f" ({self.more})" if self.more else "")
        return f"| {self.what} | {goal} | {value} | {self.beside} | {self._verdict} |"

    @property
    def _verdict(self) -> str:
        return "met" if self.met else "**missed**"


def amount(value: float, unit: str) -> str:
    """A value with its unit, to so many digits as are worth reading."""
    decimals = {"×": 3, "": 2}.get(unit, 1)
    if value >= 100:
        decimals = 0
    elif value < 1:
        decimals = 3
    return f"{value:,.{decimals}f} {unit}".rstrip()
