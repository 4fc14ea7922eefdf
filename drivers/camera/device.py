"""Device `camera`: a V4L2, HTTP or RTSP camera (`hil.contracts.Camera`)."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.camera.capture import Capture
from drivers.camera.parameters import Parameters
from drivers.camera.selftest import picture_findings, stream_findings
from drivers.camera.source import Kind, Source, check_device, parse_source, usb_facts, users_of
from drivers.camera.stream import Order
from drivers.claim import Claim
from drivers.transport.options import need_port
from hil.clock import NS_PER_S, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    Frame,
    Identity,
    SafeProof,
    Scalar,
)
from hil.errors import BadInput, DeadlineMissed, HarnessError, HilError, LinkLost, RigError
from hil.failure import on_failure

_PORT = '{ url = "file:///dev/v4l/by-path/..." }'

_WATCH_NS = NS_PER_S
"""The self-test watches the stream for so long, or for half of the time it is given."""


def build(spec: DeviceSpec, context: BenchContext) -> OpenCvCamera:
    """Driver factory (entry point `camera`). Errors: BadInput."""
    need_port(spec, _PORT)
    if context.clock.virtual:
        raise BadInput(
            f"device {spec.role!r}: a camera needs a wall clock", "use a twin or real rig"
        )
    parameters = device_parameters(spec, Parameters)
    return OpenCvCamera(spec.role, parse_source(spec.address), parameters, context)


class OpenCvCamera:
    """Implements `hil.contracts.Camera`, and `Rescue` so that nobody opens a camera for it."""

    capabilities = frozenset({Capability.CAMERA})

    def __init__(
        self, role: str, source: Source, parameters: Parameters, context: BenchContext
    ) -> None:
        self.role = role
        self._source = source
        self._parameters = parameters
        self._clock = context.clock
        self._capture: Capture | None = None
        self._hung: Capture | None = None
        self._claim: Claim | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height obtained; (0, 0) before there are any."""
        if self._capture is None:
            return 0, 0
        return self._capture.opened.width, self._capture.opened.height

    @property
    def rate_hz(self) -> float:
        return self._parameters.rate_hz

    def open(self, deadline: Deadline) -> None:
        """Start the capture and wait for its first picture.

        Errors: DeviceNotFound, BadInput (no permission), LinkLost (cannot be opened),
        DeadlineMissed (no picture in time), RigError (another program of this testbed has it, or
        an earlier capture hangs in the kernel).
        """
        self.close()
        if self._hung is not None and self._hung.running:
            raise RigError(
                f"{self.role}: capture process {self._hung.pid} hangs in the kernel and cannot"
                " be ended",
                "replug the camera; where that does not help, restart the host",
            )
        if self._source.kind is Kind.V4L2:
            check_device(self._source.target)
        udp = self._parameters.rtsp_transport == "udp"
        self._claim = Claim(f"camera {self._source.target}", f"camera {self._source.shown}")
        with on_failure(self.close):
            try:
                self._capture = Capture(self._source, self._order(deadline), deadline, udp)
            except LinkLost as error:
                users = users_of(self._source.target) if self._source.kind is Kind.V4L2 else ""
                if users:
                    raise RigError(f"{error.message}: it is in use by {users}", "end it") from error
                raise

    def identity(self, deadline: Deadline) -> Identity:
        """What the kernel knows of a V4L2 camera; of a URL, the place it leads to."""
        capture = self._opened()
        opened = capture.opened
        facts = usb_facts(self._source.target) if self._source.kind is Kind.V4L2 else {}
        detail: dict[str, Scalar] = {
            "source": self._source.shown,
            "width": opened.width,
            "height": opened.height,
            "fourcc": opened.fourcc,
            "backend": opened.backend,
            "rate_hz_asked": self._parameters.rate_hz,
            **{key: facts[key] for key in ("vid", "pid", "bus") if key in facts},
        }
        return Identity(
            model=facts.get("name", f"{self._source.kind.value} camera"),
            serial=facts.get("serial", ""),
            firmware=facts.get("firmware", ""),
            detail=detail,
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        """The self-test; takes a second where the deadline allows it, and no frame away."""
        try:
            capture = self._opened()
            self._watch(capture, deadline)
        except HilError as error:
            return [Finding("answers", False, error.message, error.remedy or "check the camera")]
        frame = capture.look()
        if frame is None:
            return [Finding("answers", False, "there is no picture", "check the camera")]
        age_s = (self._clock.now_ns() - frame.stamp_ns) / NS_PER_S
        return [
            Finding("answers", True, f"newest frame {age_s:.3f} s old"),
            *stream_findings(
                self._parameters,
                capture.opened,
                capture.account,
                self._source.kind,
                frame.device_stamp_ns,
            ),
            *picture_findings(self._parameters, frame.image),
        ]

    def ping(self, deadline: Deadline) -> None:
        """Wait until the next frame comes; `newest` will still return it."""
        self._opened().await_next(deadline)

    def counters(self) -> Mapping[str, int]:
        if self._capture is None:
            return {}
        account = self._capture.account
        return {
            "frames": account.frames,
            "missed": account.missed,
            "repeated": account.repeated,
            "broken": account.broken,
            "wrong_size": account.wrong_size,
            "decoder_warnings": account.complaints,
            "unread": self._capture.unread,
        }

    def newest(self, deadline: Deadline) -> Frame:
        """As the contract says; frames that nobody asked for in time are counted as unread."""
        return self._opened().newest(deadline)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A camera drives nothing, which is its safe state; said of an open one only."""
        now_ns = self._clock.now_ns()
        if self._capture is None:
            return SafeProof(self.role, False, "not open", {}, now_ns, now_ns)
        readings: dict[str, Scalar] = {"energised": 0, "frames": self._capture.account.frames}
        return SafeProof(self.role, True, "drives nothing", readings, now_ns, now_ns)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """The capture of a dead owner has ended with it: there is nothing to take over."""
        now_ns = self._clock.now_ns()
        return SafeProof(self.role, True, "drives nothing", {"energised": 0}, now_ns, now_ns)

    def close(self) -> None:
        """End the capture; one that hangs is killed, and one that survives that is remembered
        and refused by the next `open`."""
        capture, self._capture = self._capture, None
        if capture is not None and not capture.close():
            self._hung = capture
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def _watch(self, capture: Capture, deadline: Deadline) -> None:
        """See at least one frame come, and more for as long as the self-test watches."""
        capture.await_next(deadline)
        until = deadline.sooner(min(_WATCH_NS, deadline.remaining_ns() // 2))
        while not until.expired:
            try:
                capture.await_next(until)
            except DeadlineMissed:
                return

    def _order(self, deadline: Deadline) -> Order:
        asked = self._parameters
        return Order(
            kind=self._source.kind,
            target=self._source.target,
            shown=self._source.shown,
            width=asked.width,
            height=asked.height,
            rate_hz=asked.rate_hz,
            fourcc=asked.fourcc,
            exposure_us=asked.exposure_us,
            gain=asked.gain,
            white_balance_k=asked.white_balance_k,
            read_timeout_s=asked.read_timeout_s,
            open_timeout_s=max(0.1, deadline.remaining_s()),
        )

    def _opened(self) -> Capture:
        if self._capture is None:
            raise HarnessError(f"{self.role} is not open")
        return self._capture
