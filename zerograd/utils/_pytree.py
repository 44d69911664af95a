"""Nested lists, tuples and dictionaries as a flat list of leaves and back. Source: torch.utils._pytree."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Flatten = Callable[[Any], tuple[list[Any], Any]]
Unflatten = Callable[[list[Any], Any], Any]


@dataclass(frozen=True)
class NodeDef:
    """How a container of one class is taken apart and put together: its parts, and what else must be known."""

    type: type
    flatten_fn: Flatten
    unflatten_fn: Unflatten


SUPPORTED_NODES: dict[type, NodeDef] = {}


def register_pytree_node(cls: type, flatten_fn: Flatten, unflatten_fn: Unflatten, **options: Any) -> None:
    """Have instances of ``cls`` taken apart too.

    Args:
        flatten_fn: container -> (parts, context). unflatten_fn: (parts, context) -> container.
        options: accepted; names for serialised structures, which are not written.
    Raises:
        ValueError: the class is known already.
    Source: torch.utils._pytree.register_pytree_node.
    """
    del options
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls.__name__} is registered as a container already")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def _items(tree: dict[Any, Any]) -> tuple[list[Any], Any]:
    return list(tree.values()), list(tree)


for _cls, _flatten, _unflatten in (
    (list, lambda tree: (list(tree), None), lambda parts, _: list(parts)),
    (tuple, lambda tree: (list(tree), None), lambda parts, _: tuple(parts)),
    (dict, _items, lambda parts, keys: dict(zip(keys, parts, strict=True))),
    (OrderedDict, _items, lambda parts, keys: OrderedDict(zip(keys, parts, strict=True))),
    (
        defaultdict,
        lambda tree: (list(tree.values()), (tree.default_factory, list(tree))),
        lambda parts, known: defaultdict(known[0], zip(known[1], parts, strict=True)),
    ),
    (deque, lambda tree: (list(tree), tree.maxlen), deque),
    (namedtuple, lambda tree: (list(tree), type(tree)), lambda parts, cls: cls(*parts)),
):
    SUPPORTED_NODES[_cls] = NodeDef(_cls, _flatten, _unflatten)  # pyright: ignore[reportArgumentType]


def is_namedtuple_instance(tree: Any) -> bool:
    """Whether ``tree`` is of a class that ``collections.namedtuple`` or ``typing.NamedTuple`` has made."""
    return isinstance(tree, tuple) and hasattr(tree, "_fields")


class _Results(tuple[Any, ...]):
    """Stands for the named results of functions such as ``torch.sort`` in the table."""


SUPPORTED_NODES[_Results] = NodeDef(_Results, lambda tree: (list(tree), type(tree)), lambda parts, cls: cls(parts))


def _node_of(tree: Any) -> NodeDef | None:
    found = SUPPORTED_NODES.get(type(tree))
    if found is not None:
        return found
    if is_namedtuple_instance(tree):
        return SUPPORTED_NODES[namedtuple]  # pyright: ignore[reportArgumentType]
    return SUPPORTED_NODES[_Results] if isinstance(tree, tuple) and hasattr(tree, "n_fields") else None


@dataclass(frozen=True)
class TreeSpec:
    """The shape of a nested structure, without its leaves.

    Attributes:
        type: of the container; ``None`` for a leaf.
        context: what else must be known to put it together, e.g. the keys of a dictionary.
        children_specs: the shapes of its parts.
    """

    type: Any
    context: Any
    children_specs: list[TreeSpec]

    @property
    def num_leaves(self) -> int:
        return 1 if self.type is None else sum(one.num_leaves for one in self.children_specs)

    @property
    def num_children(self) -> int:
        return len(self.children_specs)

    @property
    def num_nodes(self) -> int:
        return 1 + sum(one.num_nodes for one in self.children_specs)

    def is_leaf(self) -> bool:
        return self.type is None

    def children(self) -> list[TreeSpec]:
        return list(self.children_specs)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The structure with these leaves."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The parts of ``tree`` at the places of this structure's leaves.

        Raises:
            ValueError: ``tree`` has another shape.
        """
        if self.type is None:
            return [tree]
        node = _node_of(tree)
        if node is None or node.type is not self.type:
            raise ValueError(f"the structures differ: {self.type.__name__} here, {type(tree).__name__} there")
        parts, context = node.flatten_fn(tree)
        if self.type is dict and set(context) == set(self.context):
            parts = [tree[key] for key in self.context]
        elif len(parts) != self.num_children or context != self.context:
            raise ValueError(
                f"the structures differ: {self.context or self.num_children} here, {context or len(parts)} there"
            )
        return [one for spec, part in zip(self.children_specs, parts, strict=True) for one in spec.flatten_up_to(part)]

    def __hash__(self) -> int:
        return hash((self.type, repr(self.context), tuple(self.children_specs)))

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


PyTreeSpec = TreeSpec
_LEAF = TreeSpec(None, None, [])


def LeafSpec() -> TreeSpec:
    """The shape of a leaf."""
    return _LEAF


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether ``tree`` is no container (or one that ``is_leaf`` keeps whole)."""
    return (is_leaf is not None and is_leaf(tree)) or _node_of(tree) is None


_is_leaf = tree_is_leaf


def _flatten_into(tree: Any, leaves: list[Any], is_leaf: Callable[[Any], bool] | None) -> TreeSpec:
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(tree)
    if node is None:
        leaves.append(tree)
        return _LEAF
    parts, context = node.flatten_fn(tree)
    return TreeSpec(node.type, context, [_flatten_into(part, leaves, is_leaf) for part in parts])


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """(leaves, shape) of a nested structure. ``None`` is a leaf."""
    leaves: list[Any] = []
    return leaves, _flatten_into(tree, leaves, is_leaf)


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The structure of this shape with these leaves.

    Raises:
        TypeError: ``treespec`` is no TreeSpec. ValueError: too few leaves, or too many.
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"tree_unflatten takes (leaves, TreeSpec), got a {type(treespec).__name__} as the second")
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"the structure has {treespec.num_leaves} leaves, but {len(leaves)} were given")
    return _built(iter(leaves), treespec)


def _built(leaves: Iterator[Any], spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    parts = [_built(leaves, one) for one in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(parts, spec.context)


def tree_iter(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator[Any]:
    """The leaves, one after the other."""
    yield from tree_leaves(tree, is_leaf)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The shape."""
    return tree_flatten(tree, is_leaf)[1]


def arg_tree_leaves(*args: Any, **kwargs: Any) -> list[Any]:
    """The leaves of all arguments."""
    return tree_leaves((args, kwargs))


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The same structure with ``func(leaf, ...)`` in the place of every leaf; ``rests`` have that structure too."""
    leaves, spec = tree_flatten(tree, is_leaf)
    return tree_unflatten(map(func, leaves, *[spec.flatten_up_to(one) for one in rests]), spec)


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Call ``func`` on every leaf; the structure itself comes back."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def map_only(kind: Any, /) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """A decorator: the function sees only values of these classes (or those for which ``kind`` is true)."""
    fits = (lambda one: isinstance(one, kind)) if isinstance(kind, type | tuple) else kind
    return lambda func: lambda one: func(one) if fits(one) else one


def tree_map_only(
    kind: Any, /, func: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """``tree_map`` on the leaves of these classes; the others stay."""
    return tree_map(map_only(kind)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    kind: Any, /, func: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """``tree_map_`` on the leaves of these classes."""
    return tree_map_(map_only(kind)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether ``pred`` holds for every leaf."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether ``pred`` holds for a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(
    kind: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> bool:
    """Whether ``pred`` holds for every leaf of these classes."""
    return all(pred(one) for one in tree_iter(tree, is_leaf) if isinstance(one, kind))


def tree_any_only(
    kind: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> bool:
    """Whether ``pred`` holds for a leaf of these classes."""
    return any(pred(one) for one in tree_iter(tree, is_leaf) if isinstance(one, kind))


def _broadcast_to_and_flatten(
    tree: Any, treespec: TreeSpec, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any] | None:
    """A leaf for each leaf of the structure, where a leaf of ``tree`` stands for all below it; ``None``: no fit."""
    if treespec.type is None:
        return [tree] if tree_is_leaf(tree, is_leaf) else None
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    node = _node_of(tree)
    parts, context = node.flatten_fn(tree) if node is not None else ([], None)
    if (
        node is None
        or node.type is not treespec.type
        or context != treespec.context
        or len(parts) != treespec.num_children
    ):
        return None
    found = [
        _broadcast_to_and_flatten(part, spec, is_leaf)
        for part, spec in zip(parts, treespec.children_specs, strict=True)
    ]
    return None if any(one is None for one in found) else [leaf for one in found if one is not None for leaf in one]
