# Modules that run unchanged on the board (MicroPython) and on the bridge (CPython). They import nothing of the project.
