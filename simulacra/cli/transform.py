"""The verb transform: pictures in files, folders and zips, changed by operations."""

from __future__ import annotations

import argparse
from functools import partial

from simulacra.cli.operations import (
    PIPELINE,
    add_common,
    add_operations,
    add_paths,
    beside,
    is_random,
    preview,
    refuse_wrong_names,
    step_of,
    write,
)
from simulacra.cli.parser import Operations, Verbs
from simulacra.errors import ConfigError
from simulacra.operations import OPERATIONS, Step, steps


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    verb = verbs.add("transform", _transform, "Change pictures by one operation, or by a random pipeline of several.")
    operations = Operations(verb)
    add_operations(operations, OPERATIONS, _transform)
    sub = operations.add(PIPELINE, _transform, "Apply several operations, with values drawn anew for every picture.")
    add_paths(sub)
    sub.add_argument(
        "--steps", required=True, metavar="STEPS", help="operations such as 'flip, rotate degrees=-15..15, noise'"
    )
    add_common(sub)


def _transform(options: argparse.Namespace) -> None:
    chosen = _pipeline(options) if options.operation == PIPELINE else (step_of(options),)
    refuse_wrong_names(options)
    from simulacra.transforms import folders

    if options.preview is None:
        write(options, partial(folders.transform_files, options.paths, chosen))
    else:
        change = folders.transforming(chosen, beside(options), options.max_megapixels)
        preview(options, change, any(map(is_random, chosen)))


def _pipeline(options: argparse.Namespace) -> tuple[Step, ...]:
    """The steps that were asked for, refused before anything heavy is loaded if they are wrong."""
    chosen = steps(options.steps)
    if not chosen:
        raise ConfigError("--steps does not name an operation. See: simulacra transform --help")
    return chosen
