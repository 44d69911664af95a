"""The base class of all optimizers: parameter groups, state, hooks, checkpoints."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from zerograd import dtypes, errors
from zerograd.autograd.grad_mode import enable_grad
from zerograd.runtime.realize import finish_step
from zerograd.tensor.gradients import RemovableHandle, clear_gradients
from zerograd.tensor.tensor import Tensor

ParamsT = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Group = dict[str, Any]
StateDict = dict[str, Any]
Hook = Callable[..., Any]


class RequiredParameter:
    """The type of `required`, the default of an option that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = RequiredParameter()

_before_every_step: OrderedDict[int, Hook] = OrderedDict()
_after_every_step: OrderedDict[int, Hook] = OrderedDict()
_HOOK_TABLES = tuple(
    f"_optimizer_{moment}_hooks"
    for moment in (
        "step_pre",
        "step_post",
        "state_dict_pre",
        "state_dict_post",
        "load_state_dict_pre",
        "load_state_dict_post",
    )
)


def _register(table: OrderedDict[int, Hook], hook: Hook, *, first: bool = False) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if first:
        table.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` before the step of any optimizer.

    Source: torch.optim.optimizer.register_optimizer_step_pre_hook.
    """
    return _register(_before_every_step, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` after the step of any optimizer.

    Source: torch.optim.optimizer.register_optimizer_step_post_hook.
    """
    return _register(_after_every_step, hook)


class Optimizer:
    """What all optimizers share; a subclass gives `step`.

    Attributes:
        param_groups: a dictionary per group: its tensors under "params", then its options.
        state: per parameter what the rule carries from step to step.
        defaults: the options of a group that does not give them.
    Args:
        params: tensors, (name, tensor) pairs, or one dictionary per group.
        defaults: see above; `required` stands for an option without default.
    Raises:
        TypeError: `params` is a single tensor or holds something else than tensors.
        ValueError: no parameter at all, or one that is not a leaf, or one in two groups.
    Source: torch.optim.Optimizer.
    """

    _optimizer_step_pre_hooks: OrderedDict[int, Hook]
    _optimizer_step_post_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Hook]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._prepare()
        if isinstance(params, Tensor):
            raise errors.type_(
                "an optimizer needs an iterable of tensors or of groups, but got a single tensor",
                params=_kind(params),
                hint="[tensor] makes a list of it",
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise errors.value(
                "an optimizer needs at least one parameter, but the list is empty",
                hint="a module's parameters() is a generator: it is empty once it has been read",
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)  # pyright: ignore[reportArgumentType]  # it checks

    def _prepare(self) -> None:
        """What a new or unpickled optimizer needs besides groups and state."""
        for table in _HOOK_TABLES:
            self.__dict__.setdefault(table, OrderedDict())
        step = type(self).step
        if not getattr(step, "hooked", False):
            hooked = self.profile_hook_step(step)
            hooked.hooked = True  # pyright: ignore[reportFunctionMemberAccess]
            type(self).step = hooked

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for index, group in enumerate(self.param_groups):
            text += f"\nParameter Group {index}\n"
            text += "".join(f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params")
        return f"{text})"

    @staticmethod
    def profile_hook_step(func: Callable[..., Any]) -> Callable[..., Any]:
        """`func`, a step method, with the hooks called around it."""

        @functools.wraps(func)
        def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if _before_every_step or self._optimizer_step_pre_hooks:
                args, kwargs = self._call_pre_hooks(args, kwargs)
            result = func(self, *args, **kwargs)
            finish_step()
            if self._optimizer_step_post_hooks or _after_every_step:
                for hook in chain(self._optimizer_step_post_hooks.values(), _after_every_step.values()):
                    hook(self, (self, *args), kwargs)
            return result

        return step

    def _call_pre_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        for hook in chain(_before_every_step.values(), self._optimizer_step_pre_hooks.values()):
            changed = hook(self, (self, *args), kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise errors.runtime(
                    "a step pre-hook returns None or (args, kwargs), but this one returned something else",
                    returned=repr(changed),
                    hook=repr(hook),
                )
            (_, *rest), kwargs = changed
            args = tuple(rest)
        return args, kwargs

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step; it may return new (args, kwargs).

        `args` begins with the optimizer itself.

        Source: torch.optim.Optimizer.register_step_pre_hook.
        """
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step.

        Source: torch.optim.Optimizer.register_step_post_hook.
        """
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` before `state_dict` collects anything.

        Source: torch.optim.Optimizer.register_state_dict_pre_hook.
        """
        return _register(self._optimizer_state_dict_pre_hooks, hook, first=prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)`, which may change the dictionary or return another.

        Source: torch.optim.Optimizer.register_state_dict_post_hook.
        """
        return _register(self._optimizer_state_dict_post_hooks, hook, first=prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` before loading; it may return another dictionary.

        Source: torch.optim.Optimizer.register_load_state_dict_pre_hook.
        """
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, first=prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` after loading.

        Source: torch.optim.Optimizer.register_load_state_dict_post_hook.
        """
        return _register(self._optimizer_load_state_dict_post_hooks, hook, first=prepend)

    def state_dict(self) -> StateDict:
        """The state by parameter number, and the groups' options; made for saving.

        Parameters are numbered through all groups. The tensors are those in use: copy them
        (`copy.deepcopy`) to keep them as they are now.

        Source: torch.optim.Optimizer.state_dict.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        count = 0
        for group in self.param_groups:
            for index, param in enumerate(group["params"], count):
                numbers.setdefault(id(param), index)
            count += len(group["params"])
            packed = {name: value for name, value in group.items() if name != "params"}
            groups.append({**packed, "params": [numbers[id(param)] for param in group["params"]]})
        state = {numbers[id(key)] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        result: StateDict = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Takes over the state and the options that `state_dict` of such an optimizer returned.

        Floating-point state gets the dtype of its parameter, "step" keeps its own.

        Raises:
            ValueError: the number of groups, or of parameters in a group, is another one.
        Source: torch.optim.Optimizer.load_state_dict.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        saved = deepcopy(state_dict["param_groups"])
        _check_same_groups(self.param_groups, saved)
        params = dict(
            zip(
                chain.from_iterable(group["params"] for group in saved),
                chain.from_iterable(group["params"] for group in self.param_groups),
                strict=True,
            )
        )
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _cast(params[key], value, _owner(key, state_dict["param_groups"]))
            else:
                state[key] = value
        for group, new in zip(self.param_groups, saved, strict=True):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Ends the life of all gradients: by default they become None, else zero.

        A parameter whose gradient is None is skipped by the next step; one whose gradient is
        zero still moves by weight decay and momentum.

        Source: torch.optim.Optimizer.zero_grad.
        """
        clear_gradients([param for group in self.param_groups for param in group["params"]], set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes the parameters once, from their gradients.

        Args:
            closure: computes the loss and its gradients anew.
        Returns:
            The loss of the closure, None without one.
        Source: torch.optim.Optimizer.step.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method step(closure=None)")

    def add_param_group(self, param_group: Group) -> None:
        """One more group, with its own options; what it does not give is taken from `defaults`.

        Raises:
            TypeError: not a dictionary, its parameters are a set, or one is not a tensor.
            ValueError: a parameter is no leaf or is in two groups, a required option is missing,
                or only some parameters are named.
        Source: torch.optim.Optimizer.add_param_group.
        """
        if not isinstance(param_group, dict):
            raise errors.type_("a parameter group is a dictionary", group=_kind(param_group))
        _unpack_parameters(param_group)
        for param in param_group["params"]:
            self._check_parameter(param)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise errors.value(
                    f"the option {name!r} has no default and must be in every parameter group",
                    group=", ".join(sorted(param_group)),
                )
            param_group.setdefault(name, default)
        self._check_against_other_groups(param_group)
        self.param_groups.append(param_group)

    def _check_parameter(self, param: object) -> None:
        if not isinstance(param, Tensor):
            raise errors.type_("an optimizer changes tensors, but a parameter is none", parameter=_kind(param))
        if not self.defaults.get("differentiable") and not (param.is_leaf or param.retains_grad):
            raise errors.value(
                "an optimizer changes leaf tensors, but this one was computed from others",
                parameter=f"{param.dtype} {list(param.shape)} by {param.grad_fn}",
                hint="optimize what it was computed from, or x.detach().requires_grad_()",
            )

    def _check_against_other_groups(self, param_group: Group) -> None:
        ids = {id(param) for param in param_group["params"]}
        if len(ids) != len(param_group["params"]):
            warnings.warn(
                "a parameter stands twice in one optimizer group, so every step changes it twice; "
                "this will become an error",
                stacklevel=4,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                raise errors.value("either all parameter groups have names or none, but this optimizer mixes them")
            if not ids.isdisjoint(map(id, group["params"])):
                raise errors.value("a parameter stands in two groups of one optimizer; it belongs in one")


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _unpack_parameters(group: Group) -> None:
    """Makes `group["params"]` a list of tensors, and `group["param_names"]` their names if given."""
    params = group["params"]
    if isinstance(params, Tensor):
        group["params"] = [params]
        return
    if isinstance(params, set):
        raise errors.type_(
            "the parameters of an optimizer need an order that is the same in every run, and a set has none",
            hint="give a list",
        )
    params = list(params)
    names = [param[0] for param in params if isinstance(param, tuple)]
    if names and len(names) != len(params):
        raise errors.value(
            "either all parameters of a group have a name or none",
            named=len(names),
            unnamed=len(params) - len(names),
        )
    group["params"] = [param[1] if isinstance(param, tuple) else param for param in params]
    if names:
        group["param_names"] = names


def _check_same_groups(groups: list[Group], saved: list[Group]) -> None:
    if len(groups) != len(saved):
        raise errors.value(
            "the saved optimizer has another number of parameter groups",
            saved=len(saved),
            here=len(groups),
        )
    for index, (group, other) in enumerate(zip(groups, saved, strict=True)):
        if len(group["params"]) != len(other["params"]):
            raise errors.value(
                f"group {index} of the saved optimizer has another number of parameters",
                saved=len(other["params"]),
                here=len(group["params"]),
            )


def loss_of(closure: Callable[[], Any] | None) -> Any:
    """The loss that a step's closure computes, with gradients enabled; ``None`` without one."""
    if closure is None:
        return None
    with enable_grad():
        return closure()


def _owner(number: Any, groups: list[Group]) -> Group:
    """The saved group that holds the parameter with this number."""
    return next((group for group in groups if number in group["params"]), {})


def _cast(param: Tensor, value: Any, group: Group, name: object = None) -> Any:
    """State with the dtype and device of its parameter."""
    if isinstance(value, Tensor):
        dtype = param.dtype if param.is_floating_point() else value.dtype
        if name == "step":
            dtype = dtypes.float32 if group.get("capturable") or group.get("fused") else value.dtype
        return value.to(dtype=dtype, device=param.device)
    if isinstance(value, dict):
        return {key: _cast(param, item, group, key) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return type(value)(_cast(param, item, group) for item in value)  # pyright: ignore[reportCallIssue]
    return value
