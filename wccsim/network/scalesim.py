"""SCALE-Sim topology files, both ways, in their convolution and their matrix form.

    Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
    Layer name, M, N, K,

The first row is the header, the comma at the end of a row is optional. A row stands for itself: it
names no other, so each layer reads an input of its own. IFMAP sizes hold the padding already. A name
with `DP` in it is a depthwise convolution, and its Num Filter must be 1 (SCALE-Sim multiplies the work by
it). Where the stride leaves a rest, SCALE-Sim rounds the output size up and wccsim rounds it down,
as frameworks do; `rounded_up` lists those rows, and a file written here has none.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes
from wccsim.network import shapes
from wccsim.network.model import Layer, Network, Shape
from wccsim.network.shapes import MAX_CHANNELS, MAX_SIZE, Window

CONV_HEADER = (
    "Layer name",
    "IFMAP Height",
    "IFMAP Width",
    "Filter Height",
    "Filter Width",
    "Channels",
    "Num Filter",
    "Strides",
)
GEMM_HEADER = ("Layer", "M", "N", "K")
MAX_BYTES = 4 << 20
MAX_ROWS = 20_000
MAX_WRITTEN = 100_000
FORMS = ("conv", "gemm")
Row = tuple[str | int, ...]


def read(path: Path | str) -> Network:
    """The network a topology file describes, one layer and its input per row."""
    return parse(read_bytes(path, MAX_BYTES), str(path))


def parse(content: bytes, file: str) -> Network:
    """As `read`, from bytes; `file` stands for it in errors."""
    try:
        text = content.decode("utf-8-sig")
        rows = [row for row in _rows(text, file) if any(field.strip() for field in row[0])]
    except UnicodeDecodeError:
        raise WccsimError("this is not UTF-8 text", Place(file, 1, 1)) from None
    except csv.Error as problem:
        raise WccsimError(f"this is not CSV: {problem}", Place(file, 1, 1)) from None
    if len(rows) < 2:
        raise WccsimError("a header and at least one layer are needed", Place(file, 1, 1))
    width = len(_fields(rows[0][0]))
    if width not in (len(CONV_HEADER), len(GEMM_HEADER)):
        raise WccsimError(
            f"the header has {width} fields; allowed: {', '.join(CONV_HEADER)}; or {', '.join(GEMM_HEADER)}",
            Place(file, 1, 1),
        )
    if all(field.strip().isdigit() for field in rows[0][0][1:width]):
        raise WccsimError(
            "the first row is a layer; SCALE-Sim takes it as the header and skips it", Place(file, 1, 1)
        )
    layers: dict[str, Layer] = {}
    for fields, line in rows[1:]:
        for layer in _layers(fields, width, file, line):
            if layer.name in layers:
                raise WccsimError(f"the name {layer.name!r} was given twice", Place(file, line, 1))
            layers[layer.name] = layer
    if len(layers) > 2 * MAX_ROWS:
        raise WccsimError(f"{len(layers) // 2} layers were given; allowed: {MAX_ROWS}", Place(file, 1, 1))
    ordered = sorted(layers.values(), key=lambda layer: layer.op != "input")
    source = f"SCALE-Sim topology {Path(file).name}"
    return Network(Path(file).stem, tuple(ordered), source, sha256=hashlib.sha256(content).hexdigest())


def _rows(text: str, file: str) -> Iterator[tuple[list[str], int]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    for row in reader:
        yield row, reader.line_num


def _fields(row: list[str]) -> list[str]:
    """The row without the empty field after a comma at its end."""
    return row[:-1] if row and not row[-1].strip() else row


def _layers(row: list[str], width: int, file: str, line: int) -> Iterator[Layer]:
    """The input and the layer of one row."""
    fields = _fields(row)
    if len(fields) != width:
        raise WccsimError(f"{len(fields)} fields were given; {width} are needed", Place(file, line, 1))
    name = fields[0].strip()
    if not name or len(name) > 200 or not name.isprintable() or name == "previous":
        raise WccsimError("a layer needs a name of 1 to 200 printable characters", Place(file, line, 1))

    def number(index: int, high: int) -> int:
        text = fields[index].strip()
        if not (text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= high):
            column = 1 + sum(len(field) + 1 for field in row[:index])
            what = (CONV_HEADER if width == len(CONV_HEADER) else GEMM_HEADER)[index]
            raise WccsimError(
                f"{what}: {text[:40]!r} was given; an integer 1 to {high} is needed",
                Place(file, line, column),
            )
        return int(text)

    try:
        if width == len(GEMM_HEADER):
            rows, out, inner = number(1, MAX_SIZE), number(2, MAX_CHANNELS), number(3, MAX_CHANNELS)
            shape = shapes.checked(Shape(inner, rows, 1), "the input")
            source = Layer(f"{name} input", "input", (), shape, shape)
            yield source
            yield shapes.matmul(name, [source], out)
        else:
            yield from _conv(name, number)
    except WccsimError as problem:
        raise problem if problem.place else WccsimError(f"{name}: {problem}", Place(file, line, 1)) from None


def _conv(name: str, number: Callable[[int, int], int]) -> Iterator[Layer]:
    height, width = number(1, MAX_SIZE), number(2, MAX_SIZE)
    kernel = number(3, MAX_SIZE), number(4, MAX_SIZE)
    channels, out, stride = number(5, MAX_CHANNELS), number(6, MAX_CHANNELS), number(7, MAX_SIZE)
    depthwise = "DP" in name
    if depthwise and out != 1:
        raise WccsimError(f"Num Filter is {out}; a depthwise layer (DP in its name) needs 1")
    shape = shapes.checked(Shape(channels, height, width), "the input")
    source = Layer(f"{name} input", "input", (), shape, shape)
    yield source
    window = Window(kernel, (stride, stride))
    yield shapes.conv(name, source, channels if depthwise else out, window, channels if depthwise else 1)


def rounded_up(network: Network) -> list[str]:
    """The layers whose output SCALE-Sim would round up to another size."""
    found = []
    for layer in network.layers:
        if layer.op == "conv":
            sizes = zip(
                (layer.in_shape.height, layer.in_shape.width), layer.kernel, layer.stride, strict=True
            )
            if any((size - kernel) % stride for size, kernel, stride in sizes):
                found.append(layer.name)
    return found


def csv_text(network: Network, form: str = "conv") -> str:
    """The multiplying layers as a topology; every row has the MACs of its layer.

    Rows and columns that no window reaches are left out of IFMAP sizes, and dilation is folded away,
    so that outputs are the same under either rounding. Groups become a row each, and so do the
    products of a grouped matmul; a transposed convolution becomes its 1x1 product.
    """
    rows: list[Row] = []
    for layer in network.layers:
        if layer.multiplies:
            rows += _conv_rows(layer) if form == "conv" else _gemm_rows(layer)
        if len(rows) > MAX_WRITTEN:
            raise WccsimError(f"{network.name} needs more than {MAX_WRITTEN} rows in SCALE-Sim's {form} form")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(CONV_HEADER if form == "conv" else GEMM_HEADER), ""])
    writer.writerows([*row, ""] for row in rows)
    return out.getvalue()


def _name(layer: Layer, depthwise: bool = False) -> str:
    """A name without commas, with DP in it where depthwise and nowhere else."""
    name = layer.name.replace(",", ";").replace('"', "'")
    if depthwise:
        return name if "DP" in name else f"{name}_DP"
    return name.replace("DP", "Dp")


def _numbered(name: str, rows: int) -> list[str]:
    if rows > MAX_WRITTEN:
        raise WccsimError(f"{name}: {rows} groups are as many rows; at most {MAX_WRITTEN} are written")
    return [name] if rows == 1 else [f"{name}_{index}" for index in range(rows)]


def _conv_rows(layer: Layer) -> list[Row]:
    before, after, groups = layer.in_shape, layer.out_shape, layer.groups
    (rows, columns), (stride, other) = layer.kernel, layer.stride
    if layer.op != "conv":
        inner, out, positions, _ = _product(layer)
        single = (positions, 1) if layer.op != "conv_transpose" else (before.height, before.width)
        return [(name, *single, 1, 1, inner, out, 1) for name in _numbered(_name(layer), groups)]
    if stride != other:
        raise WccsimError(
            f"{layer.name}: stride {stride}x{other}; SCALE-Sim has one stride for both directions"
        )
    sizes = ((after.height - 1) * stride + rows, (after.width - 1) * stride + columns, rows, columns)
    if 1 < groups == before.channels:
        names = _numbered(_name(layer, depthwise=True), after.channels // groups)
        return [(name, *sizes, before.channels, 1, stride) for name in names]
    channels, out = before.channels // groups, after.channels // groups
    return [(name, *sizes, channels, out, stride) for name in _numbered(_name(layer), groups)]


def _gemm_rows(layer: Layer) -> list[Row]:
    inner, out, positions, groups = _product(layer)
    return [(name, positions, out, inner) for name in _numbered(layer.name.replace(",", ";"), groups)]


def _product(layer: Layer) -> tuple[int, int, int, int]:
    """K, N, M and how many such products there are."""
    taps = layer.kernel[0] * layer.kernel[1]
    inner, out = layer.in_shape.channels // layer.groups, layer.out_shape.channels // layer.groups
    if layer.op == "conv_transpose":
        return inner, taps * out, layer.in_shape.height * layer.in_shape.width, layer.groups
    return taps * inner, out, layer.out_shape.height * layer.out_shape.width, layer.groups
