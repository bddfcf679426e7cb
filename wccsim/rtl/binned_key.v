// binned_key: the key of the binned selection. Combinational.
//
// Specification: docs/datapath.md, section 3, `binned:m`: leading-one exponent and M mantissa bits.
//   key = 0 for score 0, else (position of the leading one + 1) * 2^M + the M bits after it
// Widths: score SW <= 63 bits unsigned; key 6 + M bits unsigned. Bits below the last of a small score read 0.
module binned_key #(
    parameter SW = 37,
    parameter M = 3
) (
    input  wire [SW-1:0] score,
    output wire [5+M:0]  key
);
    // The leading one is shifted to the top; the M bits below it are then at a fixed place.
    localparam TW = SW + M;
    reg [5:0] length;
    integer i;
    always @* begin
        length = 6'd0;
        for (i = 0; i < SW; i = i + 1) if (score[i]) length = i[5:0] + 6'd1;
    end
    generate
        if (M == 0) begin : exponent_only
            assign key = length;
        end else begin : with_mantissa
            localparam [5:0] TOP = SW;
            /* verilator lint_off UNUSED */
            wire [TW-1:0] normal = {score, {M{1'b0}}} << (TOP - length);
            /* verilator lint_on UNUSED */
            assign key = {length, (length == 6'd0) ? {M{1'b0}} : normal[TW-2 -: M]};
        end
    endgenerate
endmodule
