"""The converter: measured curves read as they were measured, noise that belongs to the sample."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import house
from house.converter import HouseSource, Noise, convert, lower_edges

CURVES = sorted((Path(house.__file__).parent / "data").glob("*.csv"))


def read_curve(path: Path) -> list[tuple[int, float]]:
    with path.open() as file:
        return [(int(row["code"]), float(row["lower_edge_lsb"])) for row in csv.DictReader(file)]


def test_six_boards_are_there():
    assert [path.stem for path in CURVES] == ["rp2040-a", "rp2040-b", "rp2040-c", "rp2350-a", "rp2350-b", "rp2350-c"]


@pytest.mark.parametrize("path", CURVES, ids=lambda path: path.stem)
def test_a_code_is_the_last_whose_edge_is_reached(path):
    curve = read_curve(path)
    inputs = np.random.default_rng(1).uniform(0, 4096, 300)
    expected = [max(code for code, edge in curve if edge <= lsb) for lsb in inputs]
    assert convert(lower_edges(path.stem), inputs).tolist() == expected


@pytest.mark.parametrize("path", CURVES, ids=lambda path: path.stem)
def test_edges_never_fall(path):
    assert np.all(np.diff(lower_edges(path.stem)) >= 0)


def test_the_ideal_converter_rounds_and_clips():
    lsb = np.array([-5.0, 0.49, 0.5, 2047.5, 4094.6, 5000.0])
    assert convert(lower_edges("ideal"), lsb).tolist() == [0, 0, 1, 2048, 4095, 4095]


def test_a_measured_converter_clips_too():
    assert convert(lower_edges("rp2040-a"), np.array([-100.0, 1e6])).tolist() == [0, 4095]


def test_noise_does_not_depend_on_the_blocks():
    whole = Noise(7, 1, 2.0).take(0, 20_000)
    noise = Noise(7, 1, 2.0)
    cuts = [0, 1, 4095, 4096, 4097, 12_288, 19_999, 20_000]
    parts = [noise.take(a, b - a) for a, b in pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_noise_has_its_rms_and_differs_by_channel_and_seed():
    noise = Noise(1, 0, 1.5).take(0, 100_000)
    assert np.std(noise) == pytest.approx(1.5, rel=0.02)  # 0.02 is nine standard errors of 1/sqrt(2 * 100 000)
    others = [Noise(2, 0, 1.5).take(0, 100_000), Noise(1, 1, 1.5).take(0, 100_000)]
    assert all(abs(np.corrcoef(noise, other)[0, 1]) < 0.02 for other in others)


def test_the_source_counts_samples_itself(house_from):
    text = '[converter]\ncurve = "rp2040-b"\nnoise_lsb = 3\n[[clamp]]\nport = 2\ncurrent_a = 10'
    t_ns = np.arange(10_000, dtype=np.int64) * 50_000
    whole = HouseSource(house_from(text)).take(1, t_ns)
    source = HouseSource(house_from(text))
    assert np.array_equal(np.concatenate([source.take(1, t_ns[:333]), source.take(1, t_ns[333:])]), whole)


def test_inputs_beyond_the_clamps_are_grounded(house_from):
    assert HouseSource(house_from("")).take(3, np.zeros(2, dtype=np.int64)).tolist() == [0, 0]
