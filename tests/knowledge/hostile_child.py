"""Stands for a reader that a file has taken over. ``sys.argv[2]`` says what it does."""

import os
import sys
import time


def main() -> None:
    what = sys.argv[2]
    if what == ".hang":
        os.write(1, b'{"page": [1, 2]}\n')
        time.sleep(600)
    elif what == ".fork":
        if os.fork() == 0:
            time.sleep(600)
        time.sleep(600)
    elif what == ".flood":
        while True:
            os.write(1, b"x" * 65536)
    elif what == ".secrets":
        names = ",".join(sorted(os.environ))
        os.write(1, b'{"failed": ["environment", "%s", ""]}\n' % names.encode())
    else:
        os.write(1, b'{"document": {"title": 3}}\n')


if __name__ == "__main__":
    main()
