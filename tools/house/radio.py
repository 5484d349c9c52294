"""The radio of a house: air, nodes, and the chip on the board's pins. ``HouseRadio`` is what a test looks at."""

from typing import Any, Final

from rp2040py.gpio_pin import GPIOPinState

from house.air import Air, Frame
from house.housefile import House
from house.nodes import Asked, KubeNode, PlainNode
from house.rfm12b import Rfm12b
from house.rfm69 import Rfm69
from house.spibus import SpiBus

SPI: Final = 0
SELECT_GPIO, IRQ_GPIO, RESET_GPIO = 17, 20, 21
"""The board's own table is board/pins.py."""


class HouseRadio:
    """``sent``: every frame that was on the air; ``asked``: what nodes wanted answered, and when the answers came."""

    def __init__(self, mcu: Any, house: House) -> None:
        faults, radio = house.faults, house.radio
        jams = [(begin, end) for begin, end in faults.radio_jam_s] if faults else []
        self.air = Air(mcu.clock, faults.radio_loss if faults else 0.0, jams, radio.seed)
        self.asked: list[Asked] = []
        irq = mcu.gpio[IRQ_GPIO]
        self.chip: Rfm12b | Rfm69 | None = None
        if radio.chip == "rfm12b":
            self.chip = Rfm12b(self.air, radio.noise_s, irq.set_input_value, radio.seed)
        elif radio.chip == "rfm69":
            self.chip = Rfm69(self.air, radio.noise_s, irq.set_input_value)
        self._bus = SpiBus(mcu, SPI, SELECT_GPIO, self.chip)
        mcu.gpio[RESET_GPIO].add_listener(self._reset_line)
        self.kubes = [KubeNode(self.air, kube, self.asked) for kube in house.kube]
        self.nodes = [PlainNode(self.air, node, self.asked) for node in house.node]

    def _reset_line(self, state: GPIOPinState, _before: GPIOPinState) -> None:
        if self.chip is not None and state in (GPIOPinState.LOW, GPIOPinState.HIGH):
            self.chip.reset_line(state == GPIOPinState.HIGH)

    @property
    def sent(self) -> list[Frame]:
        """All frames so far, in the order in which they ended."""
        return self.air.sent

    def sent_by(self, who: str) -> list[Frame]:
        """Those of one sender: "board", "kube 5", "node 3"."""
        return [frame for frame in self.sent if frame.who == who]

    def plug(self, there: bool) -> None:
        """Takes the chip out of its socket, or puts it back."""
        self._bus.slave = self.chip if there else None
        self.power_on()

    def power_on(self) -> None:
        """The board's supply went off and came again: the nodes have batteries."""
        if self.chip is not None:
            self.chip.power_on()
