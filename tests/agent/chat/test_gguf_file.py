from __future__ import annotations

import struct

import numpy as np
import pytest

from agent.chat.gguf_file import dequantize_q4_1, dequantize_q8_0, read_gguf


def half(value: float) -> bytes:
    return struct.pack("<e", value)


def test_values_and_tensors_come_back_as_they_were_written(tmp_path, gguf):
    numbers = np.arange(6, dtype="<f4").reshape(2, 3)
    settings = {"name": "é", "count": 7, "part": 0.5, "yes": True, "words": ["a", "bc"], "ids": [3, 1]}
    path = tmp_path / "x.gguf"
    tensors = {"a.weight": ((2, 3), 0, numbers.tobytes()), "b.weight": ((4,), 1, np.ones(4, "<f2").tobytes())}
    path.write_bytes(gguf(settings, tensors))
    found = read_gguf(path)
    assert found.settings == settings
    assert np.array_equal(found.tensors["a.weight"], numbers)
    assert found.tensors["b.weight"].dtype == np.float32 and found.tensors["b.weight"].tolist() == [1, 1, 1, 1]


def test_four_bit_blocks_against_one_number_at_a_time():
    random = np.random.default_rng(1)
    packed = random.integers(0, 256, (5, 16), dtype=np.uint8)
    scales, offsets = random.normal(size=5).astype(np.float16), random.normal(size=5).astype(np.float16)
    blocks = np.stack(
        [
            np.frombuffer(scale.tobytes() + offset.tobytes() + row.tobytes(), np.uint8)
            for scale, offset, row in zip(scales, offsets, packed, strict=True)
        ]
    )
    found = dequantize_q4_1(blocks)
    for block in range(5):
        for place in range(32):
            byte = int(packed[block, place % 16])
            number = byte & 15 if place < 16 else byte >> 4
            wanted = np.float32(scales[block]) * np.float32(number) + np.float32(offsets[block])
            assert found[block, place] == wanted


def test_eight_bit_blocks_against_one_number_at_a_time():
    rows = np.random.default_rng(2).integers(-128, 128, (3, 32), dtype=np.int8)
    blocks = np.stack([np.frombuffer(half(0.25) + row.tobytes(), np.uint8) for row in rows])
    assert np.array_equal(dequantize_q8_0(blocks), rows.astype(np.float32) * np.float32(0.25))


def test_what_is_no_such_file_is_refused(tmp_path, gguf):
    path = tmp_path / "x.gguf"
    path.write_bytes(b"PK\3\4 not a model")
    with pytest.raises(ValueError, match="is no GGUF file of version 3"):
        read_gguf(path)
    path.write_bytes(gguf({"a": 1}, {"q": ((32,), 12, bytes(40))}))
    with pytest.raises(ValueError, match="tensor 'q' is of type 12"):
        read_gguf(path)
