"""`wccsim codecs`: what can be compared, with which settings, and where it comes from."""

from __future__ import annotations

import json
import textwrap

import click

_SEARCHED = "Settings that `wccsim compare` searches for each map and rate (docs/compare.md):"


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def codecs(name: str | None, as_json: bool) -> None:
    """List the feature-map codecs, or explain one.

    The names at the end of the list are searched settings of a codec, which `wccsim compare` takes too.

    \b
    Examples:
      wccsim codecs
      wccsim codecs ebpc
      wccsim codecs --json
    """
    from wccsim.codecs.registry import CODECS, codec, settings
    from wccsim.compare.catalog import ABOUT

    if as_json and name is not None:
        raise click.UsageError("--json prints the whole list; drop the name")
    if name in ABOUT:
        click.echo(f"{name}: {ABOUT[name]}\n\nsearched for each map and rate by `wccsim compare`")
        return
    if name is not None:
        codec_kind = type(codec(name))
        click.echo(f"{name}: {codec_kind.ABOUT}\n")
        click.echo(textwrap.dedent("    " + (codec_kind.__doc__ or "").strip()))
        click.echo(f"\nparameters: {_parameters(name) or 'none'}")
        click.echo(textwrap.fill(f"source: {codec_kind.SOURCE}", 100))
        return
    if as_json:
        listed = [
            {
                "name": kind.NAME,
                "lossless": kind.LOSSLESS,
                "about": kind.ABOUT,
                "parameters": {s.name: s.default for s in settings(kind.NAME)},
                "source": kind.SOURCE,
            }
            for kind in CODECS.values()
        ]
        click.echo(json.dumps(listed, indent=2, default=str))
        return
    width = max(map(len, CODECS))
    for kind in CODECS.values():
        loss = "lossless" if kind.LOSSLESS else "lossy"
        click.echo(f"{kind.NAME:<{width}}  {loss:<8}  {kind.ABOUT}")
        for line in (f"parameters: {_parameters(kind.NAME) or 'none'}", f"source: {kind.SOURCE}"):
            click.echo(textwrap.fill(line, 100, initial_indent=" " * 4, subsequent_indent=" " * 8))
    click.echo(f"\n{_SEARCHED}")
    for other, about in ABOUT.items():
        click.echo(f"{other:<{width}}  {about}")


def _parameters(name: str) -> str:
    from wccsim.codecs.registry import settings

    return ", ".join(f"{s.name}={s.default}" for s in settings(name))
