// requant_double: the requantiser of mode tflite_double, two roundings. Combinational.
//
// Specification: docs/datapath.md, section 5, as gemmlowp defines the two steps:
//   high   = saturating rounding doubling high multiply(value << max(0, -shift), multiplier)
//   result = clamp(rounding divide by power of two(high, max(0, shift)), LO, HI), ties away from zero
// Widths: value IW <= 32 bits signed, 32 bits after its left shift (the exporter refuses more); multiplier
// 31 bits unsigned (Q31, below 1.0); shift 7 bits two's complement, -31..31; high 32 bits.
// Doubling, then keeping the upper 32 bits rounded, is (value * multiplier + 2^30) >>> 31 for either sign:
// the nudge 1 - 2^30 of a negative product and the division towards zero cancel. The saturating case needs
// multiplier = -2^31, which 31 unsigned bits cannot hold.
module requant_double #(
    parameter IW = 32,
    parameter OW = 8,
    parameter LO = -127,
    parameter HI = 127
) (
    input  wire signed [IW-1:0] value,
    input  wire        [30:0]   multiplier,
    input  wire        [6:0]    shift,
    output wire        [OW-1:0] result
);
    localparam signed [63:0] NUDGE = 64'sd1 << 30;
    localparam signed [33:0] ONE = 1;
    localparam signed [33:0] ZERO = 0;
    // The parameters are 32-bit integers; their sign is extended, as meant.
    /* verilator lint_off WIDTH */
    localparam signed [33:0] LOW = LO;
    localparam signed [33:0] HIGH = HI;
    /* verilator lint_on WIDTH */

    wire                 leftwards = shift[6];
    wire        [6:0]    left = leftwards ? 7'd0 - shift : 7'd0;
    wire        [6:0]    right = leftwards ? 7'd0 : shift;
    wire        [32:0]   extended = {{(33-IW){value[IW-1]}}, value};
    // The bits that leave on either side are sign bits above and rounded-away bits below.
    /* verilator lint_off UNUSED */
    wire        [32:0]   moved = extended << left;
    wire signed [31:0]   word = moved[31:0];
    wire signed [31:0]   factor = {1'b0, multiplier};
    wire signed [63:0]   product = word * factor;
    wire signed [63:0]   nudged = product + NUDGE;
    /* verilator lint_on UNUSED */
    wire signed [33:0]   high = {nudged[63], nudged[63:31]};

    // Half away from zero: a negative value is lowered by one before half is added, so that a tie goes down.
    wire                 exact = right == 7'd0;
    wire        [6:0]    before_last = exact ? 7'd0 : right - 7'd1;
    wire signed [33:0]   t = (high - (high[33] ? ONE : ZERO)) >>> before_last;
    wire signed [33:0]   halved = (t + ONE) >>> 1;
    wire signed [33:0]   rounded = exact ? high : halved;
    assign result = (rounded < LOW) ? LOW[OW-1:0] : (rounded > HIGH) ? HIGH[OW-1:0] : rounded[OW-1:0];
endmodule
