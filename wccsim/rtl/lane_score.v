// lane_score: what P channels add to the joint score of one position. Combinational.
//
// Specification: docs/datapath.md, section 3. The coefficient of level l is first shifted left by L - l
// onto the common grid. Scores: SCORE 0 = l2, sum of squares; 1 = l1, sum of magnitudes; 2 = max.
// Widths: coefficient CW bits signed; aligned coefficient CW bits (a level-l word has b + 2l bits and
// b + 2l + L - l <= b + 2L); magnitude CW bits unsigned; square 2*CW - 1 bits, at most 2^(2CW-2); the
// sum of the lanes SW bits, the stated width of the whole score (so P lanes never exceed it).
module lane_score #(
    parameter P = 4,
    parameter CW = 14,
    parameter SW = 37,
    parameter SCORE = 0
) (
    input  wire [P*CW-1:0] coefficient,
    input  wire [2:0]      alignment,
    output wire [SW-1:0]   score
);
    // Wide enough for a square even where SW is narrower, as for l1 and max.
    localparam VW = 2 * CW + SW;
    wire [P*VW-1:0] values;
    genvar p;
    generate
        for (p = 0; p < P; p = p + 1) begin : lane
            wire [CW-1:0] aligned = coefficient[p*CW +: CW] << alignment;
            wire [CW-1:0] magnitude = aligned[CW-1] ? ~aligned + {{(CW-1){1'b0}}, 1'b1} : aligned;
            if (SCORE == 0) begin : squared
                wire [2*CW-1:0] square = magnitude * magnitude;
                assign values[p*VW +: VW] = {{SW{1'b0}}, square};
            end else begin : plain
                assign values[p*VW +: VW] = {{(VW-CW){1'b0}}, magnitude};
            end
        end
    endgenerate
    // Bits above SW are zero: SW is the width of the sum over all channels.
    /* verilator lint_off UNUSED */
    reg [VW-1:0] total;
    /* verilator lint_on UNUSED */
    integer i;
    always @* begin
        total = {VW{1'b0}};
        for (i = 0; i < P; i = i + 1) begin
            if (SCORE != 2) total = total + values[i*VW +: VW];
            else if (values[i*VW +: VW] > total) total = values[i*VW +: VW];
        end
    end
    assign score = total[SW-1:0];
endmodule
