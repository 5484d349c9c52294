"""Only what pyproject.toml can't say: the native cores are compiled with cffi."""

from setuptools import setup

setup(cffi_modules=[f"native/build_cffi.py:{core}" for core in ("metering", "pulses", "telegram")])
