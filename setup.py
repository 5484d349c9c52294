"""Only what pyproject.toml can't say: the metering core is compiled with cffi."""

from setuptools import setup

setup(cffi_modules=["native/build_cffi.py:ffibuilder"])
