// requant4: R3 for the four pixels of one block of one channel. Combinational.
//
// Specification: docs/datapath.md, section 5, R3: its shift includes the gain 2^L of the inverse; the ReLU
// is the lower clamp LO = 0, here and nowhere else.
// Widths: pixels IW = YW + L + 2 (+ 1 with bias) bits signed; outputs 8 bits, int8 or uint8 by LO and HI.
module requant4 #(
    parameter IW = 22,
    parameter LO = -128,
    parameter HI = 127,
    parameter DOUBLE = 0
) (
    input  wire signed [IW-1:0] a,
    input  wire signed [IW-1:0] b,
    input  wire signed [IW-1:0] c,
    input  wire signed [IW-1:0] d,
    input  wire        [30:0]   multiplier,
    input  wire        [6:0]    shift,
    output wire        [7:0]    out_a,
    output wire        [7:0]    out_b,
    output wire        [7:0]    out_c,
    output wire        [7:0]    out_d
);
    requant #(.IW(IW), .OW(8), .LO(LO), .HI(HI), .DOUBLE(DOUBLE)) r3_a (.value(a), .multiplier(multiplier), .shift(shift), .result(out_a));
    requant #(.IW(IW), .OW(8), .LO(LO), .HI(HI), .DOUBLE(DOUBLE)) r3_b (.value(b), .multiplier(multiplier), .shift(shift), .result(out_b));
    requant #(.IW(IW), .OW(8), .LO(LO), .HI(HI), .DOUBLE(DOUBLE)) r3_c (.value(c), .multiplier(multiplier), .shift(shift), .result(out_c));
    requant #(.IW(IW), .OW(8), .LO(LO), .HI(HI), .DOUBLE(DOUBLE)) r3_d (.value(d), .multiplier(multiplier), .shift(shift), .result(out_d));
endmodule
