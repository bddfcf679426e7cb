// mac_array: P x Q output-stationary dot-product array: Q sums, each of P products a cycle.
//
// Specification: docs/datapath.md, section 6: acc[o] = sum over c of weight[o][c] * act[c].
// Widths: act AW bits and weight BW bits, two's complement; product AW + BW bits; the sum of P products
// AW + BW + ceil(log2 P) bits; the accumulators ACC = 32 bits, exact while the exporter's bound
// 15 + ceil(log2 C) <= 32 holds, so nothing saturates or wraps.
// Timing: with `enable`, one cycle adds P products to each sum; `first` starts from zero instead of the
// register. `sum` is the value the register takes at this clock edge: the last group's `sum` is the result.
// The weight of output q and input p stands in bits [(q*P+p)*BW +: BW].
module mac_array #(
    parameter P = 4,
    parameter Q = 4,
    parameter AW = 8,
    parameter BW = 8,
    parameter ACC = 32
) (
    input  wire              clk,
    input  wire              enable,
    input  wire              first,
    input  wire [P*AW-1:0]   act,
    input  wire [P*Q*BW-1:0] weight,
    output wire [Q*ACC-1:0]  sum
);
    localparam PW = AW + BW;
    localparam DW = PW + $clog2(P);
    reg [Q*ACC-1:0] stored;
    genvar p;
    genvar q;
    generate
        for (q = 0; q < Q; q = q + 1) begin : output_lane
            wire [P*PW-1:0] products;
            for (p = 0; p < P; p = p + 1) begin : input_lane
                multiplier #(.AW(AW), .BW(BW)) multiply (
                    .a(act[p*AW +: AW]), .b(weight[(q*P+p)*BW +: BW]), .product(products[p*PW +: PW]));
            end
            wire signed [DW-1:0] dot;
            dot_sum #(.P(P), .IW(PW), .OW(DW)) add (.terms(products), .sum(dot));
            assign sum[q*ACC +: ACC] =
                (first ? {ACC{1'b0}} : stored[q*ACC +: ACC]) + {{(ACC-DW){dot[DW-1]}}, dot};
        end
    endgenerate
    always @(posedge clk) begin
        if (enable) stored <= sum;
    end
endmodule
