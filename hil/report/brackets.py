"""The page of floors and ceilings: what a score of each scenario stands between."""

from __future__ import annotations

from collections.abc import Sequence

from hil.statistics import lower_bound, upper_bound
from scenarios.schema import Rate, Scenario

PICTURES = "tasks"
"""Folder beside the page with a picture of each scenario, `ID.png`."""

_ONE_SIDE = 0.975

_HEAD = """\
# Tasks, and what their scores stand between

Generated from the scenario files: `hil scenarios --brackets > docs/tasks.md`.

*Floor* is the null policy, which does nothing; *chance* moves the joints at random within what the
rig allows; *network* is the model that the scenario names; *ceiling* is the scripted expert, which
sees what a policy may see. All are success rates on the same seeds, with the exact two-sided 95 %
interval (Clopper-Pearson). A task whose expert is under 0.95 at its standard difficulty, or whose
null policy is over 0.05, is not finished; a scenario that says so itself (see its `not_said`) is a
harder level. The command under each table row's scenario file (`[brackets] note`) repeats them.
"""


def page(scenarios: Sequence[Scenario]) -> str:
    """The page in Markdown; scenarios without brackets are listed at its end."""
    told = sorted(
        (one for one in scenarios if one.brackets is not None),
        key=lambda one: (one.archetype, one.id),
    )
    rows = [
        "| archetype | scenario | job | rig | floor | chance | network | ceiling |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(one) for one in told),
    ]
    pictures = [
        f"## {one.id}\n\n{one.description}.\n\n![{one.title}]({PICTURES}/{one.id}.png)\n"
        for one in told
    ]
    untold = sorted(one.id for one in scenarios if one.brackets is None)
    rest = f"Without floor and ceiling as yet: {', '.join(untold)}.\n" if untold else ""
    return "\n".join([_HEAD, *rows, "", *pictures, rest]).rstrip() + "\n"


def _row(one: Scenario) -> str:
    found = one.brackets
    if found is None:
        return ""
    rates = map(_rate, (found.floor, found.chance, found.network, found.ceiling))
    rig = f"`{found.rig}`" if found.rig else ""
    cells = (one.archetype, f"`{one.id}`", one.title, rig, *rates)
    return f"| {' | '.join(cells)} |"


def _rate(rate: Rate | None) -> str:
    """ "97/100 (0.915 to 0.994)"."""
    if rate is None:
        return ""
    low = lower_bound(rate.k, rate.n, _ONE_SIDE)
    high = upper_bound(rate.k, rate.n, _ONE_SIDE)
    return f"{rate.k}/{rate.n} ({low:.3f} to {high:.3f})"
