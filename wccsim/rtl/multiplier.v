// multiplier: one signed product. Combinational.
//
// Specification: docs/datapath.md, section 6.
// Widths: a AW bits, b BW bits, product AW + BW bits, all two's complement; exact for every pair.
// A module of its own, so that synthesis does not spread the product over the width of the sum.
module multiplier #(
    parameter AW = 8,
    parameter BW = 8
) (
    input  wire signed [AW-1:0]    a,
    input  wire signed [BW-1:0]    b,
    output wire signed [AW+BW-1:0] product
);
    assign product = a * b;
endmodule
