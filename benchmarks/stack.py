"""Every 1x1 convolution of DeepLabV3+ (MobileNetV2) at 1024x2048 beside ONNX Runtime: `wccsim bench stack`.

python benchmarks/stack.py [options of wccsim bench stack]
"""

import sys

from wccsim.cli import main

if __name__ == "__main__":
    main(["bench", "stack", "deeplabv3plus_mobilenetv2", *sys.argv[1:]])
