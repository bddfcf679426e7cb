"""Time against pixels and channels: `wccsim bench scaling`.

python benchmarks/scaling.py [options of wccsim bench scaling]
"""

import sys

from wccsim.cli import main

if __name__ == "__main__":
    main(["bench", "scaling", *sys.argv[1:]])
