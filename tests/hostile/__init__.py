"""Hostile input: what goes wrong when files are damaged, values absurd and surroundings unkind.

A `Case` builds its files and gives a command line; a forked `worker` runs it under watch; a `verdict` names what the
program did that it never may: end with a traceback, hang, fill the memory, write where nothing was asked for.
"""
