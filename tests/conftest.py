"""What every test shares: shapes and types checked at run time, no network, one thread."""

import os

# Before anything imports torch or transformers: two OpenMP threads on a busy machine are slower
# than one, and a test that reaches for the network is a bug.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

from collections.abc import Iterator

import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_packages
from hypothesis import settings
from jaxtyping import install_import_hook

# From here on every function and dataclass of the package checks its annotations when called. In
# the tensor tower shapes are checked too, which makes every call some ten times as slow; so is a
# request, whose own checks are to come first. What makes the bundled model gives no shapes.
SHAPED = ("models", "tracing", "attribution", "lens", "assemble", "session", "cli")
PLAIN = ("errors", "text", "graph", "formats", "engine", "web", "mini")
OWN_CHECKS = "visit.graph.request"
install_import_hook([OWN_CHECKS, *(f"visit.{name}" for name in SHAPED)], "beartype.beartype")
beartype_packages(
    [f"visit.{name}" for name in PLAIN],
    # An int is a float, as mypy has it.
    conf=BeartypeConf(
        claw_is_pep526=False, claw_skip_package_names=(OWN_CHECKS,), is_pep484_tower=True
    ),
)


# How long an example takes says more of the machine than of the code.
settings.register_profile("visit", deadline=None)
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
