"""``fluksometer clamps``: the current transformers that a configuration can name."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from fluksometer.command import Command

if TYPE_CHECKING:
    from rich.table import Table

    from fluksometer.domain.clamp_models import ClampModel

DESCRIPTION = """\
Show the current transformers that a configuration can name instead of saying how many ampere give 1 V:

  [[sensor]]
  port = 1
  function = "kitchen"
  model = "sct-013-030"

One with a voltage output has its burden inside. One with a current output needs the burden shown here across its leads:
another resistor works too, then write clamp_a = turns / ohm instead of the model. "A per V" is how many A rms give 1 V rms
at the pin; "lead" by how many degrees the output typically leads the current at 50 Hz, where a source states it.

examples:
  fluksometer clamps
  fluksometer clamps sct-013-000
  fluksometer clamps --json"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``clamps``."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="all about this one: burden, configuration, source")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each, one a line")


def run(arguments: Namespace) -> int:
    """Show one or all."""
    import json

    from rich.console import Console

    from fluksometer.domain.clamp_models import clamp_models, known_model
    from fluksometer.faults import FileFaults

    models = clamp_models()
    if arguments.model is not None:
        try:
            models = {arguments.model: models[known_model(arguments.model)]}
        except ValueError as error:
            raise FileFaults("arguments", [f"MODEL: {arguments.model!r} is not allowed: {error}"]) from error
    if arguments.json:
        for name, model in models.items():
            print(json.dumps(record(name, model)))
    elif arguments.model is not None:
        print(about(arguments.model, models[arguments.model]))
    else:
        Console(highlight=False).print(draw(models))
    return 0


def record(name: str, model: "ClampModel") -> dict[str, object]:
    """One preset for programs: the keys of data/clamps.toml, null where it has none."""
    from fractions import Fraction

    from fluksometer.domain.units import plain

    values: dict[str, object] = {"model": name}
    for key in type(model).model_fields:
        value = getattr(model, key)
        values[key] = plain(value) if isinstance(value, Fraction) else value
    return values


def draw(models: "dict[str, ClampModel]") -> "Table":
    """All of them as a table."""
    from rich.table import Table

    table = Table()
    table.add_column("model", no_wrap=True)
    table.add_column("maker")
    for title in ("rated", "gives", "burden", "A per V", "lead"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, model in models.items():
        table.add_row(name, *cells(model))
    return table


def cells(model: "ClampModel") -> tuple[str, ...]:
    """Maker, rating, output at it, burden, A rms for 1 V rms, lead: as people read them."""
    from fluksometer.domain.units import plain

    voltage = model.output_mv is not None
    output = f"{plain(model.output_mv or 0)} mV" if voltage else f"{plain(model.secondary_ma or 0)} mA"
    burden = "inside" if voltage else f"{plain(model.burden_ohm or 0)} Ω"
    lead = "-" if model.phase_deg is None else f"{model.phase_deg:g}°"
    return model.maker, f"{plain(model.rated_a)} A", output, burden, str(plain(model.a_per_v)), lead


def about(name: str, model: "ClampModel") -> str:
    """Everything about one."""
    maker, rated, output, burden, a_per_v, lead = cells(model)
    wiring = "none to add, it is inside" if burden == "inside" else f"{burden} across its leads"
    lines = [
        f"{name}, {maker}",
        f"  rated           {rated} gives {output}",
        f"  burden          {wiring}",
        f"  at the pin      {float(model.rated_v):.3f} V rms at {rated}; {a_per_v} A give 1 V",
        f"  lead at 50 Hz   {'no source states it' if lead == '-' else lead}",
        f"  source          {model.source}",
    ]
    if model.phase_source:
        lines.append(f"  source of lead  {model.phase_source}")
    lines += [
        "",
        "In the configuration:",
        "",
        "  [[sensor]]",
        "  port = 1",
        '  function = "kitchen"',
        f'  model = "{name}"',
    ]
    return "\n".join(lines)


COMMAND = Command(
    help="current transformers that a configuration can name", description=DESCRIPTION, configure=configure, run=run
)
