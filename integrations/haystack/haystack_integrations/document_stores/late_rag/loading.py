"""Haystack's devices and secrets as what the core loads a model with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haystack.utils import ComponentDevice, Secret
from haystack.utils.auth import SecretType
from haystack.utils.device import DeviceType

from late_rag.adapters import InputError

_DEVICES = {DeviceType.CPU: "cpu", DeviceType.GPU: "cuda"}


def loading_options(
    device: ComponentDevice | None, token: Secret | None, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The options of :func:`late_rag.load_encoder` that these stand for.

    Args:
        device: the CPU or the first GPU; None takes a GPU where there is one that the model can use.
        token: of the Hugging Face hub, by the name of its environment variable.
        more: further options, as JSON.

    Raises:
        InputError: a device that there is not, or a secret that is no environment variable.
    """
    options = dict(more or {})
    if device is not None:
        options["device"] = _device(device)
    if token is not None:
        options["token_variable"] = _variables(token)
    return options


def _device(device: ComponentDevice) -> str:
    if not isinstance(device, ComponentDevice):
        raise InputError(f"device takes a ComponentDevice, not {device!r}")
    if device.has_multiple_devices:
        raise InputError("device has several devices; the model runs on one, and on all cores of a CPU")
    kind, _, number = device.to_torch_str().partition(":")
    found = _DEVICES.get(DeviceType.from_str(kind))
    if found is None or int(number or 0):
        raise InputError(
            f"device is {device.to_torch_str()!r}; the model runs on 'cpu' or 'cuda:0': which GPU that is, "
            "CUDA_VISIBLE_DEVICES says"
        )
    return found


def _variables(token: Secret) -> list[str]:
    if getattr(token, "type", None) is not SecretType.ENV_VAR:
        raise InputError("token takes Secret.from_env_var(…): a token itself would be written into the configuration")
    return list(token.to_dict()["env_vars"])


def check_token(token: Secret | None) -> None:
    """Raises Haystack's ValueError where a token is required and none of its variables is set."""
    if token is not None:
        token.resolve_value()
