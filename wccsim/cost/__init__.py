"""What a network costs on a described accelerator: cycles, bits moved and picojoules, layer by layer."""
