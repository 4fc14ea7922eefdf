"""Kinematics of a chain: against closed forms, itself turned about, and bad tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from hil.errors import HarnessError
from hil.kinematics import Chain, ChainTable, Placement, Revolute

lengths = st.floats(-1, 1)
turns = st.floats(-math.pi, math.pi)
vectors = st.tuples(lengths, lengths, lengths)
directions = vectors.filter(lambda axis: math.hypot(*axis) > 0.1)
joints = st.builds(Revolute, vectors, st.tuples(turns, turns, turns), directions)
tools = st.builds(Placement, vectors, st.tuples(turns, turns, turns))
angles = arrays(float, 4, elements=turns)


def test_two_links_in_a_plane() -> None:
    """x = a cos p + b cos (p + q), z = -(a sin p + b sin (p + q)): turning about y."""
    chain = Chain(
        [Revolute(axis=(0, 1, 0)), Revolute((0.3, 0, 0), axis=(0, 2.5, 0))], Placement((0.2, 0, 0))
    )
    p, q = 0.4, -1.1
    expected = [
        0.3 * math.cos(p) + 0.2 * math.cos(p + q),
        0.0,
        -0.3 * math.sin(p) - 0.2 * math.sin(p + q),
    ]
    np.testing.assert_allclose(chain.tool_point(np.array([p, q])), expected, atol=1e-15)


@given(st.lists(joints, min_size=4, max_size=4), tools, angles)
def test_the_tool_point_is_the_origin_of_the_last_frame(
    row: list[Revolute], tool: Placement, position: np.ndarray
) -> None:
    chain = Chain(row, tool)
    frames = chain.frames(position)
    assert len(frames) == 5
    for frame in frames:
        np.testing.assert_allclose(frame[:3, :3] @ frame[:3, :3].T, np.eye(3), atol=1e-12)
        assert frame[3].tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(chain.tool_point(position), frames[-1][:3, 3], atol=1e-12)


@given(joints, tools, turns)
def test_a_joint_leaves_its_own_axis_where_it_is(
    joint: Revolute, tool: Placement, angle: float
) -> None:
    chain = Chain([joint], tool)
    (still, _), (turned, _) = chain.frames(np.zeros(1)), chain.frames(np.array([angle]))
    axis = chain.axes[0]
    np.testing.assert_allclose(turned[:3, :3] @ axis, still[:3, :3] @ axis, atol=1e-12)
    # trace of the turn between the two: 1 + 2 cos(angle)
    between = still[:3, :3].T @ turned[:3, :3]
    assert np.trace(between) == pytest.approx(1 + 2 * math.cos(angle), abs=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_known_gives_no_place(bad: float) -> None:
    chain = Chain([Revolute(), Revolute()], Placement((1, 0, 0)))
    assert np.isnan(chain.tool_point(np.array([0.0, bad]))).all()
    assert np.isnan(chain.tool_point(np.array([-bad, bad]))).all()


def test_another_number_of_positions_is_refused() -> None:
    chain = Chain([Revolute(), Revolute()], Placement())
    for wrong in (np.zeros(1), np.zeros(3)):
        with pytest.raises(ValueError, match="zip"):
            chain.tool_point(wrong)
        with pytest.raises(ValueError, match="zip"):
            chain.frames(wrong)


def test_an_axis_without_direction_is_refused() -> None:
    with pytest.raises(HarnessError, match="no axis"):
        Chain([Revolute(axis=(0, 0, 0))], Placement())


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "xyz": [0, 0, 0.1], "rpy": [0, 0, 0], "axis": [0, 0, 1]} | more


def table(*rows: dict[str, Any], **more: Any) -> ChainTable:
    return ChainTable.model_validate({"joints": rows, "tool": {"xyz": [0.2, 0, 0]}} | more)


def test_a_table_reads_its_joints_by_name_wherever_they_stand() -> None:
    reach = table(row("lift", axis=[0, 1, 0]), row("turn")).tool_point_among(
        ("jaw", "turn", "lift")
    )
    here = reach(np.array([3.0, math.pi / 2, 0.0]))
    np.testing.assert_allclose(here, [0.0, 0.2, 0.2], atol=1e-15)


def test_a_table_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="length 0"):
        table(row("turn", axis=[0, 0, 0]))
    with pytest.raises(ValidationError, match="named twice: turn"):
        table(row("turn"), row("turn"))
    with pytest.raises(ValidationError, match="finite"):
        table(row("turn", xyz=[0, math.nan, 0]))
    with pytest.raises(ValidationError, match="at least 1"):
        table()
    with pytest.raises(HarnessError, match="unknown joints: turn"):
        table(row("turn")).tool_point_among(("lift",))
