"""``apolar serve``: the page on which formulas are differentiated, on this machine."""

from __future__ import annotations

import webbrowser

import click


@click.command(short_help="Open a page for formulas, on this machine.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on; the default is this machine only."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="The port; 0 for any free one."
)
@click.option("--open", "open_browser", is_flag=True, help="Show the page in the browser.")
def serve(host: str, port: int, open_browser: bool) -> None:
    """Serve a page on which a formula is typed and its derivatives are explained, step by step.

    It needs no network, is reached from this machine only, and ends with Ctrl-C.

    \b
    apolar serve --open
    apolar serve --port 0
    """
    from apolar import page

    def started(address: str) -> None:
        click.echo(f"apolar is at {address} (Ctrl-C ends it)")
        if open_browser:
            webbrowser.open(address)

    try:
        page.serve(host, port, started)
    except (OSError, OverflowError, UnicodeError) as error:
        raise click.ClickException(
            f"{host} port {port} cannot be listened on: {getattr(error, 'strerror', None) or error}. "
            "Choose another port, such as --port 0 for any free one."
        ) from error
    click.echo("")
