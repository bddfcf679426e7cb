// dot_sum: the sum of P signed terms. Combinational.
//
// Specification: docs/datapath.md, section 6.
// Widths: terms IW bits two's complement, term i in bits [i*IW +: IW]; sum OW >= IW + ceil(log2 P) bits, exact.
module dot_sum #(
    parameter P = 4,
    parameter IW = 16,
    parameter OW = 18
) (
    input  wire        [P*IW-1:0] terms,
    output wire signed [OW-1:0]   sum
);
    reg signed [OW-1:0] total;
    reg signed [IW-1:0] term;
    integer i;
    always @* begin
        total = {OW{1'b0}};
        term = {IW{1'b0}};
        for (i = 0; i < P; i = i + 1) begin
            term = terms[i*IW +: IW];
            /* verilator lint_off WIDTH */
            total = total + term;  // both signed: the term's sign is extended
            /* verilator lint_on WIDTH */
        end
    end
    assign sum = total;
endmodule
