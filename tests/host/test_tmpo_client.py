"""The unmodified client from PyPI gets the right series from our blocks: at first, again, and after compaction."""

import pytest
from host.histories import SID, START_S, Logger, counter
from host.tmpo_client import TOKEN, Client, Server


@pytest.fixture
def house(tmp_path):
    log = Logger(tmp_path / "history")
    server = Server(log.history, tmp_path)
    client = Client(tmp_path / "client", server)
    yield log, server, client
    client.close()
    server.close()
    log.close()


def wanted(sent) -> list[list[float]]:
    return [[point.time_s, point.milli / 1000] for point in sent]


def test_it_syncs_twice_and_after_compaction_and_its_series_is_ours(house) -> None:
    log, server, client = house
    sent = [counter(START_S + second, 637_840 + second / 8) for second in range(3, 700, 7)]  # some have decimals
    log.turn(START_S, *sent)
    log.turn(START_S + 772)  # 0, 256 and 512 are closed
    client.call("add", SID, TOKEN)
    client.call("sync")
    assert server.asked[0] == f"/sensor/{SID}/tmpo/sync?rid=0&lvl=0&bid=0"
    assert len(server.asked) == 4
    assert client.call("series", SID) == wanted(sent)

    more = [counter(START_S + second, 638_000 + second) for second in range(800, 1000, 5)]
    log.turn(START_S + 1024 + 4, *more)
    del server.asked[:]
    client.call("sync")
    assert server.asked == [
        f"/sensor/{SID}/tmpo/sync?rid=0&lvl=8&bid={START_S + 512}",
        f"/sensor/{SID}/tmpo/0/8/{START_S + 768}",
    ]
    assert client.call("series", SID) == wanted(sent + more)

    log.turn(START_S + 3 * 4096)
    (parent,) = log.history.blocks(SID)
    assert parent.lvl == 12
    del server.asked[:]
    client.call("sync")
    assert server.asked[1:] == [f"/sensor/{SID}/tmpo/0/12/{parent.bid}"]
    assert client.call("list") == [[[SID, 0, 12, parent.bid]]]
    assert client.call("series", SID) == wanted(sent + more)
    client.call("sync")
    assert client.call("last_datapoint", SID, True) == [more[-1].time_s, more[-1].milli / 1000]


def test_a_new_series_after_a_reset_is_the_one_it_shows(house) -> None:
    log, _server, client = house
    before = [counter(START_S + second, 5000 + second) for second in (1, 2, 3)]
    after = [counter(START_S + second, second, series=1) for second in (200, 300)]
    log.turn(START_S, *before, *after)
    log.turn(START_S + 520)
    client.call("add", SID, TOKEN)
    client.call("sync")
    assert client.call("series", SID) == wanted(after)
    assert client.call("series", SID, 0) == wanted(before)
