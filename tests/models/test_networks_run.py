"""A network that is told what an episode asks, in the product's own run."""

from __future__ import annotations

from manipulation import attempt, digest


def test_a_run_tells_a_network_what_is_asked() -> None:
    """`mfg-kit-pick-place` cannot be done without: the goal is nowhere to be seen."""
    tried = attempt("mfg-kit-pick-place", "sim-panda", "model", seed=1)
    assert tried.score.success, tried.named()


def test_a_network_s_record_is_the_same_again() -> None:
    first, second = (attempt("log-tote-drawer-pull", "sim-six-axis", "model") for _ in range(2))
    assert first.score.success
    assert digest(first.episode) == digest(second.episode)
