# Compiled by native/build_cffi.py.
from typing import Any

ffi: Any
lib: Any
