# The only file that asks which interpreter it is.
try:
    from micropython import const
except ImportError:  # CPython: a constant is just its value

    def const(value):
        return value
