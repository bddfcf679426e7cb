"""The five layers of the benchmark beside ONNX Runtime and PyTorch, ratios in one run: `wccsim bench layers`.

python benchmarks/layers.py [options of wccsim bench layers]
"""

import sys

from wccsim.cli import main

if __name__ == "__main__":
    main(["bench", "layers", *sys.argv[1:]])
