"""Scenarios and rigs of the package with other figures, as files of a test."""

from __future__ import annotations

import re
from pathlib import Path

from manipulation import Tried

from hil.catalogue import load_rig, rig_files, scenario_files
from hil.plan.freeze import PolicyName, freeze, single
from hil.run.trial import run_trial


def varied(folder: Path, scenario: str, task: str) -> Path:
    """The file of a scenario with another `[task]` table, TOML."""
    text = scenario_files()[scenario].read_text(encoding="utf-8")
    changed, found = re.subn(r"\[task\]\n.*?\n\n\[", f"[task]\n{task}\n\n[", text, flags=re.S)
    assert found == 1, f"{scenario} has no [task] table"
    path = folder / f"{scenario}.toml"
    path.write_text(changed, encoding="utf-8")
    return path


def planted(folder: Path, rig: str, line: str) -> str:
    """A rig whose arm has one line more among its parameters; the path of its file."""
    text = rig_files()[rig].read_text(encoding="utf-8")
    assert "[devices.parameters]\n" in text
    path = folder / f"{rig}.toml"
    changed = text.replace("[devices.parameters]\n", f"[devices.parameters]\n{line}\n", 1)
    path.write_text(changed, encoding="utf-8")
    return str(path)


def measured(scenario: Path, rig: str, policy: PolicyName = "expert", seed: int = 1) -> Tried:
    """The first episode of a plan of the scenario in a file."""
    name = scenario.stem
    loaded, path = load_rig(rig)
    plan = freeze(single(name, 1), "0" * 64, loaded, path, seed, policy, files={name: scenario})
    trial = run_trial(plan, plan.episodes[0], lambda: None)
    assert trial.attempt is not None, trial.ending
    planned = plan.scenarios[name]
    episode = trial.attempt.episode
    score = planned.task.score(episode, planned.parameters)
    return Tried(planned.task, planned.parameters, episode, score)


def figure(tried: Tried, name: str) -> tuple[float, float, float]:
    """Value of a figure (`NAME [UNIT]`) and the ends of its interval."""
    found = tried.score.measures
    assert name in found, (sorted(found), tried.score.conditions)
    return found[name], found[f"{name} from"], found[f"{name} to"]
