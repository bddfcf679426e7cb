"""Each stage of the simulator beside its measured bound: `wccsim bench limits`.

python benchmarks/limits.py [options of wccsim bench limits]
"""

import sys

from wccsim.cli import main

if __name__ == "__main__":
    main(["bench", "limits", *sys.argv[1:]])
