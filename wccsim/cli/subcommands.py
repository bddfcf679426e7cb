"""A group of commands that answers a name it does not know with the names it does."""

from __future__ import annotations

from difflib import get_close_matches

import click


class Subcommands(click.Group):
    """A click group; an unknown name is a UsageError that lists the known ones."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; UsageError where there is none of that name."""
        found = super().get_command(ctx, cmd_name)
        if found is None:
            known = self.list_commands(ctx)
            near = get_close_matches(cmd_name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            allowed = ", ".join(known)
            raise click.UsageError(f"there is no command {cmd_name!r}{hint}; allowed: {allowed}", ctx)
        return found
