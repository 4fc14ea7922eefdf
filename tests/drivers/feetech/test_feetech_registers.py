from importlib import import_module

import pytest

from drivers.feetech.registers import load_table
from hil.errors import BadInput, HarnessError

TABLE = load_table("sts3215")
VENDOR = vars(import_module("scservo_sdk.sms_sts"))

VENDOR_NAMES = {
    "model_number": "MODEL_L",
    "id": "ID",
    "baud_rate": "BAUD_RATE",
    "min_angle_limit": "MIN_ANGLE_LIMIT_L",
    "max_angle_limit": "MAX_ANGLE_LIMIT_L",
    "cw_dead_zone": "CW_DEAD",
    "ccw_dead_zone": "CCW_DEAD",
    "position_offset": "OFS_L",
    "mode": "MODE",
    "torque_enable": "TORQUE_ENABLE",
    "acceleration": "ACC",
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
    "present_current": "PRESENT_CURRENT_L",
}


@pytest.mark.parametrize(("name", "vendor_name"), VENDOR_NAMES.items())
def test_address_and_size_are_the_vendors(name: str, vendor_name: str) -> None:
    assert TABLE[name].address == VENDOR[f"SMS_STS_{vendor_name}"]
    assert TABLE[name].size == (2 if vendor_name.endswith("_L") else 1)


def test_new_servo() -> None:
    memory = TABLE.image()
    assert len(memory) == TABLE.size
    assert TABLE.decode("model_number", memory) == 777 == TABLE.model_number
    for register in TABLE.registers.values():
        assert TABLE.decode(register.name, memory) == register.default


def test_eeprom_ends_where_torque_begins() -> None:
    eeprom = [register for register in TABLE.registers.values() if register.eeprom]
    assert max(register.end for register in eeprom) == TABLE["torque_enable"].address == 40


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("goal_position", 2048, "0008"),
        ("goal_position", -100, "6480"),
        ("position_offset", -2047, "ff0f"),
        ("present_load", -1, "0104"),
        ("goal_speed", 1000, "e803"),
        ("id", 253, "fd"),
    ],
)
def test_value_both_ways(name: str, value: int, wire: str) -> None:
    assert TABLE.encode(name, value).hex() == wire
    assert TABLE.decode(name, bytes.fromhex(wire), TABLE[name].address) == value


@pytest.mark.parametrize(
    ("name", "value"), [("id", 254), ("goal_position", 32768), ("angular_resolution", 0)]
)
def test_value_out_of_range_is_refused(name: str, value: int) -> None:
    with pytest.raises(HarnessError, match=name):
        TABLE.encode(name, value)


def test_memory_that_lacks_the_register_is_refused() -> None:
    with pytest.raises(HarnessError, match="present_position"):
        TABLE.decode("present_position", b"\0\0", base=57)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(HarnessError, match="nonsense"):
        TABLE["nonsense"]
    for model in ("sts9999", "../feetech/sts3215"):
        with pytest.raises(BadInput, match="sts"):
            load_table(model)
