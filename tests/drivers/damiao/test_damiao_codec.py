"""Payloads of Damiao motors both ways: vectors, and what holds for any value and any bytes."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.damiao import codec
from drivers.damiao.codec import (
    Feedback,
    MitCommand,
    MotorStatus,
    Operation,
    Ranges,
    RegisterMessage,
    Special,
    decode_feedback,
    decode_mit,
    decode_register,
    decode_special,
    encode_feedback,
    encode_mit,
    encode_register,
    encode_special,
    from_code,
    is_fault,
    status_name,
    to_code,
)
from hil.errors import HarnessError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "damiao_can.json").read_text(encoding="utf-8")
)
RANGES = Ranges(*VECTORS["ranges"])
HALF_STEP = Ranges(12.5 / 65535, 30.0 / 4095, 10.0 / 4095)


@pytest.mark.parametrize("vector", VECTORS["mit"], ids=lambda vector: vector["data"])
def test_mit_vector_both_ways(vector: dict) -> None:
    given_command = MitCommand(
        vector["pos"], vector["vel"], vector["kp"], vector["kd"], vector["torque"]
    )
    payload = bytes.fromhex(vector["data"])
    assert encode_mit(given_command, RANGES) == payload
    found = decode_mit(payload, RANGES)
    assert found is not None
    # cut off: what comes back is up to one step less
    assert 0 <= given_command.position - found.position <= 2 * HALF_STEP.position + 1e-9
    assert 0 <= given_command.velocity - found.velocity <= 2 * HALF_STEP.velocity + 1e-9
    assert 0 <= given_command.torque - found.torque <= 2 * HALF_STEP.torque + 1e-9
    assert 0 <= given_command.kp - found.kp <= 500 / 4095 + 1e-9
    assert 0 <= given_command.kd - found.kd <= 5 / 4095 + 1e-9


def test_nought_is_a_little_less_on_the_wire() -> None:
    assert to_code(0.0, -12.5, 12.5, 16) == 0x7FFF
    assert from_code(0x7FFF, -12.5, 12.5, 16) == pytest.approx(-0.00019, abs=1e-5)


@pytest.mark.parametrize("vector", VECTORS["special"], ids=lambda vector: vector["name"])
def test_special_vector_both_ways(vector: dict) -> None:
    payload = bytes.fromhex(vector["data"])
    assert encode_special(Special[vector["name"]]) == payload
    assert decode_special(payload) is Special[vector["name"]]
    assert decode_mit(payload, RANGES) is None


@pytest.mark.parametrize("vector", VECTORS["feedback"], ids=lambda vector: vector["data"])
def test_feedback_vector_both_ways(vector: dict) -> None:
    payload = bytes.fromhex(vector["data"])
    found = decode_feedback(payload, RANGES)
    assert found is not None
    assert (found.motor, found.status) == (vector["can_id"], vector["status_code"])
    assert (found.mos_temperature, found.rotor_temperature) == (vector["t_mos"], vector["t_rotor"])
    assert found.position == pytest.approx(vector["pos"], abs=1e-6)
    assert found.velocity == pytest.approx(vector["vel"], abs=1e-6)
    assert found.torque == pytest.approx(vector["torq"], abs=1e-6)
    in_the_middle_of_a_step = Feedback(
        found.motor,
        found.status,
        found.position + HALF_STEP.position,
        found.velocity + HALF_STEP.velocity,
        found.torque + HALF_STEP.torque,
        found.mos_temperature,
        found.rotor_temperature,
    )
    assert encode_feedback(in_the_middle_of_a_step, RANGES) == payload


@pytest.mark.parametrize("vector", VECTORS["registers"], ids=lambda vector: vector["name"])
def test_register_vector_both_ways(vector: dict) -> None:
    message = RegisterMessage(
        vector["motor"],
        Operation[vector["operation"]],
        vector["register"],
        bytes.fromhex(vector["value"]),
    )
    payload = bytes.fromhex(vector["data"])
    assert encode_register(message) == payload
    assert decode_register(payload) == message


def test_status_has_words() -> None:
    assert status_name(MotorStatus.LOST_COMM) == "lost comm"
    assert status_name(0x5) == "status 5"
    assert [s for s in range(16) if is_fault(s)] == [0x8, 0x9, 0xA, 0xB, 0xC, 0xD, 0xE]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(HarnessError, match="cannot be sent"):
        encode_mit(MitCommand(value), RANGES)


@pytest.mark.parametrize("last", range(0xFFB, 0xFFF))
def test_command_that_the_motor_would_take_for_another_is_refused(last: int) -> None:
    torque = from_code(last, -10.0, 10.0, 12) + 0.002
    with pytest.raises(HarnessError, match="would be taken for"):
        encode_mit(MitCommand(12.5, 30.0, 500.0, 5.0, torque), RANGES)


@pytest.mark.parametrize(
    "codes",
    [
        codec.MitCodes(0x10000, 0, 0, 0, 0),
        codec.MitCodes(0, 0x1000, 0, 0, 0),
        codec.MitCodes(0, 0, 0, 0, -1),
    ],
)
def test_codes_that_do_not_fit_are_refused(codes: codec.MitCodes) -> None:
    with pytest.raises(HarnessError, match="does not fit"):
        codec.pack_mit(codes)


@pytest.mark.parametrize(
    "message",
    [
        RegisterMessage(0x800, Operation.READ),
        RegisterMessage(1, Operation.READ, 256),
        RegisterMessage(1, Operation.WRITE, 9, b"\0"),
    ],
)
def test_register_message_without_a_form_is_refused(message: RegisterMessage) -> None:
    with pytest.raises(HarnessError):
        encode_register(message)


def test_feedback_without_a_form_is_refused() -> None:
    with pytest.raises(HarnessError, match="four bits"):
        encode_feedback(Feedback(16, 0, 0.0, 0.0, 0.0, 0, 0), RANGES)


scales = st.floats(0.1, 1000.0)
ranges = st.builds(Ranges, scales, scales, scales)
codes12 = st.integers(0, 0xFFE)  # the last one has no middle: values are held at the end


@given(ranges, st.integers(0, 0xFFFE), codes12, codes12, codes12, codes12)
def test_mit_payload_round_trips_from_the_middle_of_its_steps(
    scale: Ranges, position: int, velocity: int, kp: int, kd: int, torque: int
) -> None:
    command = MitCommand(
        from_code(position, -scale.position, scale.position, 16) + scale.position / 65535,
        from_code(velocity, -scale.velocity, scale.velocity, 12) + scale.velocity / 4095,
        from_code(kp, 0.0, 500.0, 12) + 0.5 * 500 / 4095,
        from_code(kd, 0.0, 5.0, 12) + 0.5 * 5 / 4095,
        from_code(torque, -scale.torque, scale.torque, 12) + scale.torque / 4095,
    )
    wanted = codec.MitCodes(position, velocity, kp, kd, torque)
    assert codec.mit_codes(command, scale) == wanted


@given(ranges, st.binary(min_size=8, max_size=8))
def test_any_eight_bytes_decode_to_what_encodes_within_a_step(scale: Ranges, data: bytes) -> None:
    found = decode_feedback(data, scale)
    assert found is not None
    again = decode_feedback(encode_feedback(found, scale), scale)
    assert again is not None
    assert abs(again.position - found.position) <= 2.01 * scale.position / 65535
    assert (again.motor, again.status) == (found.motor, found.status)
    assert (again.mos_temperature, again.rotor_temperature) == (data[6], data[7])


@given(st.floats(allow_nan=False, allow_infinity=False), scales)
def test_code_stays_on_the_scale(value: float, most: float) -> None:
    assert 0 <= to_code(value, -most, most, 12) <= 0xFFF


@given(st.binary(max_size=64))
def test_no_payload_makes_a_decoder_raise(data: bytes) -> None:
    assert (decode_feedback(data, RANGES) is None) == (len(data) != 8)
    message = decode_register(data)
    assert message is None or encode_register(message) == data
    special = decode_special(data)
    assert special is None or encode_special(special) == data
    assert decode_mit(data, RANGES) is None or len(data) == 8
