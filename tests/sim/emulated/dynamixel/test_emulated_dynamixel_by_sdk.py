"""The emulated bus driven by the vendor's own SDK, which shares no code with it.

Three defects of `dynamixel-sdk` 4.1.0 are asserted as they are, so that a release without them
is noticed: it sends parameters without byte stuffing, it loses a byte when it takes stuffing
out of some answers, and its group bulk read does not work under Protocol 1.0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from importlib.metadata import version

import dynamixel_sdk as dxl
import pytest
from pump import Pump, pumped

from drivers.dynamixel.codec2 import STATUS, Decoder, Packet, encode
from sim.emulated.dynamixel.bus import BusOptions, build
from sim.twin.emulator import Scalar
from sim.twin.pacing import Transmission

OK = dxl.COMM_SUCCESS
IDS = (1, 2, 3, 4, 5, 6)
PATTERN = -131_073
"""A goal whose four bytes are FF FF FD FF."""

OLD = {"motors": [{"model": "ax-12a", "id": 1, "zero_count": 512}, {"model": "mx-28", "id": 2}]}


class Sdk:
    """Port and packet handler of the SDK on a line."""

    def __init__(self, path: str, protocol: float) -> None:
        self.port = dxl.PortHandler(path)
        assert self.port.openPort()
        assert self.port.setBaudRate(1_000_000)
        self.handler = dxl.PacketHandler(protocol)

    def read(self, servo: int, address: int, size: int) -> tuple[int, int, int]:
        call = {1: "read1ByteTxRx", 2: "read2ByteTxRx", 4: "read4ByteTxRx"}[size]
        return getattr(self.handler, call)(self.port, servo, address)  # type: ignore[no-any-return]

    def write(self, servo: int, address: int, size: int, value: int) -> tuple[int, int]:
        call = {1: "write1ByteTxRx", 2: "write2ByteTxRx", 4: "write4ByteTxRx"}[size]
        return getattr(self.handler, call)(  # type: ignore[no-any-return]
            self.port, servo, address, value & (1 << 8 * size) - 1
        )


@pytest.fixture
def line() -> Iterator[Pump]:
    pump = pumped(build(BusOptions.model_validate({"robot": "koch"})))
    with pump:
        yield pump


@pytest.fixture
def sdk(line: Pump) -> Iterator[Sdk]:
    client = Sdk(line.path, 2.0)
    yield client
    client.port.closePort()


def test_the_release_whose_defects_are_listed_here() -> None:
    assert version("dynamixel-sdk") == "4.1.0"


def test_every_motor_answers_a_ping_with_its_model(sdk: Sdk) -> None:
    models = [sdk.handler.ping(sdk.port, servo) for servo in IDS]
    assert models == [(1060, OK, 0)] * 2 + [(1200, OK, 0)] * 4
    assert sdk.handler.ping(sdk.port, 7)[1] == dxl.COMM_RX_TIMEOUT
    found, result = sdk.handler.broadcastPing(sdk.port)
    assert result == OK
    assert {servo: tuple(who) for servo, who in found.items()} == {
        servo: (1060, 45) if servo < 3 else (1200, 46) for servo in IDS
    }


def test_read_and_write_and_the_errors_of_both(sdk: Sdk) -> None:
    assert sdk.read(1, 132, 4) == (2048, OK, 0)
    assert sdk.write(1, 65, 1, 1) == (OK, 0)
    assert sdk.read(1, 65, 1) == (1, OK, 0)
    assert sdk.write(1, 132, 4, 0) == (OK, dxl.ERRNUM_ACCESS)
    assert sdk.write(1, 64, 1, 2) == (OK, dxl.ERRNUM_DATA_RANGE)
    assert sdk.write(1, 116, 4, 5000) == (OK, dxl.ERRNUM_DATA_LIMIT)
    assert sdk.write(1, 116, 2, 5) == (OK, dxl.ERRNUM_DATA_LENGTH)


def test_alert_comes_with_good_data(sdk: Sdk, line: Pump) -> None:
    line.control({"faults": {"hardware_error": {"2": 32}}})
    assert sdk.read(2, 132, 4) == (2048, OK, dxl.ERRBIT_ALERT)
    assert sdk.read(2, 70, 1) == (32, OK, dxl.ERRBIT_ALERT)
    line.control({"faults": {}})
    assert sdk.handler.reboot(sdk.port, 2)[0] == OK
    assert sdk.read(2, 70, 1) == (0, OK, 0)


def test_sync_and_fast_reads_and_sync_write(sdk: Sdk) -> None:
    goals = dxl.GroupSyncWrite(sdk.port, sdk.handler, 116, 4)
    assert sdk.handler.write1ByteTxOnly(sdk.port, dxl.BROADCAST_ID, 64, 1) == OK
    for servo in IDS:
        assert goals.addParam(servo, list((2000 + servo).to_bytes(4, "little")))
    assert goals.txPacket() == OK
    reader = dxl.GroupSyncRead(sdk.port, sdk.handler, 116, 4)
    for servo in IDS:
        assert reader.addParam(servo)
    for read in (reader.txRxPacket, reader.fastSyncRead):
        assert read() == OK
        assert [reader.getData(servo, 116, 4) for servo in IDS] == [2000 + s for s in IDS]


def test_bulk_and_fast_bulk_reads(sdk: Sdk) -> None:
    reader = dxl.GroupBulkRead(sdk.port, sdk.handler)
    assert reader.addParam(1, 0, 2)
    assert reader.addParam(3, 132, 4)
    for read in (reader.txRxPacket, reader.fastBulkRead):
        assert read() == OK
        assert (reader.getData(1, 0, 2), reader.getData(3, 132, 4)) == (1060, 2048)
    writer = dxl.GroupBulkWrite(sdk.port, sdk.handler)
    assert writer.addParam(1, 65, 1, [1])
    assert writer.addParam(3, 108, 4, [7, 0, 0, 0])
    assert writer.txPacket() == OK
    assert (sdk.read(1, 65, 1)[0], sdk.read(3, 108, 4)[0]) == (1, 7)


def test_registered_writes_clear_and_factory_reset(sdk: Sdk) -> None:
    assert sdk.handler.regWriteTxRx(sdk.port, 4, 65, 1, [1]) == (OK, 0)
    assert sdk.read(4, 65, 1)[0] == 0
    assert sdk.handler.action(sdk.port, dxl.BROADCAST_ID) == OK
    assert sdk.read(4, 65, 1)[0] == 1
    assert sdk.handler.clearMultiTurn(sdk.port, 4) == (OK, 0)
    assert sdk.write(4, 9, 1, 20) == (OK, 0)
    assert sdk.handler.factoryReset(sdk.port, 4, 0x02) == (OK, 0)
    assert sdk.read(4, 9, 1)[0] == 250


def test_one_silent_motor_costs_the_sdk_all_values(sdk: Sdk, line: Pump) -> None:
    """What `drivers.dynamixel` does not: five motors answer, and none of their values is given."""
    line.control({"faults": {"silent": [3]}})
    reader = dxl.GroupSyncRead(sdk.port, sdk.handler, 132, 4)
    for servo in IDS:
        reader.addParam(servo)
    assert reader.txRxPacket() == dxl.COMM_RX_TIMEOUT
    assert not any(reader.isAvailable(servo, 132, 4) for servo in IDS)


def test_motor_moves_on_its_command(sdk: Sdk) -> None:
    assert sdk.write(5, 64, 1, 1) == (OK, 0)
    assert sdk.write(5, 116, 4, 2300) == (OK, 0)
    assert any(sdk.read(5, 132, 4)[0] == 2300 for _ in range(20_000))
    assert sdk.write(5, 64, 1, 0) == (OK, 0)


def test_pattern_of_the_header_is_read_back_whole(sdk: Sdk, line: Pump) -> None:
    """The emulated motor stuffs it, and the SDK gets this one right."""
    assert sdk.write(6, 116, 4, PATTERN) == (OK, 0)
    assert sdk.read(6, 116, 4) == (PATTERN & 0xFFFFFFFF, OK, 0)


def test_defect_1_the_sdk_sends_without_stuffing(sdk: Sdk, line: Pump) -> None:
    line.received.clear()
    assert sdk.write(6, 116, 4, PATTERN) == (OK, 0)
    sent = bytes(line.received)
    meant = Packet(6, 3, bytes.fromhex("7400 FFFFFDFF"))
    assert Decoder().feed(sent) == [meant], "it is understood all the same: the length is right"
    assert len(sent) == len(encode(meant)) - 1, "a release that stuffs: take this test out"


class Parrot:
    """Answers every request with the same data, in the vendor's own frame."""

    baud = 1_000_000

    def __init__(self) -> None:
        self.data = b""

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        return [Transmission(now_ns, line_baud, encode(Packet(1, STATUS, self.data)))]

    def due_ns(self) -> int | None:
        return None

    def wake(self, now_ns: int) -> list[Transmission]:
        return []

    def status(self) -> Mapping[str, Scalar]:
        return {}

    def control(self, args: Mapping[str, object]) -> None:
        self.data = bytes.fromhex(str(args["data"]))


def test_defect_2_the_sdk_loses_a_byte_of_some_answers() -> None:
    pump = pumped(Parrot())
    with pump as path:
        client = Sdk(path, 2.0)
        for payload, read in {
            "FFFFFD01": "FFFFFD01",
            "FFFFFFFFFD000000": "FFFFFFFFFD000000",
            "FFFFFD00FFFDFD05": "FFFFFD00FFFD05C2",  # the CRC's byte given as data
        }.items():
            pump.control({"data": payload})
            size = len(payload) // 2
            data, result, error = client.handler.readTxRx(client.port, 1, 126, size)
            assert (result, error) == (OK, 0)
            assert bytes(data).hex().upper() == read, "a release without the defect?"
        client.port.closePort()


def test_defect_2_over_the_whole_alphabet() -> None:
    """54 of the 9801 payloads of 4 to 8 reserved bytes, as measured with this release."""
    handler = dxl.PacketHandler(2.0)
    wrong = 0
    for size in range(4, 9):
        for payload in itertools.product((0xFF, 0xFD, 0x00), repeat=size):
            frame = list(encode(Packet(1, STATUS, bytes(payload))))
            found = handler.removeStuffing(frame)
            wrong += bytes(found[9 : 9 + size]) != bytes(payload)
    assert wrong == 54


def test_protocol_1_motors_answer_the_sdk() -> None:
    pump = pumped(build(BusOptions.model_validate(OLD)))
    with pump as path:
        client = Sdk(path, 1.0)
        assert client.handler.ping(client.port, 1) == (12, OK, 0)
        assert client.handler.ping(client.port, 2) == (29, OK, 0)
        assert client.read(1, 36, 2) == (512, OK, 0)
        assert client.write(1, 30, 2, 600) == (OK, 0)
        assert client.read(1, 24, 1) == (1, OK, 0), "a goal switches the torque on"
        assert client.write(1, 36, 2, 1) == (OK, dxl.ERRBIT_RANGE)
        assert any(client.read(1, 36, 2)[0] == 600 for _ in range(20_000))
        spans = [2, 1, 36, 2, 2, 36]  # length, id and address of each
        assert client.handler.bulkReadTx(client.port, spans, len(spans)) == OK
        assert client.handler.read2ByteRx(client.port, 1) == (600, OK, 0)
        assert client.handler.read2ByteRx(client.port, 2) == (2048, OK, 0)
        pump.control({"faults": {"hardware_error": {"1": 32}}})
        assert client.read(1, 36, 2) == (600, OK, 32)
        client.port.closePort()


def test_defect_3_group_bulk_read_does_not_work_with_protocol_1() -> None:
    with pumped(build(BusOptions.model_validate(OLD))) as path:
        client = Sdk(path, 1.0)
        reader = dxl.GroupBulkRead(client.port, client.handler)
        assert reader.addParam(1, 36, 2)
        with pytest.raises(TypeError, match="positional arguments"):
            reader.txRxPacket()
        client.port.closePort()
