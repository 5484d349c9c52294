"""``fluksometer devices``: who may upload, and what can't be said of them."""

from types import SimpleNamespace

import pytest

from fluksometer.cli import main

LEAST = '[device]\nstate = "state"\n[[sensor]]\nport = 1\nfunction = "a"\n'
ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def devices(tmp_path, capsys):
    config = tmp_path / "meter.toml"
    config.write_text(LEAST)

    def run(*words):
        code = main(["devices", "-c", str(config), *map(str, words)])
        said = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=said.out, stderr=said.err)

    return run


def test_devices_are_added_listed_and_removed(devices, tmp_path):
    added = devices("add", ONE, "cottage")
    assert added.returncode == 0 and len(added.stdout.strip()) == 32 and added.stdout.strip() not in added.stderr
    (tmp_path / "key").write_text("ab" * 16 + "\n")
    given = devices("add", TWO, "barn", "--key-file", tmp_path / "key", "--sensor", f"{'5' * 32}=water")
    assert (given.returncode, given.stdout) == (0, "")
    assert devices().stdout.splitlines() == [
        f"cottage  {ONE}  0 sensors  not heard yet",
        f"barn     {TWO}  0 sensors  not heard yet",
    ]
    assert devices("rm", "22").stdout == f"barn ({TWO}) may upload no more\n"
    assert [line.split()[0] for line in devices("ls").stdout.splitlines()] == ["cottage"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "X" * 32, "barn"), "is no device id: 32 lower-case hex digits"),
        (("add", TWO, "x" * 33), "is no name: 1 to 32 printable characters"),
        (("add", ONE, "barn"), "this id or name is there already"),
        (("add", TWO, "cottage"), "this id or name is there already"),
        (("add", TWO, "barn", "--key-file", "/nonexistent"), "/nonexistent: can't be read"),
        (("add", TWO, "barn", "--key-file", "/dev/null"), "a key is 32 lower-case hex digits"),
        (("add", TWO, "barn", "--sensor", "5=water"), "--sensor: an id of 32 hex digits"),
        (("add", TWO, "barn", "--sensor", f"{'5' * 32}=beer"), "--sensor: an id of 32 hex digits"),
        (("rm", "barn"), "no devices are called 'barn'; there are: 'cottage'"),
    ],
)
def test_what_can_t_be_done_is_told(devices, words, says):
    devices("add", ONE, "cottage")
    refused = devices(*words)
    assert refused.returncode == 1 and says in refused.stderr, refused


@pytest.mark.parametrize(
    "text", ["", "[]", '{"devices":{"a":{}}}', f'{{"devices":{{"{ONE}":{{"name":"x","key":"y"}}}}}}']
)
def test_a_damaged_list_is_told_and_not_written_over(devices, tmp_path, text):
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "devices.json"
    path.write_text(text)
    refused = devices("add", TWO, "barn")
    assert refused.returncode == 1 and "is no list of devices" in refused.stderr and path.read_text() == text
