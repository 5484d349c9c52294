# Runs on MicroPython: every test_* function of the files named, with the board's folders on the path.
# tests/test_on_micropython.py calls it.
import sys

paths, files = sys.argv[1].split(":"), sys.argv[2:]
sys.path[:0] = paths
failed = 0
for file in files:
    folder, _, name = file.rpartition("/")
    sys.path.insert(0, folder)
    module = __import__(name[:-3])
    sys.path.pop(0)
    for test in sorted(dir(module)):
        if test.startswith("test_"):
            try:
                getattr(module, test)()
                print("ok", test)
            except Exception as error:
                failed += 1
                print("FAILED", test)
                sys.print_exception(error)
sys.exit(1 if failed else 0)
