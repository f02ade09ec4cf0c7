"""Where a folder is or, before it is made, will be."""

from pathlib import Path


def nearest(folder: Path) -> Path:
    """The folder itself if it exists, else the nearest of those it lies in that does."""
    return next(path for path in (folder, *folder.parents) if path.exists())
