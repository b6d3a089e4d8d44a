"""What one fault led to, and the table of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One fault and what it led to.

    Attributes:
        fault: What was done, and how often.
        seen: What a user saw.
        lost: What was lost, wrong or answered by a crash, each in words; empty if all is well.
        memory: The most MiB that a process of Ocelot held; None if it was not measured.
    """

    fault: str
    seen: str
    lost: tuple[str, ...] = ()
    memory: int | None = None


@dataclass
class Losses:
    """Gathers what is lost: `that(held, "a row")` counts each "a row" that does not hold."""

    counts: Counter[str] = field(default_factory=Counter)

    def that(self, held: bool, what: str) -> None:
        if not held:
            self.counts[what] += 1

    def all(self) -> tuple[str, ...]:
        return tuple(f"{count} x {what}" for what, count in sorted(self.counts.items()))


def table(findings: Iterable[Finding]) -> str:
    """A Markdown table."""
    lines = ["| fault | what a user sees | lost | memory |", "|---|---|---|---|"]
    for one in findings:
        memory = f"{one.memory:,} MiB" if one.memory else ""
        lines.append(
            f"| {one.fault} | {one.seen} | {'; '.join(one.lost) or 'nothing'} | {memory} |"
        )
    return "\n".join(lines)


def tally(counts: Counter[str]) -> str:
    """Counts in words, the most frequent first: "12 x refused, 3 x read whole"."""
    return ", ".join(f"{count:,} x {what}" for what, count in counts.most_common())
