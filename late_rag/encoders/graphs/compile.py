"""A checkpoint with its weights as they were trained to an ONNX graph: transformer, modules behind it, unit norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from late_rag.encoders.checkpoint.config import Dense, Normalize, Transformer
from late_rag.encoders.checkpoint.modules import check_modules
from late_rag.encoders.graphs.architectures import read_network
from late_rag.encoders.graphs.network import Form
from late_rag.encoders.graphs.protobuf import OPSET
from late_rag.encoders.graphs.tensors import Tensors
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from late_rag.encoders.checkpoint.config import CheckpointConfig
    from late_rag.encoders.graphs.architectures import MakesNetwork
    from late_rag.encoders.graphs.network import Network, Ranges
    from late_rag.encoders.graphs.tensors import Array


@dataclass(frozen=True)
class Source:
    """A checkpoint, read and checked: all its graphs are made from it."""

    network: MakesNetwork
    layers: tuple[tuple[Dense | Normalize, Mapping[str, Array]], ...]
    dim: int
    masked: bool

    def form(self, ranges: Ranges | None = None, opset: int = OPSET) -> Form:
        """The form in fp32 or, with ranges, in int8."""
        return Form(self.masked, ranges, opset)

    def observed(self) -> list[str]:
        """The values whose ranges the int8 graph must know."""
        return self.network(form=self.form()).observed()

    def write(self, file: Path, form: Form, observed: Sequence[str] = ()) -> None:
        """Writes the graph; what is observed comes out beside the rows."""
        network = self.network(form=form)
        state = network.build()
        for place, (module, weights) in enumerate(self.layers):
            state = _add(network, state, module, weights, f"module.{place}")
        network.graph.add("LpNormalization", "output", state, axis=-1, p=2)
        network.graph.write(file, network.inputs, "output", self.dim, observed)


def read_source(folder: Path, config: CheckpointConfig) -> Source:
    """Reads a checkpoint's network and the modules behind it.

    Raises:
        ModelError: something of it is not known, is missing, or does not fit; names the file.
    """
    check_modules(folder, config.modules)
    first, *rest = config.modules
    if not isinstance(first, Transformer):
        raise ModelError(f"{folder} has no transformer to compile")
    network, dim = read_network(folder / first.folder, max(config.query_length, config.document_length))
    layers: list[tuple[Dense | Normalize, Mapping[str, Array]]] = []
    for module in rest:
        if isinstance(module, Dense):
            if module.in_features != dim:
                raise ModelError(
                    f"{folder / module.folder} takes rows of dim {module.in_features}, what is before it gives {dim}"
                )
            layers.append((module, _dense_weights(folder, module)))
            dim = module.out_features
        elif isinstance(module, Normalize):
            layers.append((module, {}))
    expansion = config.expansion
    return Source(network, tuple(layers), dim, masked=expansion is not None and not expansion.attend)


def _dense_weights(folder: Path, module: Dense) -> dict[str, Array]:
    tensors = Tensors(folder / module.folder)
    shape = (module.out_features, module.in_features)
    weights = {"linear.weight": tensors.read("linear.weight", shape)}
    if module.bias:
        weights["linear.bias"] = tensors.read("linear.bias", shape[:1])
    if module.residual and module.in_features != module.out_features:
        weights["residual.weight"] = tensors.read("residual.weight", shape)
    return weights


def _add(network: Network, state: str, module: Dense | Normalize, weights: Mapping[str, Array], name: str) -> str:
    if isinstance(module, Normalize):
        return network.graph.add("LpNormalization", name, state, axis=-1, p=2)
    for tensor, value in weights.items():
        network.weights[f"{name}.{tensor}"] = value
    out = network.linear(state, f"{name}.linear", exact=True)
    if module.activation != "identity":
        out = network.activate(out, f"{name}.active", module.activation)
    if not module.residual:
        return out
    if "residual.weight" in weights:
        state = network.linear(state, f"{name}.residual", exact=True)
    return network.graph.add("Add", f"{name}.sum", out, state)
