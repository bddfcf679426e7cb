// requant: one requantiser, R1, R2 or R3. Combinational.
//
// Specification: docs/datapath.md, section 5.
// Widths: value IW bits signed (14 for R1 at b = 8, L = 3; 32 for R2; YW + L + 2 + bias for R3);
// multiplier 31 bits, of which mode single uses 16 and mode tflite_double all; shift 7 bits, 1..127
// (single) or -31..31, two's complement (double); result OW bits between LO and HI. The product IW + 16 bits is exact.
module requant #(
    parameter IW = 32,
    parameter OW = 8,
    parameter LO = -127,
    parameter HI = 127,
    parameter DOUBLE = 0
) (
    input  wire signed [IW-1:0] value,
    /* verilator lint_off UNUSED */
    input  wire        [30:0]   multiplier,
    /* verilator lint_on UNUSED */
    input  wire        [6:0]    shift,
    output wire        [OW-1:0] result
);
    generate
        if (DOUBLE != 0) begin : two_roundings
            requant_double #(.IW(IW), .OW(OW), .LO(LO), .HI(HI)) double_rounding (
                .value(value), .multiplier(multiplier), .shift(shift), .result(result));
        end else begin : one_rounding
            wire signed [16:0]    factor = {1'b0, multiplier[15:0]};
            wire signed [IW+16:0] product = value * factor;
            requant_round #(.PW(IW + 17), .OW(OW), .LO(LO), .HI(HI)) rounding (
                .product(product), .shift(shift), .result(result));
        end
    endgenerate
endmodule
