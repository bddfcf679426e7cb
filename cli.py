"""`python cli.py ...` in a checkout is `wccsim ...` once installed; the commands live in wccsim/cli/."""

from wccsim.cli import main

if __name__ == "__main__":
    main(prog_name="cli.py")
