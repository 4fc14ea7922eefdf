"""What is done with the devices of a rig while they are open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from hil.check.cameras import check_camera
from hil.check.devices import check_device, open_device
from hil.check.grippers import check_gripper
from hil.check.model import About, Part, Report, Result, State
from hil.check.motion import announced, check_motion
from hil.check.opened import Opened, feeds, moves
from hil.check.pace import Pace
from hil.check.ports import RIGHTS
from hil.check.stops import check_stop
from hil.check.timing import check_timing, pace_note, slowest
from hil.check.trackers import check_tracker
from hil.check.wanted import Wanted
from hil.contracts import Camera, Capability, Device, EmergencyStop, Gripper, Joints, Scene
from hil.run.attendance import Asked, Attendance, Watched
from hil.safety import StopRequest
from scenarios.schema import Scenario

_COUNTDOWN_S = 3
Check = Callable[[], Iterable[Result]]


@dataclass(frozen=True, slots=True)
class Session:
    """One check, from the first device opened to the last one that moved.

    `timers` are the latency timers (ms) by address, judged already; `watched` is None where no
    watchdog stands by.
    """

    wanted: Wanted
    report: Report
    stop: StopRequest
    opened: Opened
    scenarios: list[Scenario]
    pace: Pace | None
    timers: Mapping[str, int]
    watched: Watched | None

    def run(self, addresses: Mapping[str, str]) -> None:
        """Open every device that can be, look at each, and move those that move."""
        bench, opened, report = self.opened.bench, self.opened, self.report
        for role in bench.devices:
            about = About(Part.DEVICE, role)
            if self._bad(role, Part.PORT) == RIGHTS:
                opened.untouched.append(role)
                report.add(about.skipped("opened", "not tried without the right to"))
                continue
            report.run(about, "opened", partial(open_device, opened, role))
            if role in opened.devices:
                judged = addresses[role] in self.timers
                report.run(about, "health", partial(check_device, bench, role, judged))
        self._time()
        for device in list(opened.devices.values()):
            self._look(device)
        if self.wanted.move:
            self._move()

    def _time(self) -> None:
        bench, report = self.opened.bench, self.report
        if not self.opened.devices:
            return
        report.add(pace_note(self.pace))
        for role in self.opened.devices:
            check = partial(check_timing, bench, role, self.pace, self.wanted.trips, self.stop)
            report.run(About(Part.TIMING, role), "round trips", check)
        found = slowest(report.results)
        if found is not None:
            report.add(found)

    def _look(self, device: Device) -> None:
        """Cameras, trackers and emergency stops."""
        bench, clock, stop = self.opened.bench, self.opened.bench.clock, self.stop
        scene, button = About(Part.SCENE, device.role), About(Part.STOP, device.role)
        offers = device.capabilities
        if Capability.CAMERA in offers and isinstance(device, Camera):
            self.report.run(scene, "camera", partial(check_camera, device, clock, stop))
        if Capability.SCENE in offers and isinstance(device, Scene):
            check = partial(check_tracker, bench, device, self.scenarios, stop)
            self.report.run(scene, "tracker", check)
        if Capability.EMERGENCY_STOP in offers and isinstance(device, EmergencyStop):
            person, press = self.wanted.person, self.wanted.press
            check = partial(check_stop, device, person, press, clock, stop)
            self.report.run(button, "state", check)

    def _move(self) -> None:
        opened, about = self.opened, About(Part.MOTION)
        moving = [device for device in opened.devices.values() if moves(device)]
        buttons = [
            one
            for one in opened.devices.values()
            if Capability.EMERGENCY_STOP in one.capabilities and isinstance(one, EmergencyStop)
        ]
        feeding = [device for device in opened.devices.values() if feeds(device)]
        kept = {device.role for device in [*moving, *buttons, *feeding]}
        why = self._why_not(moving)
        opened.release(*[role for role in opened.devices if role not in kept])
        if why:
            self.report.add(about.skipped("motion", f"nothing was moved: {why}"))
            return
        attendance = self._attendance(buttons)
        if attendance() or not self._warned([device.role for device in moving]):
            cause = attendance.cause or self.stop.cause
            self.report.add(about.skipped("motion", f"nothing was moved: {cause}"))
            return
        attendance.allow(attendance.watched.idle_ns)
        for device in moving:
            self._move_one(device, attendance)
        if attendance.cause and not self.stop():
            remedy = "see to what it was pressed for, release it, and check again"
            self.report.add(about.bad("ended", attendance.cause, remedy))

    def _move_one(self, device: Device, attendance: Attendance) -> None:
        bench, about = self.opened.bench, About(Part.MOTION, device.role)
        ill = self._bad(device.role, Part.DEVICE, Part.TIMING)
        if ill:
            why = f"not moved: first see to {ill!r} above"
            self.report.add(about.skipped("motion", why))
            return
        # by capability: a device with joints has all that a gripper's protocol asks for as well
        offers = device.capabilities
        if Capability.JOINTS in offers and isinstance(device, Joints):
            self.report.run(about, "motion", partial(check_motion, bench, device, attendance))
        if Capability.GRIPPER in offers and isinstance(device, Gripper):
            self.report.run(about, "motion", partial(check_gripper, bench, device, attendance))

    def _why_not(self, moving: list[Device]) -> str:
        if not moving:
            return "no device that moves is open"
        blind = [role for role in self._could_stop() if role not in self.opened.devices]
        if blind:
            return f"{', '.join(blind)} is not open, and may be an emergency stop"
        if self.watched is None and not self.opened.bench.clock.virtual:
            return "no watchdog stands by"
        return ""

    def _could_stop(self) -> list[str]:
        """Roles of emergency stops, and of devices that could not even be built to tell."""
        built = self.opened.bench.devices
        return [
            device.role
            for device in self.wanted.rig.devices
            if device.role not in built
            or Capability.EMERGENCY_STOP in built[device.role].capabilities
        ]

    def _attendance(self, buttons: list[EmergencyStop]) -> Attendance:
        """What is looked at between ticks: signals, and every emergency stop of the rig."""

        def asked() -> Asked | None:
            return Asked(self.stop.cause) if self.stop() else None

        attendance = Attendance(asked, self.opened.bench.clock, self.watched)
        attendance.watch_buttons(buttons)
        return attendance

    def _warned(self, roles: list[str]) -> bool:
        """Tell the person at a real rig what will move; False where he asked to stop."""
        person = self.wanted.person
        if self.wanted.rig.kind != "real" or person is None:
            return not self.stop()
        clock = self.opened.bench.clock
        return person.warn(announced(roles), _COUNTDOWN_S, clock, self.stop)

    def _bad(self, role: str, *parts: Part) -> str:
        """The name of the first bad finding on a device; empty where there is none."""
        bad = (
            result.name
            for result in self.report.results
            if result.role == role and result.part in parts and result.state is State.BAD
        )
        return next(bad, "")
