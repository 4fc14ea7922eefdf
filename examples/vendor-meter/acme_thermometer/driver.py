"""ACME T-1: asked `T?`, it answers `T=21.53`; asked `ID?`, `ACME T-1 SERIAL`."""

from dataclasses import asdict

from drivers.textline import TextLine
from drivers.transport.link import open_link
from hil.contracts import Capability, Finding, Identity, Reading, SafeProof
from hil.errors import DeadlineMissed, DeviceFault, LinkLost


class Thermometer:
    capabilities = frozenset({Capability.METER})  # and so keeps hil.contracts.Meter

    def __init__(self, spec, clock):
        self.role, self._spec, self._clock, self._line = spec.role, spec, clock, None

    def open(self, deadline):
        self._line = TextLine(open_link(self._spec, 9600, self._clock), self._clock)

    def identity(self, deadline):
        maker, model, serial = self._ask("ID?", deadline, " ", 3)
        return Identity(f"{maker} {model}", serial=serial)

    def health(self, deadline):
        try:
            return [Finding("reads", True, f"{self.read(deadline).value} degC")]
        except (DeadlineMissed, DeviceFault, LinkLost) as error:
            return [Finding("reads", False, error.message, "check its cable and supply")]

    def ping(self, deadline):
        self.read(deadline)

    def counters(self):
        return asdict(self._line.counters) if self._line else {}

    def read(self, deadline):
        _, value = self._ask("T?", deadline, "=", 2)
        return Reading(self._clock.now_ns(), float(value), "degC")

    def make_safe(self, deadline):  # it drives nothing: safe while it can be read
        began_ns, (found,) = self._clock.now_ns(), self.health(deadline)
        state, told = ("passive" if found.ok else "unknown"), {"reads": found.detail}
        return SafeProof(self.role, found.ok, state, told, began_ns, self._clock.now_ns())

    def close(self):
        line, self._line = self._line, None
        if line:
            line.close()

    def _ask(self, question, deadline, separator, parts):
        if self._line is None:
            raise LinkLost(f"{self.role} is not open")
        answer = self._line.ask(question, deadline)
        if answer.count(separator) != parts - 1:
            raise DeviceFault(f"{self.role}: {answer!r} is no answer to {question}")
        return answer.split(separator)


def build(spec, context):
    return Thermometer(spec, context.clock)
