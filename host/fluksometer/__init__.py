"""The bridge of the Fluksometer: reads the sensor board, publishes, keeps history."""

__version__ = "0.1.0"
