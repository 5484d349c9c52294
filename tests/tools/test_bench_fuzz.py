"""The decoders bear damaged bytes, as ./tools/bench fuzz has it with more of them; and that benchmark would find what is wrong."""

import random

import pytest

import bench_fuzz
from fluksometer.shared import p1_body


@pytest.mark.parametrize("name", bench_fuzz.FUZZES)
def test_damaged_bytes_are_borne(name):
    done = bench_fuzz.task((name, 20261122, 300_000))
    assert done.size == 300_000 and done.decoded > 50


def test_a_core_that_reads_otherwise_is_found(monkeypatch):
    monkeypatch.setattr(p1_body.Body, "registers", lambda self: self._registers[1:])
    monkeypatch.setattr(bench_fuzz, "PYTHON_SHARE", 1.0)
    with pytest.raises(AssertionError):
        bench_fuzz.fuzz_p1(random.Random(1), 300_000)


def test_a_decoder_that_raises_names_its_seed(monkeypatch):
    monkeypatch.setitem(bench_fuzz.FUZZES, "p1", lambda rng, size: 1 // 0)
    with pytest.raises(RuntimeError, match="p1, seed 7"):
        bench_fuzz.task(("p1", 7, 1000))
