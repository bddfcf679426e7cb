// requant_round: the rounding right shift and the clamp of a requantiser. Combinational.
//
// Specification: docs/datapath.md, section 5: clamp((product + 2^(shift-1)) >> shift, LO, HI), ties up.
// Widths: product PW bits signed; shift 7 bits, 1..127; result OW bits, two's complement (or plain
// binary where LO >= 0). The sum product + 2^(shift-1) never stands on a wire: with
// t = product >>> (shift - 1), (t + 1) >>> 1 is the same number, because the bits that the first
// shift drops cannot carry into bit shift - 1. So t + 1 needs PW + 1 bits whatever the shift.
module requant_round #(
    parameter PW = 49,
    parameter OW = 8,
    parameter LO = -127,
    parameter HI = 127
) (
    input  wire signed [PW-1:0] product,
    input  wire        [6:0]    shift,
    output wire        [OW-1:0] result
);
    // The parameters are 32-bit integers; their sign is extended, as meant.
    /* verilator lint_off WIDTH */
    localparam signed [PW:0] LOW = LO;
    localparam signed [PW:0] HIGH = HI;
    /* verilator lint_on WIDTH */
    localparam signed [PW:0] ONE = 1;

    wire        [6:0]    before_last = shift - 7'd1;
    wire signed [PW-1:0] t = product >>> before_last;
    wire signed [PW:0]   wide_t = {t[PW-1], t};
    // All operands are signed: one unsigned among them would turn >>> into a logical shift.
    wire signed [PW:0]   rounded = (wide_t + ONE) >>> 1;
    assign result = (rounded < LOW) ? LOW[OW-1:0] : (rounded > HIGH) ? HIGH[OW-1:0] : rounded[OW-1:0];
endmodule
