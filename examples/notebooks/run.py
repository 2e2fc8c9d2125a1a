"""Runs a notebook from its first cell to its last, and ends with a traceback where a cell fails: run.py NOTEBOOK.

With --write it stores the outputs in the notebook, and the pictures of cells that name one in docs/.
"""

import base64
import pathlib
import sys

import nbclient
import nbformat

path = pathlib.Path(sys.argv[1]).resolve()
notebook = nbformat.read(path, as_version=4)
folder = {"metadata": {"path": path.parent}}
nbclient.NotebookClient(notebook, timeout=600, startup_timeout=300, kernel_name="python3", resources=folder).execute()
cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
if "--write" in sys.argv:
    docs = path.parents[2] / "docs"
    for cell in cells:
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if "picture" in cell.metadata and "image/png" in output.get("data", {}):
                (docs / f"{path.stem}-{cell.metadata['picture']}.png").write_bytes(base64.b64decode(output.data["image/png"]))
    nbformat.write(notebook, path)
print(len(cells), "cells ran")
