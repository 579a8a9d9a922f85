"""The bundled model `mini`: a small GPT-2 that this package trains, measures and ships.

`FOLDER` holds `config.json`, `model.safetensors` and the tokenizer; its card is `README.md`.
Importing this module loads no tensor library.
"""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
"""The folder with the model's files, in the form `from_pretrained` reads."""
