"""Counting from shapes alone: multiply-accumulates, bit operations, parameters, memory traffic."""
