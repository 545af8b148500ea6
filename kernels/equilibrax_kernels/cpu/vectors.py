"""Vectors of eight numbers, for loops that must not be left to a compiler's guess.

A compiler turns a loop over an array into vectors only if it can prove that no array overlaps another, and never where
a maximum of floating-point numbers is taken; what remains are loops of one number at a time. Here eight neighbours of
an array are loaded, added, compared and stored as one value. Every operation is one instruction or a few on any
processor, narrower ones if it has no wider. Lengths are rounded up to `padded` ones, and whoever fills an array fills
its padding.

`Eight` holds float64, and `EightWhole` int64. Operators work on two vectors of a kind.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.core.typing import templates
from numba.extending import lower_builtin, models, register_model

LANES = 8

intrinsic: Any = extending.intrinsic  # what it makes is called without the first argument
_registered: Any = templates.infer_global


def padded(size: int) -> int:
    """The next multiple of eight.

    Example:
        >>> padded(8), padded(9)
        (8, 16)
    """
    return -(-size // LANES) * LANES


class _Vector(types.Type):
    def __init__(self, element: Any):
        self.element = element
        super().__init__(name=f"Eight({element})")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any):
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.element).get_value_type(), LANES))


Eight, EightWhole = _Vector(types.float64), _Vector(types.int64)
_OF: dict[Any, Any] = {types.float64: Eight, types.int64: EightWhole}
_I32 = ir.IntType(32)


# --- operators --------------------------------------------------------------------------------------------------------


def _operator(symbol: Any, of_floats: str, of_wholes: str | None) -> None:
    kinds = {Eight: of_floats} | ({EightWhole: of_wholes} if of_wholes else {})

    cases = [templates.signature(kind, kind, kind) for kind in kinds]
    _registered(symbol)(type(of_floats, (templates.ConcreteTemplate,), {"cases": cases}))
    for kind, instruction in kinds.items():

        def lower(context, builder, sig, args, instruction=instruction):
            return getattr(builder, instruction)(*args)

        lower_builtin(symbol, kind, kind)(lower)


_operator(operator.add, "fadd", "add")
_operator(operator.sub, "fsub", "sub")
_operator(operator.mul, "fmul", "mul")
_operator(operator.truediv, "fdiv", None)


# --- memory -----------------------------------------------------------------------------------------------------------


def _place(context, builder, kinds, values):
    (array, at), (value, index) = kinds[:2], values[:2]
    made = context.make_array(array)(context, builder, value)
    index = [index] if isinstance(at, types.Integer) else cgutils.unpack_tuple(builder, index)
    kinds_of_index = [at] if isinstance(at, types.Integer) else at
    index = [context.cast(builder, i, kind, types.intp) for i, kind in zip(index, kinds_of_index, strict=True)]
    place = cgutils.get_item_pointer(context, builder, array, made, index, wraparound=False)
    lanes = ir.VectorType(context.get_value_type(array.dtype), LANES)
    return builder.bitcast(place, lanes.as_pointer())


@intrinsic
def load(typing, array, at):
    """Eight neighbours of an array: `array[at]` and what follows it in its row; `at` is a number or a tuple."""

    def generate(context, builder, sig, args):
        return builder.load(_place(context, builder, sig.args, args), align=8)

    return _OF[array.dtype](array, at), generate


@intrinsic
def load_as_floats(typing, array, at):
    """Eight neighbours of an array of whole numbers as float64."""

    def generate(context, builder, sig, args):
        whole = builder.load(_place(context, builder, sig.args, args), align=array.dtype.bitwidth // 8)
        return builder.sitofp(whole, ir.VectorType(context.get_value_type(types.float64), LANES))

    return Eight(array, at), generate


@intrinsic
def store(typing, array, at, vector):
    """Write them."""

    def generate(context, builder, sig, args):
        builder.store(args[2], _place(context, builder, sig.args, args), align=8)
        return context.get_dummy_value()

    return types.none(array, at, vector), generate


@intrinsic
def gather(typing, array, row, places, at):
    """Eight numbers of a row of an array: those whose places are the eight from `at` on."""

    def generate(context, builder, sig, args):
        kinds = sig.args
        made, numbers = (context.make_array(kinds[i])(context, builder, args[i]) for i in (0, 2))
        vector = ir.Constant(ir.VectorType(context.get_value_type(array.dtype), LANES), ir.Undefined)
        row, at = (context.cast(builder, args[i], kinds[i], types.intp) for i in (1, 3))
        for lane in range(LANES):
            here = [builder.add(at, at.type(lane))]
            place = builder.load(cgutils.get_item_pointer(context, builder, places, numbers, here, wraparound=False))
            value = cgutils.get_item_pointer(context, builder, array, made, [row, place], wraparound=False)
            vector = builder.insert_element(vector, builder.load(value), _I32(lane))
        return vector

    return _OF[array.dtype](array, row, places, at), generate


@intrinsic
def copy_four(typing, target, at, source, place):
    """Copy four neighbours of one array to another of the same kind."""

    def generate(context, builder, sig, args):
        four = ir.VectorType(context.get_value_type(target.dtype), 4).as_pointer()
        kinds = sig.args
        to, of = (_place(context, builder, kinds[i : i + 2], args[i : i + 2]) for i in (0, 2))
        align = target.dtype.bitwidth // 8
        builder.store(builder.load(builder.bitcast(of, four), align=align), builder.bitcast(to, four), align=align)
        return context.get_dummy_value()

    return types.none(target, at, source, place), generate


def _spread(builder, lanes, number):
    one = builder.insert_element(ir.Constant(lanes, ir.Undefined), number, _I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


@intrinsic
def fill(typing, number):
    """Eight times the same number."""
    element = types.float64 if isinstance(number, types.Float) else types.int64

    def generate(context, builder, sig, args):
        lanes = ir.VectorType(context.get_value_type(element), LANES)
        return _spread(builder, lanes, args[0])

    return _OF[element](element), generate


@intrinsic
def as_floats(typing, vector):
    """Whole numbers as float64."""

    def generate(context, builder, sig, args):
        return builder.sitofp(args[0], ir.VectorType(context.get_value_type(types.float64), LANES))

    return Eight(vector), generate


@intrinsic
def fused(typing, first, second, third):
    """`first * second + third`, rounded once."""

    def generate(context, builder, sig, args):
        kind = args[0].type
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), "llvm.fma.v8f64")
        return builder.call(fma, args)

    return Eight(first, second, third), generate


# --- comparisons ------------------------------------------------------------------------------------------------------


def _greater(builder, kind, first, second):
    whole = kind.element == types.int64
    return builder.icmp_signed(">", first, second) if whole else builder.fcmp_ordered(">", first, second)


@intrinsic
def if_greater(typing, first, second, then, otherwise):
    """Where `first > second` the lanes of `then`, elsewhere those of `otherwise`."""

    def generate(context, builder, sig, args):
        return builder.select(_greater(builder, first, args[0], args[1]), args[2], args[3])

    return then(first, second, then, otherwise), generate


@intrinsic
def lanes_greater(typing, first, second):
    """Bit k: `first > second` in lane k."""

    def generate(context, builder, sig, args):
        bits = builder.bitcast(_greater(builder, first, *args), ir.IntType(LANES))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(first, second), generate


# --- lanes of one vector ----------------------------------------------------------------------------------------------


def _over_lanes(builder, vector, neutral, choose):
    """Of every lane, all lanes whose numbers have its number's bits and more."""
    for bit in (1, 2, 4):
        lanes = [LANES if lane & bit else lane | bit for lane in range(LANES)]
        others = ir.Constant(vector.type, [neutral] * LANES)
        lanes = ir.Constant(ir.VectorType(_I32, LANES), lanes)
        vector = choose(vector, builder.shuffle_vector(vector, others, lanes))
    return vector


@intrinsic
def sum_over_lanes(typing, vector):
    """Lane k: the sum of the lanes whose numbers have all bits of k."""

    def generate(context, builder, sig, args):
        return _over_lanes(builder, args[0], 0, builder.add if vector.element == types.int64 else builder.fadd)

    return vector(vector), generate


@intrinsic
def highest_over_lanes(typing, vector):
    """Lane k: the largest of the lanes, of whole numbers, whose numbers have all bits of k."""

    def generate(context, builder, sig, args):
        def choose(a, b):
            return builder.select(_greater(builder, vector, a, b), a, b)

        return _over_lanes(builder, args[0], -(2**63), choose)

    return vector(vector), generate


@intrinsic
def extract(typing, vector, lane):
    """The number in a lane."""

    def generate(context, builder, sig, args):
        return builder.extract_element(args[0], builder.trunc(args[1], _I32))

    return vector.element(vector, types.int64), generate


@intrinsic
def ones(typing, word):
    """How many bits of a whole number are set."""

    def generate(context, builder, sig, args):
        return builder.ctpop(args[0])

    return types.int64(types.int64), generate


@intrinsic
def last_bit(typing, word):
    """The number of the highest bit that is set, -1 for none."""

    def generate(context, builder, sig, args):
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.IntType(64)(63), zeros)

    return types.int64(types.int64), generate


def _fold(builder, vector, choose):
    """All lanes together, halves first."""
    for distance in (4, 2, 1):
        lanes = ir.Constant(ir.VectorType(_I32, LANES), [(lane + distance) % LANES for lane in range(LANES)])
        vector = choose(vector, builder.shuffle_vector(vector, vector, lanes))
    return builder.extract_element(vector, _I32(0))


@intrinsic
def highest(typing, vector):
    """The largest of eight numbers."""

    def generate(context, builder, sig, args):
        return _fold(builder, args[0], lambda a, b: builder.select(_greater(builder, vector, a, b), a, b))

    return vector.element(vector), generate


@intrinsic
def lowest(typing, vector):
    """The smallest of them."""

    def generate(context, builder, sig, args):
        return _fold(builder, args[0], lambda a, b: builder.select(_greater(builder, vector, a, b), b, a))

    return vector.element(vector), generate


@intrinsic
def where(typing, vector, number, places):
    """`places + lane` of the first lane in which the vector has a number; `places` are those of the blocks of lanes."""

    def generate(context, builder, sig, args):
        wanted = _spread(builder, args[0].type, args[1])
        same = builder.icmp_signed if vector.element == types.int64 else builder.fcmp_ordered
        bits = builder.zext(builder.bitcast(same("==", args[0], wanted), ir.IntType(LANES)), _I32)
        lane = builder.cttz(builder.or_(bits, _I32(1 << (LANES - 1))), ir.Constant(ir.IntType(1), 1))
        return builder.add(builder.extract_element(args[2], lane), builder.zext(lane, ir.IntType(64)))

    return types.int64(vector, vector.element, EightWhole), generate
