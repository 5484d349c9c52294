"""The clock of UART and SPI. Defect 12: rp2040py always takes clk_peri for 125 MHz; MicroPython runs it from the USB's PLL."""

from typing import Any, Final

from rp2040py.peripherals.clocks import CLK_PERI_CTRL

_CLOCKS: Final = 0x40008
_SOURCE_HZ: Final = {2: 48_000_000, 3: 6_500_000, 4: 12_000_000}
"""By CLK_PERI_CTRL.AUXSRC (RP2040 data sheet 2.15.7): USB's PLL, ring oscillator, crystal. Others: the system's clock."""


def peripheral_clock(mcu: Any) -> None:
    """Keeps ``mcu.clk_peri`` at what the firmware has chosen. Not more than once on a chip."""
    clocks = mcu.peripherals[_CLOCKS]
    write = clocks.write_uint32

    def write_uint32(offset: int, value: int) -> None:
        write(offset, value)
        if offset == CLK_PERI_CTRL:
            mcu.clk_peri = _SOURCE_HZ.get(value >> 5 & 7, 125_000_000)

    clocks.write_uint32 = write_uint32
