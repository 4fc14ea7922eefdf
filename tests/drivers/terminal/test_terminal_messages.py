from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drivers.terminal import messages
from drivers.terminal.codec import Decoder, encode
from hil.errors import ProtocolError

_TENSOR = {"kind": "tensor", "dtype": "float32", "shape": [2], "data": bytes(8)}


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        elements=st.floats(width=32, allow_nan=True),
    )
)
def test_a_tensor_crosses_the_wire_bit_for_bit(array: Any) -> None:
    request = messages.Infer(seq=5, inputs={"x": messages.Tensor.of(array)})
    (plain,) = Decoder().feed(encode(request.map()))
    received = messages.requests().parse(plain)
    assert isinstance(received, messages.Infer)
    tensor = received.inputs["x"]
    assert isinstance(tensor, messages.Tensor)
    np.testing.assert_array_equal(tensor.array(), array)
    assert tensor.array().shape == array.shape


def test_a_transposed_array_is_sent_in_reading_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(messages.Tensor.of(array).array(), array)


@pytest.mark.parametrize(
    ("plain", "place"),
    [
        ({"type": "ping"}, "seq"),
        ({"type": "ping", "seq": -1}, "seq"),
        ({"type": "ping", "seq": 2**32}, "seq"),
        ({"type": "ping", "seq": True}, "seq"),
        ({"type": "ping", "seq": "1"}, "seq"),
        ({"type": "hello", "seq": 1, "versions": []}, "versions"),
        ({"type": "load-chunk", "seq": 1, "offset": 0, "data": "text"}, "data"),
        ({"type": "load-begin", "seq": 1, "name": "m", "total": 0, "sha256": "0" * 64}, "total"),
        ({"type": "load-begin", "seq": 1, "name": "m", "total": 1, "sha256": "F" * 64}, "sha256"),
        ({"type": "infer", "seq": 1, "inputs": {}}, "inputs"),
        ({"type": "infer", "seq": 1, "inputs": {"x": {**_TENSOR, "shape": [3]}}}, "needs 12"),
        ({"type": "infer", "seq": 1, "inputs": {"x": {**_TENSOR, "dtype": "int8"}}}, "dtype"),
        ({"type": "infer", "seq": 1, "inputs": {"x": {"kind": "sound"}}}, "inputs.x"),
        ({"type": "result", "seq": 1}, "no message is called 'result'"),
        ({"type": 7, "seq": 1}, "no message is called 7"),
    ],
)
def test_a_bad_request_is_refused_with_the_place(plain: dict[str, object], place: str) -> None:
    with pytest.raises(ProtocolError, match=place):
        messages.requests().parse(plain)


def test_unknown_entries_are_ignored() -> None:
    parsed = messages.requests().parse({"type": "ping", "seq": 1, "later": [1, 2]})
    assert parsed == messages.Ping(seq=1)
