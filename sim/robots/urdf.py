"""Bodies as plain data, and URDF text made of them.

Only primitives: PyBullet renders and collides them an order of magnitude faster than meshes,
and no asset file has to be shipped. Every link carries an inertial, because PyBullet gives a
link without one a mass of 1 kg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import numpy as np

from hil.kinematics import rpy_of

Vector = tuple[float, float, float]
Colour = tuple[float, float, float, float]

_ORIGIN: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Box:
    """Cuboid with full edge lengths `size` in m."""

    size: Vector

    def inertia(self, mass: float) -> tuple[float, ...]:
        """Principal moments of a homogeneous cuboid, kg·m²."""
        x, y, z = (edge**2 for edge in self.size)
        return (mass * (y + z) / 12, mass * (x + z) / 12, mass * (x + y) / 12)


@dataclass(frozen=True, slots=True)
class Cylinder:
    """Cylinder along z, m."""

    radius: float
    length: float

    def inertia(self, mass: float) -> tuple[float, ...]:
        """Principal moments of a homogeneous cylinder, kg·m²."""
        across = mass * (3 * self.radius**2 + self.length**2) / 12
        return (across, across, mass * self.radius**2 / 2)


@dataclass(frozen=True, slots=True)
class Sphere:
    """Ball, m."""

    radius: float

    def inertia(self, mass: float) -> tuple[float, ...]:
        """Principal moments of a homogeneous ball, kg·m²."""
        moment = 2 * mass * self.radius**2 / 5
        return (moment, moment, moment)


@dataclass(frozen=True, slots=True)
class Capsule:
    """Cylinder along z with half a ball on each end, m; `length` is that of the cylinder, so
    that the ends' centres are `length` apart."""

    radius: float
    length: float

    def inertia(self, mass: float) -> tuple[float, ...]:
        """Principal moments of a homogeneous capsule, kg·m².

        Cylinder and half balls share the mass by volume, L : 4r/3. A half ball has
        2 m r²/5 about every axis through the middle of its flat side, its centre of mass lies
        3r/8 from there, and L/2 more lie between that side and the capsule's middle:
        m (2r²/5 + L²/4 + 3 L r/8) about an axis across.
        """
        r, long = self.radius, self.length
        ends = mass * 4 * r / (3 * long + 4 * r)
        middle = mass - ends
        across = middle * (3 * r**2 + long**2) / 12
        across += ends * (2 * r**2 / 5 + long**2 / 4 + 3 * long * r / 8)
        return (across, across, middle * r**2 / 2 + 2 * ends * r**2 / 5)


Shape = Box | Cylinder | Sphere | Capsule


@dataclass(frozen=True, slots=True)
class Part:
    """One primitive of a link; `solid` parts collide, the others are only seen."""

    shape: Shape
    at: Vector = _ORIGIN
    rpy: Vector = _ORIGIN
    colour: Colour = (0.7, 0.7, 0.7, 1.0)
    solid: bool = True


@dataclass(frozen=True, slots=True)
class Inertial:
    """Mass in kg, its centre in the link frame in m, and the tensor about that centre in
    kg·m² as (xx, yy, zz, xy, xz, yz)."""

    mass: float
    centre: Vector
    tensor: tuple[float, float, float, float, float, float]

    @classmethod
    def of(cls, shape: Shape, mass: float, centre: Vector = _ORIGIN) -> Inertial:
        """Inertial of one homogeneous primitive whose axes are those of the link."""
        xx, yy, zz = shape.inertia(mass)
        return cls(mass, centre, (xx, yy, zz, 0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    inertial: Inertial
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Joint:
    """Joint from `parent` to `child`; `rpy` in the URDF convention Rz(yaw) Ry(pitch) Rx(roll).

    `lower`, `upper` in rad or m; `effort` in N·m or N; `velocity` in rad/s or m/s.
    """

    name: str
    kind: str  # "revolute", "prismatic" or "fixed"
    parent: str
    child: str
    at: Vector = _ORIGIN
    rpy: Vector = _ORIGIN
    axis: Vector = (0.0, 0.0, 1.0)
    lower: float = 0.0
    upper: float = 0.0
    effort: float = 0.0
    velocity: float = 0.0
    damping: float = 0.0


@dataclass(frozen=True, slots=True)
class Body:
    """A tree of links; the first link is the base."""

    name: str
    links: Sequence[Link]
    joints: Sequence[Joint] = field(default_factory=tuple)


def to_urdf(body: Body) -> str:
    """URDF text of `body`; equal bodies give equal text."""
    robot = ET.Element("robot", name=body.name)
    for link in body.links:
        _add_link(robot, link)
    for joint in body.joints:
        _add_joint(robot, joint)
    ET.indent(robot)  # PyBullet reads line by line and cuts long lines
    return ET.tostring(robot, encoding="unicode")


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _add_link(robot: ET.Element, link: Link) -> None:
    element = ET.SubElement(robot, "link", name=link.name)
    _add_inertial(element, link.inertial)
    for part in link.parts:
        visual = _add_shape(element, "visual", part)
        material = ET.SubElement(visual, "material", name="c" + "_".join(map(str, part.colour)))
        ET.SubElement(material, "color", rgba=_numbers(part.colour))
        if part.solid:
            _add_shape(element, "collision", part)


def _add_inertial(element: ET.Element, inertial: Inertial) -> None:
    moments, rpy = principal(inertial)
    entry = ET.SubElement(element, "inertial")
    ET.SubElement(entry, "origin", xyz=_numbers(inertial.centre), rpy=_numbers(rpy))
    ET.SubElement(entry, "mass", value=repr(inertial.mass))
    keys = ("ixx", "iyy", "izz", "ixy", "ixz", "iyz")
    values = (*moments, 0.0, 0.0, 0.0)
    ET.SubElement(entry, "inertia", dict(zip(keys, map(repr, values), strict=True)))


def principal(inertial: Inertial) -> tuple[Vector, Vector]:
    """Principal moments in kg·m² and the roll, pitch, yaw in rad of their axes.

    PyBullet turns a full tensor to its axes only roughly and then puts the child links up to
    half a millimetre off, so it is given tensors that are diagonal already.
    """
    xx, yy, zz, xy, xz, yz = inertial.tensor
    if not (xy or xz or yz):
        return (xx, yy, zz), _ORIGIN
    moments, axes = np.linalg.eigh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if np.linalg.det(axes) < 0:
        axes[:, 2] *= -1
    first, second, third = moments.tolist()
    return (first, second, third), rpy_of(axes)


def _add_shape(element: ET.Element, tag: str, part: Part) -> ET.Element:
    entry = ET.SubElement(element, tag)
    ET.SubElement(entry, "origin", xyz=_numbers(part.at), rpy=_numbers(part.rpy))
    geometry = ET.SubElement(entry, "geometry")
    match part.shape:
        case Box(size):
            ET.SubElement(geometry, "box", size=_numbers(size))
        case Cylinder(radius, length):
            ET.SubElement(geometry, "cylinder", radius=repr(radius), length=repr(length))
        case Capsule(radius, length):
            ET.SubElement(geometry, "capsule", radius=repr(radius), length=repr(length))
        case Sphere(radius):
            ET.SubElement(geometry, "sphere", radius=repr(radius))
    return entry


def _add_joint(robot: ET.Element, joint: Joint) -> None:
    element = ET.SubElement(robot, "joint", name=joint.name, type=joint.kind)
    ET.SubElement(element, "origin", xyz=_numbers(joint.at), rpy=_numbers(joint.rpy))
    ET.SubElement(element, "parent", link=joint.parent)
    ET.SubElement(element, "child", link=joint.child)
    if joint.kind == "fixed":
        return
    ET.SubElement(element, "axis", xyz=_numbers(joint.axis))
    ET.SubElement(
        element,
        "limit",
        lower=repr(joint.lower),
        upper=repr(joint.upper),
        effort=repr(joint.effort),
        velocity=repr(joint.velocity),
    )
    ET.SubElement(element, "dynamics", damping=repr(joint.damping), friction="0.0")
