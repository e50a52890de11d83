"""The command `sparekey documents`: manifests of stored documents, checked before a server has to refuse them."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(help="Stored documents: the queries and mutations that a frontend ships.")
def documents() -> None:
    pass


@documents.command(help="Say everything that a server would refuse in these manifests. Exits 1 if there is anything.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    from resolvers.schema import schema
    from server import stored
    from server.manifest import ManifestRejected

    try:
        held = len(stored.load(files, schema.graphql_schema).by_hash)
    except ManifestRejected as rejected:
        raise click.ClickException(str(rejected)) from None
    click.echo(f"{held} {'document' if held == 1 else 'documents'}, nothing wrong")


@documents.command(help="Write a manifest of the operations in the *.graphql files of these folders.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The manifest.")
def build(folders: tuple[Path, ...], out: Path) -> None:
    import orjson

    from resolvers.schema import schema
    from server import manifest, manifest_writing, stored

    try:
        content = manifest_writing.built(folders)
        stored.compiled(manifest.entries(out, content), schema.graphql_schema)
    except manifest.ManifestRejected as rejected:
        raise click.ClickException(str(rejected)) from None
    out.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    for operation in content["operations"]:
        click.echo(f"{operation['id']}  {operation['type']} {operation['name']}")
