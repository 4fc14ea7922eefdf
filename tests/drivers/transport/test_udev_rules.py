"""The udev rules that come with the package: well-formed, commented, and about these adapters."""

import re

import pytest

from rigs.rights import how_to_get_rights, udev_rules

TERM = re.compile(
    r'(?:(?:ACTION|SUBSYSTEM|DRIVER|ATTRS?\{[a-zA-Z_]+\}|ENV\{(?:DEVTYPE|ID_USB_INTERFACES)\})(?:==|!=)"[^"]+"'
    r'|(?:ENV\{ID_MM_DEVICE_IGNORE\}|ATTR\{latency_timer\}|GROUP|MODE|GOTO|LABEL)="[^"]+"'
    r'|TAG\+="uaccess")'
)


def lines() -> list[str]:
    return udev_rules().read_text(encoding="ascii").splitlines()


def rules() -> list[str]:
    return [line for line in lines() if line and not line.startswith("#")]


def test_every_rule_is_well_formed() -> None:
    for rule in rules():
        terms = rule.split(", ")
        assert all(TERM.fullmatch(term) for term in terms), rule


def test_every_rule_has_its_comment() -> None:
    for above, line in zip(["", *lines()], lines(), strict=False):
        if line and not line.startswith(("#", "GOTO", "LABEL")):
            assert above.startswith("# "), line


def test_every_jump_lands_further_down() -> None:
    for place, rule in enumerate(rules()):
        target = re.search(r'GOTO="(\w+)"', rule)
        if target:
            assert f'LABEL="{target[1]}"' in rules()[place + 1 :]


@pytest.mark.parametrize(
    "usb",
    [
        "0403:6001",
        "0403:6014",
        "0403:6015",
        "1a86:55d3",
        "10c4:ea60",
        "2f5d:2202",
        "fff1:ff48",
    ],
)
def test_adapters_of_the_bench_get_rights_and_no_modem_manager(usb: str) -> None:
    vendor, product = usb.split(":")
    tty, device = "\n".join(rules()).split('LABEL="hil_testbed_usb"')
    granted = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}", GROUP="dialout"'
    assert granted in tty
    ignored = [one for one in device.splitlines() if f'ATTR{{idVendor}}=="{vendor}"' in one]
    assert ignored
    assert all('ENV{ID_MM_DEVICE_IGNORE}="1"' in one for one in ignored)


def test_ftdi_latency_timer_is_one() -> None:
    assert 'SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"' in rules()


def test_the_remedy_names_the_file() -> None:
    assert str(udev_rules()) in how_to_get_rights()
