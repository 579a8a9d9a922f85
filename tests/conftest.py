"""What every test shares: shapes and types checked at run time, no network, one thread."""

import os
import re

# Before anything imports torch or transformers: two OpenMP threads on a busy machine are slower
# than one, and a test that reaches for the network is a bug.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

from collections.abc import Iterator
from pathlib import Path

import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_packages
from hypothesis import settings
from jaxtyping import install_import_hook
from shape_checks import check_shapes

# From here on every function and dataclass of the package checks its annotations when called. Where
# a module names the shapes of arrays, or a type made of such, these are checked too, which makes
# each of its calls slower. So are a module's calls that names what is imported for mypy alone, or
# makes named tuples, which the quick way cannot look up. A request's own checks come first.
PACKAGE = Path(__file__).parent.parent / "visit"
REQUEST = "visit.graph.request"
SLOW_WORDS = re.compile("jaxtyping|Routing|TYPE_CHECKING|NamedTuple")
SLOWLY = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("models", "tracing", "attribution", "lens", "explore", "assemble", "cli")
    for path in (PACKAGE / folder).rglob("*.py")
    if SLOW_WORDS.search(path.read_text(encoding="utf-8"))
]
install_import_hook([REQUEST], "beartype.beartype")
check_shapes(SLOWLY)
beartype_packages(
    ["visit"],
    conf=BeartypeConf(
        claw_is_pep526=False,
        claw_skip_package_names=(REQUEST,),
        is_pep484_tower=True,  # an int is a float, as mypy has it
    ),
)


# How long an example takes says more of the machine than of the code. Each run draws others: half
# of hypothesis's own number in each is many over time.
settings.register_profile("visit", deadline=None, max_examples=50)
settings.load_profile("visit")


def pytest_configure(config: pytest.Config) -> None:
    """Let the type checks run inside hypothesis's strategies, which warn of any randomness."""
    config.addinivalue_line(
        "filterwarnings",
        # beartype looks at a random item of a container; that changes no example.
        "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file: whichever process has it last works on alone."""
    items.sort(key=lambda item: item.get_closest_marker("real_model") is None)


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests out of the user's cache folder, and what a user keeps there out of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
