"""The Verilog of the datapath and the tools that prove it."""
