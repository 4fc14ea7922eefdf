"""Tables of the Feetech models against the vendor's SDK and rustypot."""

from __future__ import annotations

from importlib import import_module

import pytest
import rustypot

from drivers.feetech.registers import load_table
from drivers.servo.registers import table_names

STS = {"sts3215": "STS3215", "sts3250": "STS3250", "sm8512bl": "SM8512BL"}
SCS = vars(import_module("scservo_sdk.scscl"))
SMS = vars(import_module("scservo_sdk.sms_sts"))

SCS_NAMES = {
    "model_number": "MODEL_L",
    "baud_rate": "BAUD_RATE",
    "min_angle_limit": "MIN_ANGLE_LIMIT_L",
    "max_angle_limit": "MAX_ANGLE_LIMIT_L",
    "cw_dead_zone": "CW_DEAD",
    "ccw_dead_zone": "CCW_DEAD",
    "torque_enable": "TORQUE_ENABLE",
    "goal_position": "GOAL_POSITION_L",
    "goal_time": "GOAL_TIME_L",
    "goal_speed": "GOAL_SPEED_L",
    "lock": "LOCK",
    "present_position": "PRESENT_POSITION_L",
    "present_speed": "PRESENT_SPEED_L",
    "present_load": "PRESENT_LOAD_L",
    "present_voltage": "PRESENT_VOLTAGE",
    "present_temperature": "PRESENT_TEMPERATURE",
    "moving": "MOVING",
}


@pytest.mark.parametrize(("name", "vendor_name"), SCS_NAMES.items())
def test_scs_address_and_size_are_the_vendors(name: str, vendor_name: str) -> None:
    register = load_table("scs0009")[name]
    assert register.address == SCS[f"SCSCL_{vendor_name}"]
    assert register.size == (2 if vendor_name.endswith("_L") else 1)


@pytest.mark.parametrize("model", ["scs0009", *STS])
def test_registers_are_rustypots(model: str) -> None:
    table = load_table(model)
    controller = (
        rustypot.Scs0009PyController if model == "scs0009" else rustypot.Sts3215PyController
    )
    theirs = {register.name: register for register in controller.registers()}
    shared = (theirs.keys() & table.registers.keys()) - {"moving_velocity_threshold"}
    assert len(shared) > 20
    for name in shared:
        ours, other = table[name], theirs[name]
        assert (ours.address, ours.size) == (other.addr, other.size)
        if name.startswith(("present", "goal_position")) and other.sign_bit is not None:
            assert ours.sign_bit == other.sign_bit


@pytest.mark.parametrize("model", ["scs0009", *STS])
def test_what_a_model_is_agrees_with_rustypot(model: str) -> None:
    table = load_table(model)
    controller = (
        rustypot.Scs0009PyController if model == "scs0009" else rustypot.Sts3215PyController
    )
    definition = controller.definition()
    assert definition.models[model.upper()] == table.model_number
    assert definition.word_order == table.byte_order
    assert definition.supports_sync_read == table.sync_read
    assert definition.resolution == table.counts_per_turn
    assert table.decode("model_number", table.image()) == table.model_number


@pytest.mark.parametrize("model", ["scs0009", *STS])
def test_baud_codes_are_the_vendors(model: str) -> None:
    prefix, constants = ("SCSCL", SCS) if model == "scs0009" else ("SMS_STS", SMS)
    words = {"1M": 1_000_000, "0_5M": 500_000, "250K": 250_000, "128K": 128_000}
    theirs = {
        words.get(name.removeprefix(f"{prefix}_"), 0) or int(name.removeprefix(f"{prefix}_")): code
        for name, code in constants.items()
        if name.startswith(f"{prefix}_") and name.removeprefix(f"{prefix}_")[0].isdecimal()
    }
    assert {rate: code for code, rate in load_table(model).baud.items()} == theirs


def test_the_scs_series_has_its_high_byte_first() -> None:
    table = load_table("scs0009")
    assert table.encode("goal_position", 512).hex() == "0200"
    assert table.decode("goal_position", b"\x02\x00", 42) == 512


def test_all_tables_of_the_folder_load() -> None:
    assert set(table_names("drivers.feetech")) == {"scs0009", *STS}


def test_what_a_series_does_on_the_bus_is_told_by_its_table() -> None:
    scs, sts = load_table("scs0009"), load_table("sts3215")
    assert (scs.sync_read, sts.sync_read) == (False, True)
    assert (scs.broadcast_ping, sts.broadcast_ping) == (False, True)
    assert (scs["lock"].address, sts["lock"].address) == (48, 55)
    assert not rustypot.Scs0009PyController.definition().supports_broadcast_ping
