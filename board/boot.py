# Runs before main.py. A fault inside an interrupt can only be reported when the memory for it is there beforehand.
import micropython

micropython.alloc_emergency_exception_buf(100)
