"""`fluksometer meter` over recordings whose truth is known."""

import json
import subprocess
import sys

import numpy as np
import pytest


def meter(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fluksometer", "meter", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def wave(amperes: float, rate_hz: int, seconds: float, offset_lsb: float = 0.0) -> np.ndarray:
    """Codes of a sine through a 50 A clamp, dithered so that rounding is independent of the wave."""
    rng = np.random.default_rng(7)
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    lsb = 2048 + offset_lsb + amperes / 50 / (3.3 / 4096) * np.sqrt(2) * np.sin(2 * np.pi * 50 * t)
    return np.clip(np.round(lsb + rng.uniform(-0.5, 0.5, len(t))), 0, 4095).astype(np.uint16)


def test_three_ports_over_three_windows(tmp_path) -> None:
    codes = np.column_stack([wave(10, 4000, 3.4), wave(50, 4000, 3.4, offset_lsb=12), wave(0.5, 4000, 3.4)])
    np.save(tmp_path / "three.npy", codes)
    done = meter(tmp_path / "three.npy", "--rate", 4000, "--clamp", 50, "--voltage", 230)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(record["t_s"], record["port"]) for record in found] == [(s, p) for s in (1.0, 2.0, 3.0) for p in (1, 2, 3)]
    for record in found:
        amperes = (10, 50, 0.5)[record["port"] - 1]
        # Rounding and dither add 1/6 LSB^2: 0.05 % of 0.5 A, nothing of the others; their sampling error is below 0.1 % there.
        assert record["current_a"] == pytest.approx(amperes, rel=2e-3)
        assert record["apparent_va"] == pytest.approx(record["current_a"] * 230)
        assert record["peak_a"] == pytest.approx(amperes * 2**0.5, abs=0.061)  # 1.5 LSB: rounding, dither and bias
        assert record["offset_lsb"] == pytest.approx(12 if record["port"] == 2 else 0, abs=0.1)
        assert (record["samples"], record["gaps"], record["flags"]) == (4000, 0, [])
        assert [record[key] for key in ("voltage_v", "real_w", "reactive_var", "power_factor", "frequency_hz")] == [
            None
        ] * 5


def test_without_a_voltage_there_is_no_power_and_flags_tell_what_is_wrong(tmp_path) -> None:
    np.save(tmp_path / "two.npy", np.column_stack([wave(80, 1000, 1), np.full(1000, 2048, dtype=np.uint16)]))
    done = meter(tmp_path / "two.npy", "--rate", 1000, "--clamp", 50)
    clipped, dead = (json.loads(line) for line in done.stdout.splitlines())
    assert clipped["apparent_va"] is None and clipped["flags"] == ["clipped"]
    assert dead["current_a"] == 0 and dead["flags"] == ["no_signal"]


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (np.zeros((100, 4), dtype=np.uint16), "want N x 1 to N x 3"),
        (np.zeros((100, 2), dtype=np.float64), "want N x 1 to N x 3"),
        (np.zeros((100, 2, 2), dtype=np.uint16), "want N x 1 to N x 3"),
        (np.full((2000, 1), 5000, dtype=np.uint16), "exceeds 4095"),
        (np.zeros((999, 1), dtype=np.uint16), "less than one window"),
        (np.array([{"a": 1}], dtype=object), "cannot be read as .npy"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path, codes, why) -> None:
    np.save(tmp_path / "bad.npy", codes, allow_pickle=True)
    done = meter(tmp_path / "bad.npy", "--rate", 1000, "--clamp", 50)
    assert done.returncode == 2 and why in done.stderr and "Traceback" not in done.stderr


def test_missing_files_other_files_and_absurd_arguments_are_refused(tmp_path) -> None:
    (tmp_path / "text.npy").write_text("not samples")
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    for name, why in (("text.npy", "cannot be read"), ("none.npy", "cannot be read"), ("many.npz", "several arrays")):
        done = meter(tmp_path / name, "--rate", 1000, "--clamp", 50)
        assert done.returncode == 2 and why in done.stderr, name
    done = meter(tmp_path / "text.npy", "--rate", 0, "--clamp", -1, "--voltage", 0)
    assert done.returncode == 2 and [done.stderr.count(word) for word in ("--rate:", "--clamp:", "--voltage:")] == [
        1,
        1,
        1,
    ]
