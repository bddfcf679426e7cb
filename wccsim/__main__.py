"""`python -m wccsim`."""

from wccsim.cli import main

main(prog_name="wccsim")
