"""`python -m ocelot`."""

from ocelot.cli.main import run

run()
