"""Finding networks and their cards. A model is a folder with `card.toml` and its ONNX file."""

from __future__ import annotations

from pathlib import Path

from hil.canonical import sha256_bytes
from hil.config import load_toml
from hil.contracts import ModelImage
from hil.errors import BadInput, ModelRefused
from models.card import ImageInput, ModelCard

_CARD = "card.toml"


def zoo_folder() -> Path:
    """Where the models of this package live."""
    return Path(__file__).parent / "zoo"


def model_names() -> list[str]:
    """Names in the zoo, sorted."""
    return sorted(card.parent.name for card in zoo_folder().glob(f"*/{_CARD}"))


def find_model(name_or_path: str | Path) -> Path:
    """Folder of a model: a name of the zoo, or the path of a folder with a card.

    Errors: BadInput listing the known names.
    """
    for folder in (zoo_folder() / name_or_path, Path(name_or_path)):
        if (folder / _CARD).is_file():
            return folder
    raise BadInput(
        f"no model is called {str(name_or_path)!r}, and no folder of that path has a {_CARD}",
        f"known: {', '.join(model_names()) or 'none'}",
    )


def load_card(folder: Path) -> tuple[ModelCard, ModelImage]:
    """The card and the network's bytes, digest checked.

    Errors: BadInput for a card or file that cannot be read, ModelRefused naming both digests
    where the file is not the one the card describes.
    """
    card = load_toml(folder / _CARD, ModelCard)
    content = _read(folder / card.file)
    found = sha256_bytes(content)
    if found != card.sha256:
        raise ModelRefused(
            f"{folder / card.file}: SHA-256 is {found}, {_CARD} says {card.sha256}",
            "restore the file, or make a new card for the new network",
        )
    preprocess = {
        entry.name: entry.source.model_dump()
        for entry in card.inputs
        if isinstance(entry.source, ImageInput)
    }
    return card, ModelImage(card.name, content, found, preprocess)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
