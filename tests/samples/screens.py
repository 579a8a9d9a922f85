"""What stands on a screen."""

from __future__ import annotations

from visit.web.trees import Tree


def ids_in(tree: Tree) -> set[str]:
    """The ids of a tree's elements."""
    if isinstance(tree, str):
        return set()
    own = {tree["attributes"]["id"]} if "id" in tree["attributes"] else set()
    return own.union(*map(ids_in, tree["children"]))
