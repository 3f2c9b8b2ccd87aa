#!/usr/bin/env python3
"""Prints the headers of one folder, for Meson: list_headers.py ROOT FOLDER."""
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
for header in sorted((root / sys.argv[2]).rglob('*.h')):
    print(header.relative_to(root))
