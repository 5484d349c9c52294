#!/usr/bin/env bash
# Puts the firmware on a board that runs MicroPython: ./flash.sh [PORT]. Run it again at any time: it copies what changed.
# ./flash.sh --help tells more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
tools/setup.sh python
exec .venv/bin/python tools/flash.py "$@"
