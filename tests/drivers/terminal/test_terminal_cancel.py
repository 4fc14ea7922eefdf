"""What the host no longer wants is stopped: an inference under way, one that waits, an upload."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
from onnx import TensorProto, helper
from terminal_fixtures import DOUBLE, opened, running_agent, soon
from terminal_loop import Rig, model_of

from drivers.terminal import messages
from drivers.terminal.device import TerminalAgent
from drivers.terminal.runner import Cancelled, Runner, StoppableNetwork
from drivers.terminal.session import Limits, Session
from hil.contracts import ModelImage
from hil.errors import CapabilityMissing, DeadlineMissed, DeviceFault

ONES = {"x": np.ones((1, 3), np.float32)}


def slow_model(steps: int = 60, side: int = 500) -> ModelImage:
    """Many nodes of some milliseconds each: the engine can be stopped between two of them."""
    nodes = [
        helper.make_node("ConstantOfShape", ["side"], ["w"], value=_scalar(1.0 / side)),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["w", "mean"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{k}", "w"], [f"m{k + 1}"]) for k in range(steps)),
        helper.make_node("ReduceMean", [f"m{steps}"], ["last"], keepdims=0),
        helper.make_node("Mul", ["x", "last"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor("side", TensorProto.INT64, [2], [side, side])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content = model.SerializeToString()
    return ModelImage("slow", content, hashlib.sha256(content).hexdigest())


def _scalar(value: float) -> TensorProto:
    return helper.make_tensor("value", TensorProto.FLOAT, [1], [value])


def test_a_running_inference_is_stopped_and_the_terminal_is_free() -> None:
    with running_agent(delay_ms=10_000) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        begun = time.monotonic()
        ticket = device.submit(ONES, soon())
        assert device.collect(soon(0.2)) is None
        assert device.cancel(ticket, soon()) == "stopped"
        device.ping(soon())
        assert time.monotonic() - begun < 5, "nobody waited for the ten seconds"
        assert device.collect(soon(0.05)) is None, "no answer comes any more"
        assert device.cancel(ticket, soon()) in ("stopped", "nothing")


def test_the_engine_itself_is_stopped() -> None:
    """Against the time of a whole run, measured here: this host may be slow."""
    model = slow_model()
    with running_agent() as agent, opened(agent.port) as device:
        device.load(model, soon(60))
        begun = time.monotonic()
        device.infer(ONES, soon(60))
        whole_s = time.monotonic() - begun
        assert min(_stopped_after(device, whole_s) for _ in range(3)) < 0.8 * whole_s
        result = device.infer(ONES, soon(60)).outputs["y"]
        np.testing.assert_allclose(result, ONES["x"] / 500, rtol=1e-2)


def _stopped_after(device: TerminalAgent, whole_s: float) -> float:
    """Seconds for one inference that is cancelled after a quarter of its time."""
    begun = time.monotonic()
    ticket = device.submit(ONES, soon(60))
    assert device.collect(soon(whole_s / 4)) is None, "it is under way"
    assert device.cancel(ticket, soon(60)) == "stopped"
    return time.monotonic() - begun


def test_one_that_waits_behind_another_is_not_run() -> None:
    session = _ready()
    seqs = [
        messages.Infer(seq=k, session=session._session, inputs=_tensor()).map() for k in (10, 11)
    ]
    cancel = messages.Cancel(seq=12, session=session._session, target=11).map()
    for message in (*seqs, cancel):
        session.overhear(message)
    answers = [session.answer(message, 0) for message in (*seqs, cancel)]
    assert isinstance(answers[0], messages.Result)
    assert isinstance(answers[1], messages.Error)
    assert answers[1].code == "cancelled"
    assert answers[2] == messages.Cancelled(seq=12, outcome="dropped")
    status = session.answer(messages.Status(seq=13, session=session._session).map(), 0)
    assert isinstance(status, messages.Health)
    assert status.counters["inferences"] == 1


@pytest.mark.parametrize("target", [10, 999, True, "10", None, 2**40])
def test_a_cancel_that_comes_too_late_or_aims_at_nothing_does_nothing(target: object) -> None:
    session = _ready()
    infer = messages.Infer(seq=10, session=session._session, inputs=_tensor()).map()
    assert isinstance(session.answer(infer, 0), messages.Result)
    cancel = {"type": "cancel", "seq": 11, "session": session._session, "target": target}
    session.overhear(cancel)
    answer = session.answer(cancel, 0)
    assert isinstance(answer, messages.Cancelled | messages.Error)
    if isinstance(answer, messages.Cancelled):
        assert answer.outcome == "nothing"
    again = messages.Infer(seq=12, session=session._session, inputs=_tensor()).map()
    assert isinstance(session.answer(again, 0), messages.Result)


def test_a_cancel_of_another_session_is_not_overheard() -> None:
    session = _ready()
    assert session._session is not None
    session.overhear({"type": "cancel", "session": session._session ^ 1, "target": 10})
    infer = messages.Infer(seq=10, session=session._session, inputs=_tensor()).map()
    assert isinstance(session.answer(infer, 0), messages.Result)


def test_an_upload_is_dropped() -> None:
    session = _ready()
    begin = {"name": "m", "total": 9, "sha256": "0" * 64}
    session.answer(messages.LoadBegin(seq=10, session=session._session, **begin).map(), 0)
    cancel = messages.Cancel(seq=11, session=session._session)
    assert session.answer(cancel.map(), 0) == messages.Cancelled(seq=11, outcome="dropped")
    assert session.answer(cancel.map(), 0) == messages.Cancelled(seq=11, outcome="nothing")
    health = session.answer(messages.Status(seq=12, session=session._session).map(), 0)
    assert isinstance(health, messages.Health)
    assert health.state == "idle"


def test_making_safe_does_not_wait_for_what_runs() -> None:
    with running_agent(delay_ms=10_000) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        device.submit(ONES, soon())
        with pytest.raises(DeadlineMissed):
            device.infer(ONES, soon(0.1))
        begun = time.monotonic()
        proof = device.make_safe(soon())
        assert (proof.safe, proof.state) == (True, "idle")
        assert time.monotonic() - begun < 5


def test_the_host_sees_a_cancelled_inference_as_one_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch)
    device: TerminalAgent = rig.open()
    device.load(model_of(10), rig.soon())
    ticket = device.submit(ONES, rig.soon())
    assert device.cancel(ticket, rig.soon()) == "nothing"  # it had been answered already
    assert device.collect(rig.soon(1)) is None
    assert device.counters()["late_answers"] == 1
    assert device.cancel(None, rig.soon()) == "nothing"


def test_by_version_1_nothing_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, versions=(1,))
    device = rig.open()
    with pytest.raises(CapabilityMissing, match="protocol 1, which cannot cancel"):
        device.cancel(1, rig.soon())
    assert device.make_safe(rig.soon()).safe


def test_a_runner_survives_a_network_that_fails() -> None:
    class Failing(StoppableNetwork):
        def run(self, tensors):  # type: ignore[no-untyped-def]
            raise DeviceFault("broken")

    runner = Runner(0, time.monotonic_ns)
    good = StoppableNetwork(DOUBLE.content, {})
    bad = good
    bad.__class__ = Failing
    with pytest.raises(DeviceFault, match="broken"):
        runner.run(1, bad, ONES)
    good = StoppableNetwork(DOUBLE.content, {})
    runner.cancel(2)
    with pytest.raises(Cancelled):
        runner.run(2, good, ONES)
    assert runner.outcome(2) == "dropped"
    np.testing.assert_array_equal(runner.run(3, good, ONES).outputs["y"], 2 * ONES["x"])


def test_a_stop_between_two_runs_does_not_hit_the_next() -> None:
    network = StoppableNetwork(DOUBLE.content, {})
    runner = Runner(0, time.monotonic_ns)
    network.stop()
    assert runner.run(1, network, ONES).end_ns > 0


def _ready() -> Session:
    session = Session("1.0", Limits(max_model=10_000))
    session.answer({"type": "hello", "seq": 0, "versions": [2]}, 0)
    number = session._session
    total, sha256 = len(DOUBLE.content), DOUBLE.sha256
    session.answer(
        messages.LoadBegin(seq=1, session=number, name="m", total=total, sha256=sha256).map(), 0
    )
    session.answer(
        messages.LoadChunk(seq=2, session=number, offset=0, data=DOUBLE.content).map(), 0
    )
    answer = session.answer(messages.LoadEnd(seq=3, session=number).map(), 0)
    assert isinstance(answer, messages.Loaded)
    return session


def _tensor() -> dict[str, messages.Tensor | messages.Image]:
    return {"x": messages.Tensor.of(ONES["x"])}
