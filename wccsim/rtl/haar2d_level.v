// haar2d_level: the 2-D Haar butterfly, forward and inverse alike. Combinational.
//
// Specification: docs/datapath.md, sections 2 and 7.
//   ll = a + b + c + d    lh = a + b - c - d    hl = a - b + c - d    hh = a - b - c + d
// for each of LANES independent lanes; a b / c d is a 2x2 block, row-major.
// Widths: inputs IW bits, outputs IW + 2 bits, both two's complement; no shift, no rounding, and no
// overflow, since |sum of four| <= 4 * 2^(IW-1). Lane i stands in bits [i*width +: width].
// 8 adders a lane: four of IW + 1 bits, four of IW + 2 bits.
module haar2d_level #(
    parameter IW = 8,
    parameter LANES = 1
) (
    input  wire [LANES*IW-1:0]     a,
    input  wire [LANES*IW-1:0]     b,
    input  wire [LANES*IW-1:0]     c,
    input  wire [LANES*IW-1:0]     d,
    output wire [LANES*(IW+2)-1:0] ll,
    output wire [LANES*(IW+2)-1:0] lh,
    output wire [LANES*(IW+2)-1:0] hl,
    output wire [LANES*(IW+2)-1:0] hh
);
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            // One sign bit is repeated by hand: a part select is unsigned in Verilog.
            wire signed [IW:0] wide_a = {a[i*IW+IW-1], a[i*IW +: IW]};
            wire signed [IW:0] wide_b = {b[i*IW+IW-1], b[i*IW +: IW]};
            wire signed [IW:0] wide_c = {c[i*IW+IW-1], c[i*IW +: IW]};
            wire signed [IW:0] wide_d = {d[i*IW+IW-1], d[i*IW +: IW]};
            wire signed [IW:0] upper_sum = wide_a + wide_b;
            wire signed [IW:0] lower_sum = wide_c + wide_d;
            wire signed [IW:0] upper_difference = wide_a - wide_b;
            wire signed [IW:0] lower_difference = wide_c - wide_d;
            wire signed [IW+1:0] us = {upper_sum[IW], upper_sum};
            wire signed [IW+1:0] ls = {lower_sum[IW], lower_sum};
            wire signed [IW+1:0] ud = {upper_difference[IW], upper_difference};
            wire signed [IW+1:0] ld = {lower_difference[IW], lower_difference};
            assign ll[i*(IW+2) +: IW+2] = us + ls;
            assign lh[i*(IW+2) +: IW+2] = us - ls;
            assign hl[i*(IW+2) +: IW+2] = ud + ld;
            assign hh[i*(IW+2) +: IW+2] = ud - ld;
        end
    endgenerate
endmodule
